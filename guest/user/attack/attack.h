/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the attacks on reverse syscalls share: being the firewall, and waiting for the network's end. */
#ifndef ATTACK_ATTACK_H
#define ATTACK_ATTACK_H

#include "../../include/network.h"
#include "../../include/upcall.h"
#include "../ulib.h"

enum { ATTACK_STACK = 2 * PAGE, UDP_PAYLOAD = 28, IP_SOURCE_AT = 12 };

static uint8_t attack_stack[ATTACK_STACK] __attribute__((aligned(16)));

static const uint64_t ACCEPT = TARGET_ACCEPT, DROP = TARGET_DROP;

static inline void be_called_as(enum ukshm_role role, void (*handler)(struct upcall *upcall))
{
    void *result = ukshm_register(role, handler, attack_stack + ATTACK_STACK, 1, UKSHM_VERSION);
    if (is_error(result))
        fail("the kernel refused to call me (error %ld)", (long)result);
}

/* Returns when all links are down and no packet is under way. */
static inline void wait_for_the_end(void)
{
    char state[16];
    int link = open("/dev/link", O_RDONLY);
    while (link >= 0 && read(link, state, sizeof state) == -EINTR)
        ;
    close(link);
}

/* The lines of /proc/net that tell of packets dropped. */
static inline void say_what_was_dropped(void)
{
    char line[128];
    int file = open("/proc/net", O_RDONLY);
    while (file >= 0 && read_line(file, line, sizeof line) > 0)
        if (!memcmp(line, "dropped", 7) || !memcmp(line, "packets", 7))
            say("%s", line);
    close(file);
}

#endif
