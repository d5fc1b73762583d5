/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MASQUERADE: who is inside talks to the outside under the address of the card that leads there. The table knows the
 * conversations: protocol, both ends, and the port (of ICMP: the id) that stands for the inner one outside. What
 * comes back is translated behind the chain of PREROUTING.
 */
#ifndef KERNEL_NAT_H
#define KERNEL_NAT_H

#include "netdev.h"

enum { NAT_ENTRIES = 256 };

/* How long a conversation is remembered after its last packet, by the packets' own time. */
enum nat_seconds { NAT_ICMP_SECONDS = 30, NAT_UDP_SECONDS = 30, NAT_TCP_SECONDS = 600, NAT_OTHER_SECONDS = 600 };

void nat_init(void);

/* The target. */
bool nat_check(const struct packet *packet, uint64_t verdict);
void nat_masquerade(struct packet *packet, uint64_t verdict);

/* The way back, after PREROUTING. False: the packet has been dropped. */
bool nat_input(struct packet *packet);

size_t nat_text(char *to, size_t size);     /* how many conversations there are */

#endif
