/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that stays shared after fork: two processes, two entries, one frame. And memory that does not. */
#include "ulib.h"

struct meeting {
    volatile int turn;              /* whose it is: 0 parent, 1 child */
    volatile unsigned long sum;
};

enum { ROUNDS = 5 };

static struct meeting *shared_page;
static volatile unsigned long private_sum;

static void take_turns(int me)
{
    for (int round = 0; round < ROUNDS; round++) {
        while (shared_page->turn != me)
            yield();
        shared_page->sum += me ? 10 : 1;
        private_sum += 1;
        shared_page->turn = !me;
    }
}

int main(void)
{
    int status = -1;
    shared_page = mmap_shared(2 * PAGE, PROT_READ | PROT_WRITE);
    if (is_error(shared_page))
        fail("no shared memory (error %ld)", (long)shared_page);
    int pid = fork();
    if (!pid) {
        take_turns(1);
        say("child: %lu on the shared page, %lu of my own", shared_page->sum, private_sum);
        return 3;
    }
    take_turns(0);
    if (wait(pid, &status) != pid)
        fail("the child is gone");
    say("parent: %lu on the shared page, %lu of my own, the child's status %d", shared_page->sum, private_sum, status);
    say("the other page, untouched by both, holds %d", ((unsigned char *)shared_page)[PAGE]);
    return 0;
}
