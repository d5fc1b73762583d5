/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads one byte of each of n pages that lie d pages apart, three rounds each: how far does the TLB reach, and which
 * pages are in each other's way?
 *   strides [n d]..., default 16 1
 */
#include "ulib.h"

enum { ROUNDS = 3, PAGES = 16 };

static volatile unsigned char *memory;
unsigned long pages = PAGES, distance = 1;

OBSERVABLE static void run_round(void)
{
    const volatile unsigned char *at = memory;
    for (unsigned long i = 0; i < pages; i++, at += distance * PAGE)
        (void)*at;
}

static void strides(void)
{
    unsigned long bytes = pages * distance * PAGE;
    memory = mmap(bytes, PROT_READ | PROT_WRITE);
    if (!pages || is_error((void *)memory))
        fail("%lu pages, %lu apart: error %ld", pages, distance, (long)memory);
    for (unsigned long i = 0; i < pages; i++)
        memory[i * distance * PAGE] = 1;
    for (int i = 0; i < ROUNDS; i++)
        run_round();
    say("%d rounds over %lu pages, %lu apart", ROUNDS, pages, distance);
    munmap((void *)memory, bytes);
}

int main(int argc, const char *argv[])
{
    if (argc < 3)
        strides();
    for (int i = 1; i + 1 < argc; i += 2) {
        pages = to_number(argv[i]);
        distance = to_number(argv[i + 1]);
        strides();
    }
    return 0;
}
