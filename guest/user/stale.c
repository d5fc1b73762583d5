/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The TLB is filled by the CPU on its own; it is not emptied on its own. This program keeps a pointer too long. */
#include "ulib.h"

unsigned char *window;

OBSERVABLE static void write_while_shared(void) { *(volatile unsigned char *)window = 'a'; }
OBSERVABLE static void write_too_late(void) { *(volatile unsigned char *)window = 'b'; }

int main(void)
{
    window = ukshm_register(ROLE_BUFFER, 0, 0, 1, UKSHM_VERSION);
    if (is_error(window))
        fail("the kernel refused to share a page (error %ld)", (long)window);
    write_while_shared();
    ukshm_unregister();
    write_too_late();
    say("the page is the kernel's again, and I have written to it: DAMAGE");
    return 0;
}
