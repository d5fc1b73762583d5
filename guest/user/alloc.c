/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hands its arguments to the allocators' laboratory, a command each ('_' stands for a blank), and says the answers.
 *   alloc [command]...
 */
#include "ulib.h"

enum { COMMAND_MAX = 64 };

static int lab;

static void give(const char *argument)
{
    char command[COMMAND_MAX];
    size_t length = 0;
    for (; argument[length] && length < sizeof command; length++)
        command[length] = argument[length] == '_' ? ' ' : argument[length];
    say("%s: %ld", argument, write(lab, command, length));
}

int main(int argc, const char *argv[])
{
    static const char *const USUAL[] = {
        "kmalloc_100_KERNEL", "kmalloc_100_DMA", "frames_3_ATOMIC", "objects", "self-check",
    };
    lab = open("/dev/alloc", O_WRONLY);
    if (lab < 0)
        fail("no laboratory: error %d", lab);
    for (int i = 1; i < argc; i++)
        give(argv[i]);
    for (size_t i = 0; argc < 2 && i < sizeof USUAL / sizeof *USUAL; i++)
        give(USUAL[i]);
    return 0;
}
