/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loops for ever: only a kill or the end of the instruction budget stops it. */
#include "ulib.h"

int main(void)
{
    say("looping for ever");
    for (;;)
        __asm__ volatile("");
}
