/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Workers map, touch, check, protect, unmap, fork, and are killed, all at random from a seed. Whoever finds a byte
 * that is not what it wrote says so; whenever a worker has ended, the kernel checks its own books.
 *   stress [seed, default 1] [workers in all, default 12] [steps of each, default 60] [pages of each, default 400]
 */
#include "random.h"
#include "ulib.h"

enum { SEED = 1, WORKERS = 12, STEPS = 60, PAGES_LIMIT = 400, AT_ONCE = 4, REGIONS = 6, WORDS = PAGE / 8 };
enum { STATUS_WRONG = 9 };

struct region {
    unsigned long *start;
    unsigned long pages;
    unsigned long tag;              /* a page that was written holds tag + its number */
    unsigned char written[64];      /* a bit for each page */
    bool shared;
};

static struct region regions[REGIONS];
static struct random random;
static unsigned long pages_limit, pages_held, tags;

static bool was_written(const struct region *region, unsigned long page)
{
    return region->written[page / 8] >> page % 8 & 1;
}

static void touch(struct region *region, unsigned long page)
{
    region->start[page * WORDS] = region->tag + page;
    region->start[(page + 1) * WORDS - 1] = ~(region->tag + page);
    region->written[page / 8] |= (unsigned char)(1 << page % 8);
}

static void check(const struct region *region, const char *when)
{
    for (unsigned long page = 0; page < region->pages; page++) {
        unsigned long wanted = was_written(region, page) ? region->tag + page : 0;
        unsigned long last = was_written(region, page) ? ~wanted : 0;
        if (region->start[page * WORDS] != wanted || region->start[(page + 1) * WORDS - 1] != last) {
            say("WRONG %s: page %lu of the region at %p", when, page, (void *)region->start);
            exit(STATUS_WRONG);
        }
    }
}

static void map(struct region *region)
{
    unsigned long pages = 1 + random_below(&random, 8 * sizeof region->written);
    if (region->pages || pages_held + pages > pages_limit)
        return;
    region->shared = random_below(&random, 4) == 0;
    void *start = region->shared ? mmap_shared(pages * PAGE, PROT_READ | PROT_WRITE)
                                 : mmap(pages * PAGE, PROT_READ | PROT_WRITE);
    if (is_error(start))
        return;
    memset(region->written, 0, sizeof region->written);
    region->start = start;
    region->pages = pages;
    region->tag = ++tags << 32 | (unsigned long)getpid() << 16;
    pages_held += pages;
}

static void unmap(struct region *region)
{
    if (!region->pages)
        return;
    check(region, "before unmapping");
    if (munmap(region->start, region->pages * PAGE))
        fail("WRONG munmap");
    pages_held -= region->pages;
    region->pages = 0;
}

static void touch_some(struct region *region)
{
    for (unsigned long n = region->pages; n; n--)
        if (random_below(&random, 2))
            touch(region, n - 1);
}

static void protect(struct region *region)
{
    if (!region->pages || mprotect(region->start, region->pages * PAGE, PROT_READ))
        return;
    check(region, "while read-only");
    if (mprotect(region->start, region->pages * PAGE, PROT_READ | PROT_WRITE))
        fail("WRONG mprotect");
}

/* The child sees what this process sees; what it writes to private memory is its own. */
static void fork_child(void)
{
    int status = 0, pid = fork();
    if (!pid) {
        for (int i = 0; i < REGIONS; i++) {
            check(&regions[i], "in a child");
            if (regions[i].pages && !regions[i].shared) {
                regions[i].tag += 7;
                memset(regions[i].written, 0xff, sizeof regions[i].written);
                for (unsigned long page = 0; page < regions[i].pages; page++)
                    touch(&regions[i], page);
                check(&regions[i], "of a child's own");
            }
        }
        exit(0);
    }
    if (pid > 0 && wait(pid, &status) == pid && status == STATUS_WRONG)
        exit(STATUS_WRONG);
}

static void use_heap(void)
{
    unsigned char *start = brk(0);
    unsigned long bytes = random_below(&random, 16 * PAGE);
    if (brk(start + bytes) != start + bytes)
        return;
    for (unsigned long i = 0; i < bytes; i += PAGE / 2)
        start[i] = (unsigned char)i;
    brk(start);
}

static void share_with_kernel(void)
{
    unsigned char *window = ukshm_register(ROLE_BUFFER, 0, 0, 1 + random_below(&random, 3), UKSHM_VERSION);
    if (is_error(window))
        return;
    for (int i = 0; i < PAGE; i++)
        if (window[i])
            fail("WRONG: a shared page holds old data");
    memset(window, 's', PAGE);
    ukshm_unregister();
}

static int work(unsigned long seed, unsigned long steps)
{
    random = random_from(seed);
    for (unsigned long step = 0; step < steps; step++) {
        struct region *region = &regions[random_below(&random, REGIONS)];
        switch (random_below(&random, 10)) {
        case 0: case 1: map(region); touch_some(region); break;
        case 2: case 3: touch_some(region); break;
        case 4: check(region, "as it was"); break;
        case 5: unmap(region); break;
        case 6: protect(region); break;
        case 7: fork_child(); break;
        case 8: use_heap(); sleep(random_below(&random, 2)); break;
        default: share_with_kernel(); break;
        }
    }
    for (int i = 0; i < REGIONS; i++)
        unmap(&regions[i]);
    return 0;
}

/* 0 is what it should find; without memory for the check, another time will do. */
static bool kernel_is_wrong(int lab)
{
    static const char COMMAND[] = "self-check";
    long findings = write(lab, COMMAND, sizeof COMMAND - 1);
    return findings && findings != -ENOMEM;
}

int main(int argc, const char *argv[])
{
    int lab = open("/dev/alloc", O_WRONLY);
    unsigned long seed = argc > 1 ? to_number(argv[1]) : SEED, workers = argc > 2 ? to_number(argv[2]) : WORKERS;
    unsigned long steps = argc > 3 ? to_number(argv[3]) : STEPS;
    unsigned long started = 0, ended = 0, killed = 0, wrong = 0;
    int last = 0;
    struct random chance = random_from(seed);
    pages_limit = argc > 4 ? to_number(argv[4]) : PAGES_LIMIT;
    while (ended < workers) {
        if (started < workers && started - ended < AT_ONCE) {
            int pid = fork();
            if (!pid)
                return work(seed * 1000 + started, steps);
            if (pid > 0) {
                started++;
                last = pid;
            }
            if (random_below(&chance, 4) == 0)
                sleep(random_below(&chance, 20));
            continue;
        }
        if (random_below(&chance, 3) == 0)
            kill(last);
        int status = 0;
        wait(-1, &status);
        ended++;
        killed += status == STATUS_KILLED;
        wrong += (status && status != STATUS_KILLED) + kernel_is_wrong(lab);
    }
    say("%lu workers, %lu of them killed, %lu wrong", ended, killed, wrong);
    return wrong != 0;
}
