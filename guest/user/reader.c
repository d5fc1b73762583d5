/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a file piece by piece and says what each read came to, while a child of it takes naps: reader NAME [BYTES].
 * After an error it tries once more, by the same descriptor and by a new one.
 */
#include "ulib.h"

enum { NAP_TICKS = 10 };

static char bytes[PAGE];

static struct shared {
    volatile bool over;
    unsigned long naps;
} *shared;

/* One that has nothing to do with the file: some ticks of sleep, again and again. */
static _Noreturn void nap(void)
{
    for (; !shared->over; shared->naps++)
        sleep(NAP_TICKS);
    exit(0);
}

static void try_again(int file, const char *name, size_t size)
{
    say("the same file once more: %ld", read(file, bytes, size));
    say("opened once more: %d", open(name, O_RDONLY));
}

OBSERVABLE void read_all(const char *name, size_t size)
{
    int file = open(name, O_RDONLY);
    long count;
    if (file < 0) {
        say("open: error %d", file);
        return;
    }
    while ((count = read(file, bytes, size)) > 0)
        say("read %ld bytes", count);
    say("%s %ld", count ? "read: error" : "the end:", count);
    if (count)
        try_again(file, name, size);
    close(file);
}

int main(int argc, const char *argv[])
{
    unsigned long size = argc > 2 ? to_number(argv[2]) : sizeof bytes;
    if (argc < 2 || !size || size > sizeof bytes)
        fail("reader: give a file, and how many bytes to read at once: 1 to %d", PAGE);
    shared = mmap_shared(sizeof *shared, PROT_READ | PROT_WRITE);
    if (is_error(shared))
        fail("reader: no memory to share");
    int child = fork();
    if (!child)
        nap();
    read_all(argv[1], size);
    shared->over = true;
    wait(child, 0);
    say("meanwhile: %lu naps", shared->naps);
    return 0;
}
