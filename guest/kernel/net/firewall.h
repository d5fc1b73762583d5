/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The firewall as the stack sees it: somebody who is asked. firewall.path says who and how: rules in the kernel, a
 * program that copies packets out and in, one that is called with the packet's page, one with a ring.
 */
#ifndef KERNEL_FIREWALL_H
#define KERNEL_FIREWALL_H

#include "packet.h"
#include "../../include/network.h"

/* Nobody yet: everything passes, as on any machine without a firewall. Dead: it was there, and died. */
enum firewall_state { FIREWALL_NONE, FIREWALL_ALIVE, FIREWALL_DEAD };

/* Whether packets are asked about at this hook at all. */
bool firewall_wants(enum hook hook);

/* Owns the packet; hook_verdict or packet_drop follows, now or later. Also in interrupts; never sleeps. */
void firewall_ask(struct packet *packet);

/* The rules of the kernel path (firewall_rules.c); what /dev/firewall was given. */
bool firewall_rules_want(enum hook hook);
uint64_t firewall_rules_judge(struct packet *packet);
int64_t firewall_rules_read(uint64_t to, uint64_t length);
int64_t firewall_rules_write(uint64_t from, uint64_t length);

#endif
