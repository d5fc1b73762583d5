/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lets each packet pass, unchanged; and writes to it when it is the kernel's again, on its way to the card. Nothing
 * maps the page any more; but with ukshm.invalidate=none the TLB still knows the way.
 */
#include "attack.h"

static unsigned char *volatile victim;

OBSERVABLE static void handler(struct upcall *upcall)
{
    unsigned char *payload = (unsigned char *)upcall->address + UDP_PAYLOAD;
    *(volatile unsigned char *)payload = *payload;      /* the same byte: A and D are set, and stay so in the TLB */
    if (upcall->operation == HOOK_POSTROUTING)
        victim = payload;
    ukshm_ack(upcall->id, upcall->length, ACCEPT);
}

static char word[] = "GHOST";

OBSERVABLE static void haunt(unsigned char *payload)
{
    memcpy(payload, word, 5);          /* at once: the card takes the packet in 20 us */
    say("I wrote to a packet that I had let go, and no fault stopped me");
}

int main(void)
{
    word[0] = 'G';                      /* its page must be there: no fault shall cost time later */
    be_called_as(ROLE_FIREWALL, handler);
    while (!victim)
        sleep(SLEEP_FOREVER);
    haunt(victim);
    wait_for_the_end();
    return 0;
}
