/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * More memory than there is: every page is written, and later found as it was left, wherever it has been meanwhile.
 *   pressure [pages, default 4096] [rounds, default 2]
 */
#include "ulib.h"

enum { PAGES = 4096, ROUNDS = 2, WORDS = PAGE / sizeof(unsigned long) };

unsigned long *memory;

/* Two words of each page tell which page it is and what round it was last written in. */
static unsigned long check_and_write(unsigned long pages, unsigned long round)
{
    unsigned long wrong = 0;
    for (unsigned long i = 0; i < pages; i++) {
        unsigned long *page = memory + i * WORDS;
        unsigned long wanted = round ? i + 1 : 0;
        wrong += page[0] != wanted || page[WORDS - 1] != wanted * round;
        page[0] = i + 1;
        page[WORDS - 1] = (i + 1) * (round + 1);
    }
    return wrong;
}

int main(int argc, const char *argv[])
{
    unsigned long pages = argc > 1 ? to_number(argv[1]) : PAGES, rounds = argc > 2 ? to_number(argv[2]) : ROUNDS;
    memory = mmap(pages * PAGE, PROT_READ | PROT_WRITE);
    if (is_error(memory))
        fail("%lu pages: error %ld", pages, (long)memory);
    for (unsigned long round = 0; round < rounds; round++)
        say("round %lu: %lu of %lu pages are not what they were", round, check_and_write(pages, round), pages);
    return 0;
}
