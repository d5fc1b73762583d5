/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory is promised first and comes when it is touched. Then a fork, which copies promises and no bytes. Each access
 * is a function of its own, so that one can stop there.
 */
#include "ulib.h"

enum { PAGES = 4, FROM_PARENT = 'p', FROM_CHILD = 'c' };

unsigned char *memory;

OBSERVABLE static void first_touch(void) { *(volatile unsigned char *)memory = FROM_PARENT; }
OBSERVABLE static void second_touch(void) { *(volatile unsigned char *)memory = FROM_PARENT; }
OBSERVABLE static void touch_after_miss(void) { *(volatile unsigned char *)memory = FROM_PARENT; }
OBSERVABLE static unsigned char childs_look(void) { return *(volatile unsigned char *)memory; }
OBSERVABLE static void childs_write(void) { *(volatile unsigned char *)memory = FROM_CHILD; }
OBSERVABLE static void parents_write(void) { *(volatile unsigned char *)(memory + 1) = FROM_PARENT; }

static int child(void)
{
    unsigned char before = childs_look();
    childs_write();
    say("child: I read %c, wrote %c, and read %c", before, FROM_CHILD, childs_look());
    return 0;
}

int main(void)
{
    int status = -1;
    memory = mmap(PAGES * PAGE, PROT_READ | PROT_WRITE);
    if (is_error(memory))
        fail("no memory: error %ld", (long)memory);
    first_touch();
    second_touch();
    touch_after_miss();
    int pid = fork();
    if (pid < 0)
        fail("fork: error %d", pid);
    if (!pid)
        return child();
    if (wait(pid, &status) != pid || status)
        fail("the child ended with status %d", status);
    parents_write();
    say("parent: I read %c still", memory[0]);
    return 0;
}
