/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the firewall is asked. hook_run owns the packet from the call on: it goes on in okay, at once or when a
 * program has answered, or it ends here.
 */
#ifndef KERNEL_HOOK_H
#define KERNEL_HOOK_H

#include "packet.h"
#include "../../include/network.h"

void hook_run(enum hook hook, struct packet *packet, void (*okay)(struct packet *packet));

/* The answer to a packet that was asked about: the target is applied, and the packet goes on, or ends. */
void hook_verdict(struct packet *packet, uint64_t verdict);

/* Whether a verdict makes sense at the packet's hook. 0 or -EINVAL. */
int hook_check_verdict(const struct packet *packet, uint64_t verdict);

/* Whether it is a packet still, whatever a program has made of it. */
bool hook_is_sound(const struct packet *packet);

#endif
