/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls with arguments at random, from a seed: the kernel must answer each, or end the caller, and live on.
 *   fuzz [seed, default 1] [children, default 8] [calls of each, default 300]
 */
#include "random.h"
#include "ulib.h"

enum { SEED = 1, CHILDREN = 8, CALLS = 300, WILD = 16 };

static unsigned char mine[4 * PAGE];

static const unsigned long wild[WILD] = {
    0, 1, 8, PAGE - 1, PAGE, PAGE + 1, 0x400000, 0x7000000fffff, 0x7fffffffefff, 0x7ffffffff000,
    0x0000800000000000, 0xffff888000000000, 0xffffffff80100000, 0x7fffffffffffffff, 0xffffffffffffffff, 0x100000000,
};

static unsigned long argument(struct random *random)
{
    switch (random_below(random, 4)) {
    case 0: return wild[random_below(random, WILD)];
    case 1: return random_below(random, 8);
    case 2: return (unsigned long)mine + random_below(random, sizeof mine);
    default: return random_next(random) >> random_below(random, 64);
    }
}

/* What would wait for ever, end this process on purpose, or print at random is no test of the others. */
static bool is_left_out(unsigned long number, const unsigned long a[])
{
    switch (number) {
    case SYS_exit: case SYS_wait: return true;
    case SYS_read: return !a[0];
    case SYS_sleep: return a[0] > 3;
    case SYS_write: return a[0] == 1 || a[0] == 2;
    case SYS_spawn: return true;        /* wild pointers to it are badcalls' business; a good one would print */
    case SYS_kill: return (int)a[0] >= 0 && (int)a[0] < PAGE;     /* it might be somebody */
    default: return false;
    }
}

static unsigned long calls_at_random(struct random *random, unsigned long count)
{
    unsigned long refused = 0;
    for (unsigned long i = 0; i < count; i++) {
        unsigned long number = random_below(random, SYSCALL_COUNT + 2), a[6];
        for (int k = 0; k < 6; k++)
            a[k] = argument(random);
        if (is_left_out(number, a))
            continue;
        long result = syscall6((long)number, (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4], (long)a[5]);
        if (number == SYS_fork && !result)
            exit(0);
        refused += result < 0;
    }
    return refused;
}

int main(int argc, const char *argv[])
{
    unsigned long seed = argc > 1 ? to_number(argv[1]) : SEED, children = argc > 2 ? to_number(argv[2]) : CHILDREN;
    unsigned long calls = argc > 3 ? to_number(argv[3]) : CALLS, survived = 0;
    for (unsigned long i = 0; i < children; i++) {
        int status = -1, pid = fork();
        if (!pid) {
            struct random random = random_from(seed * CHILDREN + i);
            exit(calls_at_random(&random, calls) ? 0 : 1);
        }
        while (wait(pid, &status) != pid) {}
        survived += !status;
    }
    say("%lu children called at random; %s", children, survived ? "some of them lived on" : "none of them lived on");
    return !survived;
}
