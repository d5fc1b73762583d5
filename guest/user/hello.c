/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The smallest program: a line from ring 3, and its arguments. */
#include "ulib.h"

int main(int argc, const char *argv[])
{
    say("hello from ring 3");
    for (int i = 1; i < argc; i++)
        say("argument %d is '%s'", i, argv[i]);
    return 0;
}
