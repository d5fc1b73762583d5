/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver of network files that has no network: shelf NAME ACTION. The name of a file says what the driver does:
 *   OPERATION-DEED with OPERATION open, read, write, close; DEED good, error, fault, return, exit, never, late, long,
 *   verdict, busy. A child acts: see actions[]. A file holds FILE_BYTES bytes:
 * at each place that 8 divides a product of the place.
 */
#include "ulib.h"
#include "../include/upcall.h"

enum { DRIVER = 2, FILE_BYTES = 5000, STACK = 2 * PAGE, HANDLES = 64, LATE = 30, PAUSE = 5 };

static const unsigned long PATTERN = 0x9e3779b97f4a7c15;

static unsigned char stack[STACK] __attribute__((aligned(16)));
static unsigned char bytes[3 * PAGE] __attribute__((aligned(8)));
static unsigned long opened[HANDLES];           /* by handle: the id of the OPEN; 0: free */
static char name[64];
static const char *file;                        /* with /net/ in front */
static volatile int *calls;                     /* by operation; shared with the children */
static unsigned long written;

static void wait_for(int pid)
{
    while (wait(pid, 0) == -EINTR)
        ;
}

/* ---- the driver ---- */

static const char *const operations[] = {"open", "read", "write", "close"};

/* Whether the name asks for this deed in this operation. */
static bool is_time_for(const struct upcall *upcall, const char *deed)
{
    const char *operation = operations[upcall->operation];
    size_t length = strlen(operation);
    return strlen(name) > length && !memcmp(name, operation, length) && !strcmp(name + length + 1, deed);
}

static void misbehave(const struct upcall *upcall)
{
    if (is_time_for(upcall, "fault"))
        *(volatile char *)0 = 1;
    if (is_time_for(upcall, "return"))
        return;
    if (is_time_for(upcall, "exit"))
        exit(3);
    while (is_time_for(upcall, "never"))
        sleep(SLEEP_FOREVER);
    if (is_time_for(upcall, "late") && calls[upcall->operation] == 1)
        sleep(LATE);
    if (is_time_for(upcall, "busy"))
        sleep(PAUSE);
    if (is_time_for(upcall, "long"))
        say("an answer longer than a page: %ld", ukshm_ack(upcall->id, PAGE + 1, 0));
    if (is_time_for(upcall, "verdict"))
        say("an answer without sense: %ld", ukshm_ack(upcall->id, 0, 1ul << 40));
}

static long find(unsigned long id)
{
    for (long i = 0; i < HANDLES; i++)
        if (opened[i] == id)
            return i;
    return -EBADF;
}

static long serve_open(const struct upcall *upcall)
{
    long handle = find(0);
    memcpy(name, (char *)upcall->address, upcall->length);
    name[upcall->length] = 0;
    misbehave(upcall);
    opened[handle] = upcall->id;
    return handle;
}

static long serve_read(const struct upcall *upcall)
{
    unsigned long at = upcall->argument[1], left = at < FILE_BYTES ? FILE_BYTES - at : 0;
    unsigned long part = left < upcall->capacity ? left : upcall->capacity;
    for (unsigned long i = 0; i < part; i += 8)
        *(unsigned long *)(upcall->address + i) = (at + i) * PATTERN;
    return (long)part;
}

static void serve(const struct upcall *upcall)
{
    long result = 0, length = 0;
    calls[upcall->operation]++;
    if (upcall->operation == NETFS_OPEN) {
        result = serve_open(upcall);
    } else {
        misbehave(upcall);
        if (is_time_for(upcall, "return"))
            return;
        long handle = find(upcall->argument[2]);
        if (upcall->operation == NETFS_READ)
            length = handle < 0 ? 0 : serve_read(upcall);
        if (upcall->operation == NETFS_WRITE && handle >= 0)
            written += upcall->length;
        if (upcall->operation == NETFS_WRITE)
            result = upcall->length;
        if (upcall->operation == NETFS_CLOSE && handle >= 0)
            opened[handle] = 0;
        if (handle < 0)
            result = handle;
    }
    if (is_time_for(upcall, "error"))
        result = -ENOSPC, length = 0;
    if (upcall->operation == NETFS_OPEN && result < 0)
        opened[find(upcall->id)] = 0;
    if (upcall->operation == NETFS_OPEN && is_time_for(upcall, "return"))
        return;
    ukshm_ack(upcall->id, (unsigned long)length, (unsigned long)result);
    fail("the answer %ld to %s is not taken", result, operations[upcall->operation]);
}

/* ---- the children ---- */

static void self_check(void)
{
    int file = open("/dev/alloc", O_WRONLY);
    long findings = write(file, "self-check", 10);
    if (findings)
        say("the self-check found %ld", findings);
    close(file);
}

static long read_all(int file)
{
    long count, total = 0;
    for (; (count = read(file, bytes, sizeof bytes)) > 0; total += count)
        for (long i = 0; i + 8 <= count; i += 8)
            if (*(unsigned long *)(bytes + i) != (unsigned long)(total + i) * PATTERN)
                fail("what lies at %ld is wrong", total + i);
    return count < 0 ? count : total;
}

static void act_read(void)
{
    int descriptor = open(file, O_RDONLY);
    long total = descriptor < 0 ? descriptor : read_all(descriptor);
    say("open %d, read %ld, close %d", descriptor, total, close(descriptor));
}

