/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared pages cannot be swapped, so somebody must count them. Children register windows until the kernel refuses, and
 * keep them; then everything else is tried, ordinary memory first.
 *   limit [children, default 4] [pages of each, default 20] [ordinary pages for one more child, default 1000]
 */
#include "ulib.h"

enum { CHILDREN = 4, CHILDREN_MAX = 28, PAGES = 20, ORDINARY_PAGES = 1000, TRIES = 64 };

/* A byte that parent and child share: what became of the request. */
static volatile unsigned char *answers;
enum { PENDING, SHARED, NO_MEMORY, OTHER };

/* The status of a child that touches ordinary memory. */
static int use_ordinary_memory(unsigned long pages)
{
    int status = -1, pid = fork();
    if (!pid) {
        unsigned char *memory = mmap(pages * PAGE, PROT_READ | PROT_WRITE);
        for (unsigned long i = 0; !is_error(memory) && i < pages; i++)
            memory[i * PAGE] = 'x';
        exit(is_error(memory));
    }
    wait(pid, &status);
    return status;
}

static void child(unsigned long number, unsigned long pages)
{
    void *window = ukshm_register(ROLE_BUFFER, 0, 0, pages, UKSHM_VERSION);
    if (!is_error(window))
        memset(window, (int)number, pages * PAGE);
    answers[number] = !is_error(window) ? SHARED : (long)window == -ENOMEM ? NO_MEMORY : OTHER;
    sleep(SLEEP_FOREVER);
    exit(0);
}

int main(int argc, const char *argv[])
{
    unsigned long children = argc > 1 ? to_number(argv[1]) : CHILDREN, pages = argc > 2 ? to_number(argv[2]) : PAGES;
    unsigned long ordinary = argc > 3 ? to_number(argv[3]) : ORDINARY_PAGES;
    unsigned long counts[OTHER + 1] = {0};
    int pids[CHILDREN_MAX], status = -1;
    answers = mmap_shared(PAGE, PROT_READ | PROT_WRITE);
    if (is_error((void *)answers) || children > CHILDREN_MAX)
        fail("at most %d children", CHILDREN_MAX);
    for (unsigned long i = 0; i < children; i++) {
        pids[i] = fork();
        if (!pids[i])
            child(i, pages);
        for (int tries = 0; pids[i] > 0 && answers[i] == PENDING && tries < TRIES; tries++)
            sleep(1);
        counts[pids[i] > 0 ? answers[i] : NO_MEMORY]++;
    }
    say("%lu children want %lu pages each: %lu have them, %lu were told there is no memory", children, pages,
        counts[SHARED], counts[NO_MEMORY]);
    say("a child with %lu ordinary pages: status %d", ordinary, use_ordinary_memory(ordinary));
    int pid = spawn("hello", 0);
    say("another process: %s", pid > 0 && wait(pid, &status) == pid && !status ? "runs" : "DOES NOT RUN");
    for (unsigned long i = 0; i < children; i++)
        if (pids[i] > 0 && !kill(pids[i]))
            wait(pids[i], &status);
    void *window = ukshm_register(ROLE_BUFFER, 0, 0, pages, UKSHM_VERSION);
    say("after they have ended, so many pages for me: %s", is_error(window) ? "REFUSED" : "shared");
    return 0;
}
