/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two processes change the same two accounts of the kernel, again and again, while memory is scarce. Each change takes
 * memory in the middle: if that could sleep, the other process would meet a sum that is wrong.
 *   ledger [pages of pressure, default 64]
 */
#include "ulib.h"

enum { PAGES = 64, TURNS = 40 };

static int lab;

OBSERVABLE static void make_memory_scarce(unsigned long pages)
{
    unsigned char *memory = mmap(pages * PAGE, PROT_READ | PROT_WRITE);
    if (is_error(memory))
        fail("%lu pages: error %ld", pages, (long)memory);
    for (unsigned long i = 0; i < pages; i++)
        memory[i * PAGE] = 'x';
}

/* Until something is wrong, or it is enough. */
OBSERVABLE static bool change_accounts(void)
{
    static const char COMMAND[] = "ledger";
    bool is_right = true;
    for (int turn = 0; is_right && turn < TURNS; turn++) {
        is_right = write(lab, COMMAND, sizeof COMMAND - 1) != -EIO;
        yield();
    }
    return is_right;
}

int main(int argc, const char *argv[])
{
    int status = -1;
    lab = open("/dev/alloc", O_WRONLY);
    if (lab < 0)
        fail("no laboratory: error %d", lab);
    make_memory_scarce(argc > 1 ? to_number(argv[1]) : PAGES);
    int pid = fork();
    bool is_right = change_accounts();
    if (!pid)
        exit(!is_right);
    wait(pid, &status);
    say("the sum of the accounts: %s", is_right && !status ? "as it must be" : "somebody saw half a change");
    return 0;
}
