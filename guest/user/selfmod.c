/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Code that changes itself, on a page that is writable and executable. */
#include "ulib.h"

enum { ROUNDS = 5, VALUE_OFFSET = 1 };

static const unsigned char return_number[] = {0xb8, 0, 0, 0, 0, 0xc3};     /* mov $0, %eax; ret */

int main(void)
{
    unsigned char *code = mmap(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
    if (is_error(code))
        fail("no writable and executable page");
    memcpy(code, return_number, sizeof return_number);
    for (int round = 1; round <= ROUNDS; round++) {
        code[VALUE_OFFSET] = (unsigned char)(round * 10);
        int result = ((int (*)(void))code)();
        if (result != round * 10)
            fail("wrote %d into the instruction, it returned %d", round * 10, result);
    }
    say("rewrote one instruction %d times, and the new one ran each time", ROUNDS);
    return 0;
}
