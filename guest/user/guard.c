/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A recursion without an end. The page below the stack is kept unmapped, so the program is stopped there before it
 * can reach anything else.
 */
#include "ulib.h"

enum { FRAME_BYTES = PAGE / 2 };

/* Every depth writes to its own part of the stack, so no page is jumped over. */
OBSERVABLE static int dive(int depth)
{
    volatile char here[FRAME_BYTES];
    here[0] = (char)depth;
    return depth ? dive(depth + 1) + here[0] : 0;
}

int main(void)
{
    say("diving without a bottom, %d bytes of stack at a time", FRAME_BYTES);
    say("there was a bottom: %d", dive(1));
    return 1;
}
