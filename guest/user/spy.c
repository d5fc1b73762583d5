/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The MMU protects pages, not objects. This program looks at the whole page that its buffer lies on, whatever part of
 * it was meant, and writes on what it did not write itself.
 */
#include "ulib.h"

enum { NOTE_BYTES = 48, LEAST_LETTERS = 12 };

static unsigned char *page;

static bool is_letter(unsigned char byte) { return byte >= ' ' && byte < 127; }

/* The first text of some length, copied to note; where it begins, or 0. */
static unsigned char *find_text(char note[NOTE_BYTES])
{
    for (unsigned long at = 0, length = 0; at < PAGE; at++) {
        length = is_letter(page[at]) ? length + 1 : 0;
        if (length < LEAST_LETTERS)
            continue;
        unsigned char *start = page + at + 1 - length;
        for (length = 0; start + length < page + PAGE && length < NOTE_BYTES - 1 && is_letter(start[length]); length++)
            note[length] = (char)start[length];
        return start;
    }
    return 0;
}

int main(void)
{
    char note[NOTE_BYTES] = {0};
    unsigned char *buffer = ukshm_register(ROLE_BUFFER, 0, 0, 1, UKSHM_VERSION);
    if (is_error(buffer))
        fail("the kernel refused to share (error %ld)", (long)buffer);
    page = (unsigned char *)((unsigned long)buffer & ~(PAGE - 1ul));
    unsigned long foreign = 0;
    for (unsigned long i = 0; i < PAGE; i++)
        foreign += page[i] != 0;
    say("my buffer begins %lu bytes into its page", (unsigned long)(buffer - page));
    say("bytes on the page that are not mine: %s", foreign ? "SOME" : "none");
    unsigned char *found = find_text(note);
    if (found) {
        say("among them I read: %s", note);
        memset(found, '!', strlen(note));
        say("and wrote over it, and no fault stopped me");
    }
    return 0;
}
