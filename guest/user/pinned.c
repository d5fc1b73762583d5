/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages shared with the kernel must stay where they are, for the kernel has noted where that is. This program fills
 * its window, makes memory scarce, and lets the kernel read the window by its own address.
 *   pinned [shared pages, default 4] [pages of pressure, default 1000] [rounds, default 2]
 */
#include "ulib.h"

enum { SHARED = 4, PRESSURE = 1000, ROUNDS = 2 };

unsigned char *window;
unsigned long length;

static void fill_window(void)
{
    for (unsigned long i = 0; i < length; i++)
        window[i] = (unsigned char)(i * 7 + i / PAGE);
}

/* As the kernel counts it. */
OBSERVABLE static unsigned checksum(void)
{
    unsigned sum = 1;
    for (unsigned long i = 0; i < length; i++)
        sum = sum * 31 + window[i];
    return sum;
}

OBSERVABLE static void make_memory_scarce(unsigned long pages, unsigned long rounds)
{
    unsigned char *memory = mmap(pages * PAGE, PROT_READ | PROT_WRITE);
    if (is_error(memory))
        fail("%lu pages: error %ld", pages, (long)memory);
    for (; rounds; rounds--)
        for (unsigned long i = 0; i < pages; i++)
            memory[i * PAGE] = 'x';
    munmap(memory, pages * PAGE);
}

int main(int argc, const char *argv[])
{
    unsigned long shared = argc > 1 ? to_number(argv[1]) : SHARED, pressure = argc > 2 ? to_number(argv[2]) : PRESSURE;
    unsigned long rounds = argc > 3 ? to_number(argv[3]) : ROUNDS;
    window = ukshm_register(ROLE_BUFFER, 0, 0, shared, UKSHM_VERSION);
    if (is_error(window))
        fail("the kernel refused to share %lu pages (error %ld)", shared, (long)window);
    length = shared * PAGE;
    fill_window();
    say("the kernel reads what I wrote: %s", ukshm_ack(0, length, 0) == checksum() ? "yes" : "NO");
    make_memory_scarce(pressure, rounds);
    say("and after memory was scarce: %s", ukshm_ack(0, length, 0) == checksum()
        ? "yes" : "NO, its pointers lead to somebody else's bytes");
    return 0;
}
