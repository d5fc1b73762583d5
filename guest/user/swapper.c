/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shares a page with the kernel, uses more memory than there is, and looks at some of its pages again, evenly spread.
 * The kernel has noted where the shared page is: is it still there?
 *   swapper [pages, default 64] [pages to look at again, default 4] [pages used before the sharing, default 0]
 */
#include "ulib.h"

enum { PAGES = 64, AGAIN = 4, WORDS = PAGE / sizeof(unsigned long), LETTER = 's' };

unsigned char *window;
unsigned long *memory;
volatile unsigned long wrong;

/* A byte of my own is enough: the kernel has cleared the rest. */
static void fill_window(void) { *(volatile unsigned char *)window = LETTER; }

OBSERVABLE static long kernel_reads(void) { return ukshm_ack(0, PAGE, 0); }

static void write_words(unsigned long pages)
{
    for (unsigned long i = 0; i < pages; i++)
        memory[i * WORDS] = i + 1;
}

OBSERVABLE static void use_memory(unsigned long pages) { write_words(pages); }

OBSERVABLE static void look_again(unsigned long page)
{
    wrong += ((volatile unsigned long *)memory)[page * WORDS] != page + 1;
}

int main(int argc, const char *argv[])
{
    unsigned long pages = argc > 1 ? to_number(argv[1]) : PAGES, again = argc > 2 ? to_number(argv[2]) : AGAIN;
    memory = mmap(pages * PAGE, PROT_READ | PROT_WRITE);
    if (is_error(memory))
        fail("%lu pages: error %ld", pages, -(long)memory);
    write_words(argc > 3 ? to_number(argv[3]) : 0);
    window = ukshm_register(ROLE_BUFFER, 0, 0, 1, UKSHM_VERSION);
    if (is_error(window))
        fail("the kernel refused to share: error %ld", -(long)window);
    fill_window();
    long before = kernel_reads();
    use_memory(pages);
    for (unsigned long i = 0; i < again; i++)
        look_again(i * pages / again);
    say("of %lu pages %lu are not what they were", again, wrong);
    say("the kernel reads the shared page: %s", kernel_reads() == before ? "as before" : "OTHER BYTES THAN BEFORE");
    return 0;
}
