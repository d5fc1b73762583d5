/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes all the memory there is. What then fails must fail with an error, and giving it back must help. */
#include "ulib.h"

enum { LARGEST = 1 << 18, PLACES = 20 };

static struct { void *start; unsigned long pages; } taken[PLACES];

/* The largest piece that still fits, then the next smaller one, down to single pages. */
static int take_all(void)
{
    int count = 0;
    for (unsigned long pages = LARGEST; pages; pages /= 2) {
        void *start = mmap(pages * PAGE, PROT_READ | PROT_WRITE);
        if (is_error(start))
            continue;
        taken[count].start = start;
        taken[count++].pages = pages;
    }
    return count;
}

int main(void)
{
    int count = take_all(), status = -1;
    say("%s", count ? "took what there was" : "there was no memory to take");
    say("one more page: %s", is_error(mmap(4 * PAGE, PROT_READ)) ? "refused" : "granted, WRONG");
    say("another process: error %d", spawn("hello", 0));
    say("a shared window: error %ld", (long)ukshm_register(ROLE_BUFFER, 0, 0, UKSHM_MAX_PAGES, UKSHM_VERSION));
    for (int i = 0; i < count; i++)
        if (munmap(taken[i].start, taken[i].pages * PAGE))
            fail("could not give %lu pages back", taken[i].pages);
    int pid = spawn("hello", 0);
    bool runs = pid > 0 && wait(pid, &status) == pid && !status;
    say("after giving it back, another process: %s", runs ? "runs" : "WRONG");
    return 0;
}
