/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A reader that does not give up: stubborn NAME [kill]. Reads a page at a time, tells of each error, and tries again
 * from where it stood, three times. With "kill", the driver is killed behind the first page.
 */
#include "ulib.h"

enum { DRIVER = 2, TRIES = 3 };

static unsigned char bytes[PAGE];

int main(int argc, const char *argv[])
{
    int file = open(argv[1], O_RDONLY), errors = 0;
    unsigned long total = 0, sum = 0;
    for (long count; errors < TRIES;) {
        count = file < 0 ? file : read(file, bytes, sizeof bytes);
        if (!count)
            break;
        if (count < 0) {
            say("at %lu: error %ld", total, count);
            errors++;
            file = file < 0 ? open(argv[1], O_RDONLY) : file;
            continue;
        }
        for (long i = 0; i < count; i += 64)
            sum += bytes[i];
        total += (unsigned long)count;
        if (argc > 2)
            say("kill %d", kill(DRIVER));
    }
    say("%lu bytes, sum %lu", total, sum);
    return 0;
}
