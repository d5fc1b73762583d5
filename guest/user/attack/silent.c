/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A firewall that never answers. The deadline answers for it; with ukshm.deadline=off its first packet is asked about
 * for ever, and all others wait behind it.
 *   silent [ticks to look on, default 300]
 */
#include "attack.h"

enum { TICKS = 300 };

OBSERVABLE static void handler(struct upcall *upcall)
{
    (void)upcall;
    for (;;)
        sleep(SLEEP_FOREVER);
}

int main(int argc, char **argv)
{
    unsigned long ticks = argc > 1 ? to_number(argv[1]) : TICKS;
    int pid = fork();
    if (!pid) {
        be_called_as(ROLE_FIREWALL, handler);
        for (;;)
            sleep(SLEEP_FOREVER);
    }
    sleep(ticks);
    say("after %lu ms:", ticks);
    say_what_was_dropped();
    kill(pid);
    wait(pid, 0);
    return 0;
}
