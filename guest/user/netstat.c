/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waits until the network has ended, then says what the kernel counted: /proc/net, line by line. */
#include "ulib.h"

int main(void)
{
    char nothing, line[160];
    int link = open("/dev/link", O_RDONLY);
    if (link < 0 || read(link, &nothing, 1))
        fail("/dev/link: no end of the network to wait for");
    int text = open("/proc/net", O_RDONLY);
    if (text < 0)
        fail("/proc/net: error %d", text);
    while (read_line(text, line, sizeof line) > 0)
        say("%s", line);
    return 0;
}
