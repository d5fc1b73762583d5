/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long does a TLB remember? As stale, it writes to a page after it has stopped being shared; but before that it
 * reads some pages of its own, which want places in the TLB too, and sleeps, so that another process runs.
 *   linger [pages [sleeps]]
 */
#include "ulib.h"

enum { PAGES_MAX = 2048 };

unsigned char *window, *memory;
unsigned long pages, sleeps, touched;

OBSERVABLE static void write_while_shared(void) { *(volatile unsigned char *)window = 'a'; }
OBSERVABLE static void write_too_late(void) { *(volatile unsigned char *)window = 'b'; }

OBSERVABLE static void read_pages(void)
{
    for (touched = 0; touched < pages; touched++)
        (void)*(volatile unsigned char *)(memory + touched * PAGE);
}

/* Pages that have to be fetched would bring the kernel into it: they shall be there before it matters. */
static void prepare(int argc, char **argv)
{
    pages = argc > 1 ? to_number(argv[1]) : 0;
    sleeps = argc > 2 ? to_number(argv[2]) : 0;
    if (pages > PAGES_MAX)
        fail("%lu pages: give at most %d", pages, PAGES_MAX);
    if (!pages)
        return;
    memory = mmap(pages * PAGE, PROT_READ | PROT_WRITE);
    if (is_error(memory))
        fail("there is no room for %lu pages (error %ld)", pages, (long)memory);
    for (unsigned long i = 0; i < pages; i++)
        memory[i * PAGE] = 'm';
}

int main(int argc, char **argv)
{
    prepare(argc, argv);
    window = ukshm_register(ROLE_BUFFER, 0, 0, 1, UKSHM_VERSION);
    if (is_error(window))
        fail("the kernel refused to share a page (error %ld)", (long)window);
    write_while_shared();
    ukshm_unregister();
    read_pages();
    for (unsigned long i = 0; i < sleeps; i++)
        sleep(1);
    write_too_late();
    say("the page is the kernel's again, and I have written to it: DAMAGE");
    return 0;
}
