/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who has which address on a link (RFC 826). Packets for an address nobody has answered for yet wait here. */
#ifndef KERNEL_ARP_H
#define KERNEL_ARP_H

#include "netdev.h"

void arp_input(struct packet *packet);

/* Sends an IPv4 packet to next_hop on the link of out, at once or when the answer is there. Owns the packet. */
void arp_send(struct packet *packet);

void arp_tick(void);                /* asks again, and gives up */
void arp_forget(void);              /* everything; what waits is dropped */
size_t arp_text(char *to, size_t size);     /* the table, one line an address */

#endif
