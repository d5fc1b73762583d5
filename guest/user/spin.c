/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two processes that never give up the CPU: only the timer lets both get on. */
#include "ulib.h"

enum { STEPS = 4, DEFAULT_LOOPS = 100000 };

static int child(const char *name, unsigned long loops)
{
    unsigned value = 1;
    for (int step = 1; step <= STEPS; step++) {
        for (unsigned long i = 0; i < loops; i++)
            value = value * 1664525 + 1013904223;
        say("%s: step %d of %d, value 0x%x", name, step, STEPS, value);
    }
    return 0;
}

int main(int argc, const char *argv[])
{
    if (argc > 2)
        return child(argv[1], to_number(argv[2]));
    unsigned long loops = argc > 1 ? to_number(argv[1]) : DEFAULT_LOOPS;
    const char *text = argc > 1 ? argv[1] : "100000";
    int first = spawn("spin", (const char *const[]){"spin", "first", text, 0});
    int second = spawn("spin", (const char *const[]){"spin", "second", text, 0});
    int status = -1;
    if (first < 0 || second < 0 || wait(first, &status) != first || wait(second, &status) != second)
        fail("could not run two processes");
    say("both have done %d steps of %lu loops", STEPS, loops);
    return 0;
}
