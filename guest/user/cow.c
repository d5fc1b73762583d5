/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fork copies nothing: parent and child share every frame until one of them writes to it. */
#include "ulib.h"

enum { PAGES = 4, CHILD_WRITES = 2, FROM_PARENT = 'p', FROM_CHILD = 'c' };

unsigned char *memory;              /* PAGES pages, touched before the fork */
static unsigned long counter = 1;   /* in .data */

static unsigned long count(unsigned char byte)
{
    unsigned long found = 0;
    for (unsigned long i = 0; i < PAGES * PAGE; i++)
        found += memory[i] == byte;
    return found;
}

OBSERVABLE static void child_writes(void)
{
    for (int i = 0; i < CHILD_WRITES; i++)
        memory[i * PAGE] = FROM_CHILD;
    counter++;
}

static int child(void)
{
    say("child: I see %lu bytes of my parent's", count(FROM_PARENT));
    child_writes();
    say("child: after my writes %lu are left to me, counter %lu", count(FROM_PARENT), counter);
    return 0;
}

/* Another child, which ends at once. */
static int briefly(void)
{
    int pid = fork(), status;
    if (!pid)
        exit(0);
    memory[0]++;
    return wait(pid, &status) == pid ? status : -1;
}

int main(void)
{
    int status = -1;
    memory = mmap(PAGES * PAGE, PROT_READ | PROT_WRITE);
    if (is_error(memory))
        fail("no memory");
    memset(memory, FROM_PARENT, PAGES * PAGE);
    int pid = fork();
    if (pid < 0)
        fail("fork: error %d", pid);
    if (!pid)
        return child();
    if (wait(pid, &status) != pid || status)
        fail("the child ended with status %d", status);
    say("parent: all %lu bytes are mine still, counter %lu", count(FROM_PARENT), counter);
    say("parent: a child that ends at once leaves status %d", briefly());
    return 0;
}
