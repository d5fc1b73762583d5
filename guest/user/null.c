/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The oldest mistake: follows a pointer that points nowhere. Page 0 is never mapped, so the CPU notices. */
#include "ulib.h"

static int *volatile nowhere;

int main(void)
{
    say("following a null pointer");
    say("it led to %d: nothing noticed", *nowhere);
    return 0;
}
