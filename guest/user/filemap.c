/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file as memory: its pages come when they are touched, are shared with all who map it, and are never written. */
#include "ulib.h"

enum { BYTES = 3 * PAGE, MARK = '!' };

static unsigned char buffer[BYTES];

static unsigned long differences(const unsigned char *memory)
{
    unsigned long count = 0;
    for (int i = 0; i < BYTES; i++)
        count += memory[i] != buffer[i];
    return count;
}

static unsigned char *map(int file, unsigned long offset, int protection)
{
    unsigned char *memory = mmap_file(file, offset, BYTES, protection);
    if (is_error(memory))
        fail("mmap: error %ld", (long)memory);
    return memory;
}

int main(void)
{
    int file = open("firewall", O_RDONLY), status = -1;
    for (int i = 0; i < BYTES / PAGE; i++)
        if (read(file, buffer + i * PAGE, PAGE) != PAGE)
            fail("read: the file is too short");
    unsigned char *first = map(file, 0, PROT_READ), *mine = map(file, 0, PROT_READ | PROT_WRITE);
    say("mapped, and not closed: %lu bytes differ from what read gave", differences(first));
    close(file);
    mine[PAGE] = MARK;
    say("closed, and a byte of my copy changed: %lu differ in mine, %lu in the file", differences(mine),
        differences(first));
    int pid = fork();
    if (!pid) {
        mine[0] = MARK;
        say("child: %lu differ in mine", differences(mine));
        *first = MARK;
        say("child: wrote to a file, WRONG");
        return 1;
    }
    wait(pid, &status);
    say("the child, which wrote to the file, has status %d; %lu differ in mine", status, differences(mine));

    file = open("firewall", O_RDONLY);
    const unsigned char *second_page = map(file, PAGE, PROT_READ);
    bool same = second_page[0] == first[PAGE];
    say("from the second page on: it begins as page 1 of the other %s", same ? "does" : "WRONG");
    say("offset in mid-page: error %ld", (long)mmap_file(file, 100, PAGE, PROT_READ));
    say("offset behind the end: error %ld", (long)mmap_file(file, 1ul << 30, PAGE, PROT_READ));
    say("a piece cut out: %d; what is left: %d", munmap(first + PAGE, PAGE), first[0] == buffer[0]);
    return 0;
}
