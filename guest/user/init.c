/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first process: starts the program it was given, collects every process that ends, and ends with its status. */
#include "ulib.h"

enum { STATUS_NOT_STARTED = 127 };

int main(int argc, const char *argv[])
{
    if (argc < 2) {
        say("init: no program given (the kernel's command line wants program=NAME)");
        return STATUS_NOT_STARTED;
    }
    int program = spawn(argv[1], argv + 1);
    if (program == -ENOENT)
        say("init: there is no program '%s'", argv[1]);
    else if (program == -ENOEXEC)
        say("init: '%s' is not a program that this kernel can run (static ELF64)", argv[1]);
    else if (program < 0)
        say("init: '%s' could not be started (error %d)", argv[1], program);
    if (program < 0)
        return STATUS_NOT_STARTED;

    int status, result = 0;
    for (int pid; (pid = wait(-1, &status)) > 0;)
        if (pid == program)
            result = status;
    return result;
}
