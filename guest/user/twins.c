/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two pages, one letter in each, and a loop that looks at one of them again and again and writes beside the letter. */
#include "ulib.h"

enum { ROUNDS = 40 };

volatile unsigned char *letter, *twin;
volatile unsigned char seen;

OBSERVABLE static void look(void) { seen = *letter; }
OBSERVABLE static void note(unsigned char round) { letter[1] = round; }

int main(void)
{
    letter = mmap(2 * PAGE, PROT_READ | PROT_WRITE);
    if (is_error((void *)letter))
        fail("no memory: error %ld", (long)letter);
    twin = letter + PAGE;
    *letter = 'O';
    *twin = 'N';
    for (int i = 1; i <= ROUNDS; i++) {
        look();
        note((unsigned char)i);
    }
    say("the last letter I saw was %c, in round %d", seen, letter[1]);
    return 0;
}
