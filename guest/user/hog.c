/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory is promised freely and paid for at the first touch. A child touches more than there is: when nothing can be
 * taken from anybody any more, the kernel ends one process, and all others go on.
 */
#include "ulib.h"

enum { PAGES_KEPT = 64, PAGES_WANTED = 16384, WORDS = PAGE / sizeof(unsigned long) };

/* Twice what a machine of 32 MiB has; a smaller request if the kernel says that so much can never be. */
static void child(void)
{
    unsigned long pages = PAGES_WANTED;
    unsigned char *memory;
    while (is_error(memory = mmap(pages * PAGE, PROT_READ | PROT_WRITE)) && pages > 1)
        pages /= 2;
    for (;;)
        for (unsigned long i = 0; i < pages; i++)
            memory[i * PAGE]++;
}

int main(void)
{
    unsigned long *kept = mmap(PAGES_KEPT * PAGE, PROT_READ | PROT_WRITE), wrong = 0;
    int status = -1;
    if (is_error(kept))
        fail("no memory: error %ld", (long)kept);
    for (unsigned long i = 0; i < PAGES_KEPT; i++)
        kept[i * WORDS] = i;
    int pid = fork();
    if (!pid)
        child();
    if (wait(pid, &status) != pid)
        fail("WRONG: no such child");
    say("the hog ended with status %d", status);
    for (unsigned long i = 0; i < PAGES_KEPT; i++)
        wrong += kept[i * WORDS] != i;
    say("of my %d pages %lu have changed", PAGES_KEPT, wrong);
    pid = spawn("hello", 0);
    say("another process: %s", pid > 0 && wait(pid, &status) == pid && !status ? "runs" : "WRONG");
    return 0;
}
