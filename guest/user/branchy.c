/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A benchmark loop: integers and branches, hardly any memory. branchy [iterations, default 100000] */
#include "ulib.h"

enum { DEFAULT_ITERATIONS = 100000 };

static unsigned long work(unsigned long iterations)
{
    unsigned long value = 27, peaks = 0;
    for (unsigned long i = 0; i < iterations; i++) {
        if (value & 1)
            value = 3 * value + 1;
        else
            value /= 2;
        if (value > 9000)
            peaks++;
        if (value == 1)
            value = i | 1;
    }
    return peaks * 1000003 + value;
}

int main(int argc, const char *argv[])
{
    unsigned long iterations = argc > 1 ? to_number(argv[1]) : DEFAULT_ITERATIONS;
    say("%lu iterations, result %lu", iterations, work(iterations));
    return 0;
}
