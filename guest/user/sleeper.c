/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sleeps a few milliseconds at a time. sleeper [times, default 3] [milliseconds, default 5] */
#include "ulib.h"

int main(int argc, const char *argv[])
{
    unsigned long times = argc > 1 ? to_number(argv[1]) : 3, milliseconds = argc > 2 ? to_number(argv[2]) : 5;
    for (unsigned long i = 1; i <= times; i++) {
        sleep(milliseconds);
        say("awake again, %lu of %lu", i, times);
    }
    return 0;
}
