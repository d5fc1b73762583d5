/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A benchmark loop: follows pointers through 1024 pages in a scrambled order. chase [steps, default 100000] */
#include "ulib.h"

enum { PAGES = 1024, STRIDE = 643, DEFAULT_STEPS = 100000 };     /* the stride is odd, so every page is visited */

struct link { struct link *next; };

static struct link *start_of(unsigned char *memory, unsigned long number)
{
    return (struct link *)(memory + number * PAGE + number % 64 * 64);
}

static struct link *follow(struct link *at, unsigned long steps)
{
    while (steps--)
        at = at->next;
    return at;
}

int main(int argc, const char *argv[])
{
    unsigned long steps = argc > 1 ? to_number(argv[1]) : DEFAULT_STEPS;
    unsigned char *memory = mmap(PAGES * PAGE, PROT_READ | PROT_WRITE);
    if (is_error(memory))
        fail("no memory for %d pages", PAGES);
    for (unsigned long i = 0; i < PAGES; i++)
        start_of(memory, i)->next = start_of(memory, (i + STRIDE) % PAGES);
    const struct link *end = follow(start_of(memory, 0), steps);
    say("after %lu steps through %d pages at %p", steps, PAGES, end);
    return 0;
}
