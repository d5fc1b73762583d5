/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copies a file: cp FROM TO. Only what /net/ names, and devices, can be written. */
#include "ulib.h"

static char bytes[PAGE];

static void check(const char *name, long result)
{
    if (result < 0)
        fail("cp: %s: error %ld", name, result);
}

int main(int argc, const char *argv[])
{
    if (argc != 3)
        fail("cp: give two names: from, to");
    int from = open(argv[1], O_RDONLY);
    check(argv[1], from);
    int to = open(argv[2], O_WRONLY);
    check(argv[2], to);
    long count, total = 0;
    while ((count = read(from, bytes, sizeof bytes)) > 0) {
        for (long done = 0, part; done < count; done += part)
            check(argv[2], part = write(to, bytes + done, (size_t)(count - done)));
        total += count;
    }
    check(argv[1], count);
    check(argv[2], close(to));
    say("%s -> %s: %ld bytes", argv[1], argv[2], total);
    return 0;
}
