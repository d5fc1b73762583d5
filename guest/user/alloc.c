/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hands its arguments to the allocators' laboratory, one command each ('_' stands for a blank), and says the answers. */
#include "ulib.h"

enum { COMMAND_MAX = 64 };

int main(int argc, const char *argv[])
{
    int lab = open("/dev/alloc", O_WRONLY);
    if (lab < 0)
        fail("no laboratory: error %d", lab);
    for (int i = 1; i < argc; i++) {
        char command[COMMAND_MAX];
        size_t length = 0;
        for (; argv[i][length] && length < sizeof command; length++)
            command[length] = argv[i][length] == '_' ? ' ' : argv[i][length];
        say("%s: %ld", argv[i], write(lab, command, length));
    }
    return 0;
}
