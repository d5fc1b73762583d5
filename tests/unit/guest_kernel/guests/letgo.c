/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared memory is let go of while the kernel writes it to the disk: a child maps it, touches it and unmaps it after
 * more and more yields, and its parent keeps memory scarce.
 *   letgo [pages of pressure] [rounds of the child]
 */
#include "ulib.h"

enum { SHARED = 200, STEP = 60 };

static void map_and_let_go(unsigned long rounds)
{
    for (unsigned long round = 1; round <= rounds; round++) {
        unsigned char *memory = mmap_shared(SHARED * PAGE, PROT_READ | PROT_WRITE);
        for (int i = 0; !is_error(memory) && i < SHARED; i++)
            memory[i * PAGE] = 's';
        for (unsigned long i = 0; i < round * STEP; i++)
            yield();
        if (!is_error(memory))
            munmap(memory, SHARED * PAGE);
    }
}

int main(int argc, const char *argv[])
{
    if (argc < 3)
        fail("how many pages, how many rounds?");
    unsigned long pages = to_number(argv[1]), rounds = to_number(argv[2]), wrong = 0;
    unsigned long *memory = mmap(pages * PAGE, PROT_READ | PROT_WRITE);
    int status, pid = fork();
    if (!pid) {
        map_and_let_go(rounds);
        return 0;
    }
    for (int round = 0; round < 2; round++)
        for (unsigned long i = 0; i < pages; i++) {
            unsigned long *word = memory + i * (PAGE / sizeof *memory);
            wrong += *word != (round ? i : 0);
            *word = i;
        }
    wait(pid, &status);
    say("%lu wrong, the child's status %d", wrong, status);
    return 0;
}
