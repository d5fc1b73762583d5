/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Three bytes in 16 MiB of addresses. No page of it is there before it is touched; a walk has to find those that are. */
#include "ulib.h"

enum { SPACE = 16 << 20, LARGE = 2 << 20 };

volatile unsigned char *byte;       /* written before the lesson looks */
volatile unsigned char *fresh;      /* one page on: another entry of the same page table */
volatile unsigned char *elsewhere;  /* 2 MiB on: a page table of its own */

OBSERVABLE static unsigned char read_byte(void) { return *byte; }
OBSERVABLE static unsigned char read_fresh(void) { return *fresh; }
OBSERVABLE static void write_fresh(void) { *fresh = 'F'; }
OBSERVABLE static void write_elsewhere(void) { *elsewhere = 'E'; }

int main(void)
{
    unsigned char *space = mmap(SPACE, PROT_READ | PROT_WRITE);
    if (is_error(space))
        fail("no room for %d bytes of addresses: error %ld", SPACE, (long)space);
    byte = space + 5 * LARGE + 0xc5 * PAGE + 0x7e1;
    fresh = byte + PAGE;
    elsewhere = byte + LARGE;
    *byte = 'B';
    unsigned char first = read_byte(), untouched = read_fresh();
    write_fresh();
    write_fresh();
    write_elsewhere();
    say("I read %c, then %c; what nobody had written was %d", first, read_byte(), untouched);
    return 0;
}
