/* SPDX-License-Identifier: GPL-2.0-or-later */
/* firewall.path=ring: pages that stay with the program, and a ring that says which packets it is asked about. */
#ifndef KERNEL_FIREWALL_RING_H
#define KERNEL_FIREWALL_RING_H

#include "../kernel.h"

struct proc;

int64_t firewall_ring_register(uint64_t pages);         /* the ring's address in the current process */
int64_t firewall_ring_receive(uint64_t buffer, uint64_t length);
int64_t firewall_ring_verdict(uint64_t id, uint64_t verdict, uint64_t buffer, uint64_t length);
void firewall_ring_fill(void);                          /* questions for what waits, as far as there is room */
void firewall_ring_end(struct proc *proc);              /* the program goes: pages that packets need stay theirs */

/* For packet.c, when a packet is free: its page may be wanted by the next, and is exchanged for one of no ring. */
struct packet;
void firewall_ring_spare(struct packet *packet);
bool firewall_ring_return(uint64_t physical);           /* true: the page is the ring's, which has it back */

#endif
