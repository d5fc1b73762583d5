/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two processes, one linear address, two frames: each sees only what it wrote itself. */
#include "ulib.h"

enum { ROUNDS = 5 };

volatile unsigned long looks_shared;

static int child(const char *name, unsigned long value)
{
    say("%s: I write %lu at %p", name, value, &looks_shared);
    looks_shared = value;
    for (int round = 1; round <= ROUNDS; round++) {
        yield();
        if (looks_shared != value)
            fail("%s: round %d: somebody changed it to %lu", name, round, looks_shared);
    }
    say("%s: after %d rounds it still holds %lu", name, ROUNDS, looks_shared);
    return 0;
}

int main(int argc, const char *argv[])
{
    if (argc > 2)
        return child(argv[1], to_number(argv[2]));
    int left = spawn("two", (const char *const[]){"two", "left", "1111", 0});
    int right = spawn("two", (const char *const[]){"two", "right", "2222", 0});
    int left_status = -1, right_status = -1;
    if (left < 0 || right < 0 || wait(left, &left_status) != left || wait(right, &right_status) != right)
        fail("could not run two processes");
    say("both have ended, with status %d and %d", left_status, right_status);
    return left_status || right_status;
}
