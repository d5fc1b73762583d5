/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a program finds of a network where there is none. */
#include "ulib.h"

int main(void)
{
    char line[80];
    say("socket: %d", socket());
    say("the end of the network: %ld", read(open("/dev/link", O_RDONLY), line, 1));
    read_line(open("/proc/net", O_RDONLY), line, sizeof line);
    say("what was counted: %s", line);
    return 0;
}
