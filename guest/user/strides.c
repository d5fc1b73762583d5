/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads one byte of each of n pages that lie d pages apart, in four rounds: how far does the TLB reach, and which pages
 * are in each other's way?
 *   strides [n d]..., default 16 1
 */
#include "ulib.h"

enum { ROUNDS = 4, PAGES = 16, SPACE = 24 << 20 };

volatile unsigned char *memory;
unsigned long pages = PAGES, distance = 1;

OBSERVABLE static void run_round(void)
{
    const volatile unsigned char *at = memory;
    for (unsigned long i = 0; i < pages; i++, at += distance * PAGE)
        (void)*at;
}

/* The first store to a page brings it; what has been touched stays. */
static void touch(void)
{
    if (!pages || pages * distance > SPACE / PAGE)
        fail("%lu pages, %lu apart: give at least one, and no more than fit into %d bytes", pages, distance, SPACE);
    for (unsigned long i = 0; i < pages; i++)
        memory[i * distance * PAGE] = 1;
}

static void strides(void)
{
    touch();
    for (int i = 0; i < ROUNDS; i++)
        run_round();
    say("%d rounds over %lu pages, %lu apart", ROUNDS, pages, distance);
}

int main(int argc, const char *argv[])
{
    memory = mmap(SPACE, PROT_READ | PROT_WRITE);
    if (is_error((void *)memory))
        fail("no memory: error %ld", (long)memory);
    if (argc < 3)
        strides();
    for (int i = 1; i + 1 < argc; i += 2) {
        pages = to_number(argv[i]);
        distance = to_number(argv[i + 1]);
        strides();
    }
    return 0;
}
