/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks at all of the page that its packet lies on. ukshm.zero=off shows it what the page held before,
 * ukshm.page_exclusive=off what else the kernel keeps there.
 */
#include "attack.h"

enum { LEAST_LETTERS = 12, NOTE_BYTES = 48 };

static unsigned long foreign, packets;
static char note[NOTE_BYTES];

static bool is_letter(unsigned char byte) { return byte >= ' ' && byte < 127; }

static void take_note(const unsigned char *text, const unsigned char *end)
{
    unsigned long length = 0;
    while (text + length < end && length < NOTE_BYTES - 1 && is_letter(text[length]))
        length++;
    if (length < LEAST_LETTERS || note[0])
        return;
    for (unsigned long i = 0; i < length; i++)
        note[i] = (char)text[i];
}

static void look_at(const unsigned char *from, const unsigned char *to)
{
    for (const unsigned char *at = from; at < to; at++) {
        foreign += *at != 0;
        take_note(at, to);
    }
}

OBSERVABLE static void handler(struct upcall *upcall)
{
    const unsigned char *packet = (unsigned char *)upcall->address;
    const unsigned char *page = (unsigned char *)(upcall->address & ~(PAGE - 1ul));
    packets++;
    look_at(page, packet);
    look_at(packet + upcall->length, page + PAGE);
    ukshm_ack(upcall->id, upcall->length, ACCEPT);
}

int main(void)
{
    be_called_as(ROLE_FIREWALL, handler);
    wait_for_the_end();
    say("I was shown packets: %s", packets ? "yes" : "no");
    say("bytes beside them that are not zero: %s", foreign ? "SOME" : "none");
    if (note[0])
        say("among them I read: %s", note);
    return 0;
}
