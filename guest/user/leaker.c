/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A page that was the kernel's a moment ago: what of it is left when it is shared? A child lives and ends, so that its
 * page tables and its kernel stack come back; then the windows are looked at, byte by byte.
 */
#include "ulib.h"

enum { PAGES = 16 };

/* As every address of the kernel does. */
static bool looks_like_kernel_address(unsigned long word) { return word >> 47 == 0x1ffff; }

/* Reads the file that shows all processes, twice: texts of the kernel lie in a page that then comes back. */
static void leave_traces(void)
{
    int status, pid = spawn("hello", 0);
    if (pid < 0 || wait(pid, &status) != pid)
        fail("no child: error %d", pid);
    close(open("/proc/processes", O_RDONLY));
}

int main(void)
{
    leave_traces();
    unsigned char *window = ukshm_register(ROLE_BUFFER, 0, 0, PAGES, UKSHM_VERSION);
    if (is_error(window))
        fail("the kernel refused to share (error %ld)", (long)window);
    unsigned long bytes = 0, addresses = 0;
    for (unsigned long i = 0; i < PAGES * PAGE; i++)
        bytes += window[i] != 0;
    for (unsigned long i = 0; i < PAGES * PAGE; i += sizeof(unsigned long))
        addresses += looks_like_kernel_address(*(unsigned long *)(window + i));
    say("of %d fresh bytes %lu were not zero", PAGES * PAGE, bytes);
    say("words that look like addresses of the kernel: %lu", addresses);
    say("old data of the kernel: %s", bytes ? "READABLE" : "none");
    return 0;
}
