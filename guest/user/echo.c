/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Says what is typed, line by line, until an empty line or "quit". */
#include "ulib.h"

int main(void)
{
    char line[80];
    for (;;) {
        long length = read_line(0, line, sizeof line);
        if (length <= 0 || !strcmp(line, "quit"))
            break;
        say("you typed '%s'", line);
    }
    say("goodbye");
    return 0;
}
