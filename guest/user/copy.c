/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A benchmark loop: copies 16 pages, word by word. copy [rounds, default 10] */
#include "ulib.h"

enum { PAGES = 16, WORDS = PAGES * PAGE / sizeof(unsigned long), DEFAULT_ROUNDS = 10 };

unsigned long from[WORDS], to[WORDS];

static void copy_once(void)
{
    for (unsigned long i = 0; i < WORDS; i++)
        to[i] = from[i];
}

int main(int argc, const char *argv[])
{
    unsigned long rounds = argc > 1 ? to_number(argv[1]) : DEFAULT_ROUNDS, sum = 0;
    for (unsigned long i = 0; i < WORDS; i++)
        from[i] = i * i;
    for (unsigned long round = 0; round < rounds; round++)
        copy_once();
    for (unsigned long i = 0; i < WORDS; i++)
        sum += to[i];
    say("copied %d pages %lu times, sum 0x%lx", PAGES, rounds, sum);
    return 0;
}
