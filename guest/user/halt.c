/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sleeps with nothing to wake it: the guest has no work left, and is idle for ever. */
#include "ulib.h"

int main(void)
{
    say("sleeping for ever");
    sleep(SLEEP_FOREVER);
    return 0;
}
