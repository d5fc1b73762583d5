/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Children that each share pages with the kernel and keep them, one more and one more, until there are no more to be
 * had. What is left for the others?
 *   hoard [children at most, default 3] [pages of each, default 64] [ordinary pages for one more, default 200]
 */
#include "ulib.h"

enum { CHILDREN = 3, CHILDREN_MAX = 28, PAGES = 64, ORDINARY = 200 };

/* A word that parent and child share: what the last request came to. */
static volatile long *answer;
unsigned long have;

static void hoard(unsigned long pages)
{
    void *window = ukshm_register(ROLE_BUFFER, 0, 0, pages, UKSHM_VERSION);
    *answer = is_error(window) ? (long)window : 1;
    sleep(SLEEP_FOREVER);
    exit(0);
}

OBSERVABLE static int use_ordinary_memory(unsigned long pages)
{
    int status = -1, pid = fork();
    if (!pid) {
        unsigned char *memory = mmap(pages * PAGE, PROT_READ | PROT_WRITE);
        for (unsigned long i = 0; !is_error(memory) && i < pages; i++)
            memory[i * PAGE] = 'x';
        exit(is_error(memory));
    }
    return pid < 0 || wait(pid, &status) != pid ? -1 : status;
}

int main(int argc, const char *argv[])
{
    unsigned long children = argc > 1 ? to_number(argv[1]) : CHILDREN, pages = argc > 2 ? to_number(argv[2]) : PAGES;
    unsigned long ordinary = argc > 3 ? to_number(argv[3]) : ORDINARY, made = 0;
    int pids[CHILDREN_MAX], status;
    answer = mmap_shared(PAGE, PROT_READ | PROT_WRITE);
    if (is_error((void *)answer) || children > CHILDREN_MAX)
        fail("at most %d children", CHILDREN_MAX);
    do {
        *answer = 0;
        pids[made] = fork();
        if (!pids[made])
            hoard(pages);
        if (pids[made] < 0)
            *answer = pids[made];
        else
            made++;
        while (!*answer)
            sleep(1);
        have += *answer > 0;
    } while (made < children && *answer > 0);
    say("%lu children have %lu shared pages each; the last answer was %ld", have, pages, *answer);
    say("a child with %lu ordinary pages: status %d", ordinary, use_ordinary_memory(ordinary));
    while (made--)
        if (!kill(pids[made]))
            wait(pids[made], &status);
    say("after they have ended: status %d", use_ordinary_memory(ordinary));
    return 0;
}
