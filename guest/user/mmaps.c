/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mmap and munmap: first fit, zeroed frames, split areas, and memory that runs out in order. */
#include "ulib.h"

enum { AREAS_TRIED = 64 };

static unsigned char *get(unsigned long pages)
{
    unsigned char *start = mmap(pages * PAGE, PROT_READ | PROT_WRITE);
    if (is_error(start))
        fail("mmap of %lu pages: error %ld", pages, (long)start);
    return start;
}

static void must_be_zero(const unsigned char *start, unsigned long bytes)
{
    for (unsigned long i = 0; i < bytes; i++)
        if (start[i])
            fail("old data at %p", start + i);
}

static void let_go(void *start, unsigned long pages)
{
    if (munmap(start, pages * PAGE))
        fail("munmap at %p", start);
}

int main(void)
{
    unsigned char *three = get(3);
    say("three pages at %p", three);
    must_be_zero(three, 3 * PAGE);
    memset(three, 0xaa, 3 * PAGE);
    let_go(three + PAGE, 1);
    unsigned char *two = get(2), *one = get(1);
    say("two pages do not fit the hole: %p", two);
    say("one page does: %p", one);
    must_be_zero(one, PAGE);
    say("and it is zero again");
    if (three[PAGE - 1] != 0xaa || three[2 * PAGE] != 0xaa)
        fail("the neighbours of the hole changed");
    let_go(three, 3);                       /* three areas by now, in one call */
    let_go(two, 2);
    say("all given back: the next page is at %p", get(1));

    int areas = 0;
    while (areas < AREAS_TRIED && !is_error(mmap(PAGE, PROT_READ)))
        areas++;
    say("%s", areas < AREAS_TRIED ? "a process may have only so many areas" : "no limit of areas was met");
    return 0;
}
