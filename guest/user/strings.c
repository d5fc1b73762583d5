/* SPDX-License-Identifier: GPL-2.0-or-later */
/* String instructions across page boundaries, into pages that nobody has touched yet. */
#include "ulib.h"

enum { PAGES = 3, OFFSET = 100, BYTES = 2 * PAGE + 50 };

static void rep_stosb(void *to, int byte, unsigned long count)
{
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(byte) : "memory");
}

static void rep_movsb(void *to, const void *from, unsigned long count)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

static void rep_movsq_down(void *to, const void *from, unsigned long words)
{
    unsigned long *last_to = (unsigned long *)to + words - 1;
    const unsigned long *last_from = (const unsigned long *)from + words - 1;
    __asm__ volatile("std; rep movsq; cld" : "+D"(last_to), "+S"(last_from), "+c"(words) : : "memory");
}

static unsigned long sum(const unsigned char *bytes, unsigned long count)
{
    unsigned long total = 0;
    for (unsigned long i = 0; i < count; i++)
        total = total * 31 + bytes[i];
    return total;
}

int main(void)
{
    unsigned char *a = mmap(PAGES * PAGE, PROT_READ | PROT_WRITE);
    unsigned char *b = mmap(PAGES * PAGE, PROT_READ | PROT_WRITE);
    if (is_error(a) || is_error(b))
        fail("no memory");
    rep_stosb(a + OFFSET, 0x5a, BYTES);
    say("filled %d bytes across three pages, sum 0x%lx", BYTES, sum(a, PAGES * PAGE));
    for (unsigned long i = 0; i < PAGES * PAGE; i++)
        a[i] = (unsigned char)(i * 7 + i / 256);
    rep_movsb(b + 1, a, PAGES * PAGE - 1);
    bool equal = !memcmp(b + 1, a, PAGES * PAGE - 1);
    say("moved them one byte on, sum 0x%lx, %s", sum(b, PAGES * PAGE), equal ? "equal" : "WRONG");
    rep_movsq_down(b + 8, b, PAGES * PAGE / 8 - 1);
    say("moved overlapping words from the end, sum 0x%lx", sum(b, PAGES * PAGE));
    unsigned long across = 0x1122334455667788;
    memcpy(a + PAGE - 3, &across, 8);
    volatile unsigned long *straddling = (volatile unsigned long *)(a + PAGE - 3);
    *straddling += 1;
    say("a word across two pages holds 0x%lx", *straddling);
    return 0;
}
