/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads one word of each of n pages, round after round. As long as n entries fit into the TLB, only the first round
 * misses; look at the counters with n a little below and above what it holds.
 *   reach [pages, default 64] [rounds, default 10]
 */
#include "ulib.h"

enum { PAGES = 64, ROUNDS = 10 };

volatile unsigned char *memory;

OBSERVABLE static void stride(unsigned long pages)
{
    for (unsigned long i = 0; i < pages; i++)
        (void)memory[i * PAGE];
}

int main(int argc, const char *argv[])
{
    unsigned long pages = argc > 1 ? to_number(argv[1]) : PAGES, rounds = argc > 2 ? to_number(argv[2]) : ROUNDS;
    memory = mmap(pages * PAGE, PROT_READ | PROT_WRITE);
    if (is_error((void *)memory))
        fail("%lu pages: error %ld", pages, (long)memory);
    for (unsigned long i = 0; i < pages; i++)
        memory[i * PAGE] = 1;
    for (unsigned long round = 0; round < rounds; round++)
        stride(pages);
    say("%lu rounds over %lu pages", rounds, pages);
    return 0;
}
