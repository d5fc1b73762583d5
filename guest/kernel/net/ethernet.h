/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The link: frames of a destination, a source, a type, and what they carry. */
#ifndef KERNEL_ETHERNET_H
#define KERNEL_ETHERNET_H

#include "netdev.h"

enum { ETHERNET_HEADER = 14, ETHERNET_MTU = 1500 };
enum ether_type { ETHER_TYPE_IPV4 = 0x0800, ETHER_TYPE_ARP = 0x0806 };

extern const uint8_t ethernet_broadcast[MAC_BYTES];

/* A frame as it came: start and length are those of the frame. Owns the packet. */
void ethernet_input(struct packet *packet);

/* Puts the link header in front of packet->start and sends it through packet->out. Owns the packet. */
void ethernet_output(struct packet *packet, const uint8_t *destination, enum ether_type type);

/* Whether a received packet's frame was meant for more than us. */
bool ethernet_was_for_all(const struct packet *packet);

#endif