static void act_write(void)
{
    int descriptor = open(file, O_WRONLY);
    long count = write(descriptor, bytes, sizeof bytes), rest = write(descriptor, bytes, 1);
    say("open %d, write %ld, %ld, close %d", descriptor, count, rest, close(descriptor));
}

/* After an error the same once more, when the driver has time again. */
static void act_again(void)
{
    int descriptor = open(file, O_RDONLY);
    long total = descriptor < 0 ? descriptor : read_all(descriptor);
    say("open %d, read %ld", descriptor, total);
    sleep(2 * LATE);
    if (descriptor < 0)
        descriptor = open(file, O_RDONLY);
    say("again: open %d, read %ld", descriptor, read_all(descriptor));
}

/* A reader is killed while the driver has its page; another reads on. */
static void act_kill(void)
{
    int descriptor = open(file, O_RDONLY), pid = fork();
    if (!pid) {
        say("killed? read %ld", read_all(descriptor < 0 ? open(file, O_RDONLY) : descriptor));
        exit(0);
    }
    sleep(2);
    say("kill %d", kill(pid));
    wait_for(pid);
    say("read on: %ld", descriptor < 0 ? descriptor : read_all(descriptor));
}

/* Nobody is left who has it open. */
static void act_orphan(void)
{
    int pid = fork();
    if (!pid) {
        act_read();
        exit(0);
    }
    sleep(2);
    say("kill %d", kill(pid));
    wait_for(pid);
    sleep(LATE);
}

static int sum_of(const unsigned char *from, long count)
{
    int sum = 0;
    while (count-- > 0)
        sum += from[count];
    return sum;
}

/* What a reader gets who has the file for itself. */
static int sum_of_file(void)
{
    int descriptor = open(file, O_RDONLY), sum = 0;
    for (long count; (count = read(descriptor, bytes, PAGE)) > 0;)
        sum += sum_of(bytes, count);
    close(descriptor);
    return sum;
}

/* Two who share one position: together they get each byte once. */
static void act_share(void)
{
    int whole = sum_of_file(), descriptor = open(file, O_RDONLY), pid = fork(), sum = 0;
    long count, total = 0;
    for (; (count = read(descriptor, bytes, 100)) > 0; total += count, yield())
        sum += sum_of(bytes, count);
    calls[pid ? 4 : 5] = (int)total;
    calls[pid ? 6 : 7] = sum;
    if (!pid)
        exit(0);
    wait_for(pid);
    say("both read something: %d, together %d, the same bytes: %d", calls[4] && calls[5], calls[4] + calls[5],
        calls[6] + calls[7] == whole);
}

/* The driver's death is felt by the next read; the one after it finds nobody. */
static void act_orphaned_file(void)
{
    int descriptor = open(file, O_RDONLY);
    say("open %d, read %ld", descriptor, read(descriptor, bytes, 10));
    say("kill the driver %d", kill(DRIVER));
    sleep(PAUSE);
    say("what is there still %ld, what is not %ld, open %d", read(descriptor, bytes, 10),
        read(descriptor, bytes, 2 * PAGE) + read(descriptor, bytes, 2 * PAGE), open(file, O_RDONLY));
    say("close %d", close(descriptor));
}

static void act_odd(void)
{
    int descriptor = open(file, O_RDONLY);
    say("no bytes %ld, wild %ld, write %ld", read(descriptor, bytes, 0), read(descriptor, (void *)1, 10),
        write(descriptor, bytes, 1));
    say("map %ld", (long)mmap_file(descriptor, 0, PAGE, PROT_READ));
    say("read %ld", read_all(descriptor));
    say("wild %ld", write(open(file, O_WRONLY), (void *)1, 10));
}

/* More at once than the queue of calls takes. */
static void act_crowd(void)
{
    enum { CROWD = 20 };
    for (int i = 0; i < CROWD; i++)
        if (!fork()) {
            int descriptor = open(file, O_RDONLY);
            exit(descriptor < 0 || read_all(descriptor) != FILE_BYTES);
        }
    int status, bad = 0;
    while (wait(-1, &status) > 0)
        bad += status;
    say("of %d readers %d failed", CROWD, bad);
}

static const struct { const char *name; void (*act)(void); } actions[] = {
    {"read", act_read}, {"write", act_write}, {"again", act_again}, {"kill", act_kill}, {"orphan", act_orphan},
    {"share", act_share}, {"orphaned", act_orphaned_file}, {"odd", act_odd}, {"crowd", act_crowd},
};

int main(int argc, const char *argv[])
{
    static char path[64];
    snprintf(path, sizeof path, "/net/%s", argc > 1 ? argv[1] : "good");
    file = path;
    calls = mmap_shared(PAGE, PROT_READ | PROT_WRITE);
    long error = (long)ukshm_register(ROLE_NETFS, serve, stack + sizeof stack, 1, UKSHM_VERSION);
    if (error < 0)
        fail("not registered: %ld", error);
    int pid = fork();
    if (!pid) {
        for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
            if (argc > 2 && !strcmp(argv[2], actions[i].name))
                actions[i].act();
        self_check();
        if (strlen(path) > 5 && !strcmp(path + strlen(path) - 5, "never"))
            say("kill the driver %d", kill(DRIVER));
        exit(0);
    }
    wait_for(pid);
    sleep(1);
    int left = 0;
    for (int i = 0; i < HANDLES; i++)
        left += opened[i] != 0;
    say("own file %d; written %lu, still open %d", open(file, O_RDONLY), written, left);
    return 0;
}
