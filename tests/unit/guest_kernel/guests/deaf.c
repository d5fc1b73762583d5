/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Has a socket at port 7 and never asks what came. */
#include "ulib.h"

int main(void)
{
    char nothing;
    int s = socket();
    say("port 7: %d", bind(s, 7));
    read(open("/dev/link", O_RDONLY), &nothing, 1);
    return 0;
}
