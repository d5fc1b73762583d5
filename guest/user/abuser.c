/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks the kernel's allocators for what they must refuse, or must do without sleeping. The last part has two
 * processes change the same two numbers of the kernel while memory is short.
 *   abuser [pages of pressure, default 0: none]
 */
#include "ulib.h"

enum { TURNS = 40 };

static int lab;

static long command(const char *text)
{
    return write(lab, text, strlen(text));
}

static void expect(const char *what, const char *text, bool (*is_right)(long))
{
    say("%s: %s", what, is_right(command(text)) ? "as it must be" : "WRONG");
}

static bool is_refused(long result) { return result == -EPERM; }
static bool is_done(long result) { return !result; }
static bool has_no_memory(long result) { return result == -ENOMEM; }
static bool is_more_than_none(long result) { return result > 0; }

static void ask_for_everything(void)
{
    expect("memory for sharing, from kmalloc", "ukshm by kmalloc", is_refused);
    expect("memory for sharing, from the frame allocator", "ukshm by frames", is_refused);
    expect("memory for sharing, from its cache", "ukshm by cache", is_refused);
    expect("memory for sharing, small", "kmalloc 100 UKSHM", is_refused);
    expect("memory for an old device", "dma transfer", is_done);
    expect("more than there can be", "frames 11 KERNEL", has_no_memory);
    expect("atomic requests, until there is none", "atomic all", is_more_than_none);
    expect("and then one that can wait", "kmalloc 3000 KERNEL", is_done);
}

OBSERVABLE static void make_memory_scarce(unsigned long pages)
{
    unsigned char *memory = mmap(pages * PAGE, PROT_READ | PROT_WRITE);
    if (is_error(memory))
        fail("%lu pages: error %ld", pages, (long)memory);
    for (unsigned long i = 0; i < pages; i++)
        memory[i * PAGE] = 'x';
}

/* Until something is wrong, or it is enough. */
static bool use_ledger(void)
{
    bool is_right = true;
    for (int turn = 0; is_right && turn < TURNS; turn++) {
        is_right = command("ledger") != -EIO;
        yield();
    }
    return is_right;
}

int main(int argc, const char *argv[])
{
    unsigned long pages = argc > 1 ? to_number(argv[1]) : 0;
    lab = open("/dev/alloc", O_WRONLY);
    if (lab < 0)
        fail("no laboratory: error %d", lab);
    ask_for_everything();
    if (pages)
        make_memory_scarce(pages);
    int pid = fork(), status;
    bool is_right = use_ledger();
    if (!pid)
        exit(!is_right);
    wait(pid, &status);
    say("two processes, one ledger: %s", is_right && !status ? "as it must be" : "one saw the other's half change");
    return 0;
}
