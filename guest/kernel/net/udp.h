/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_UDP_H
#define KERNEL_UDP_H

#include "netdev.h"

enum { UDP_SOURCE = 0, UDP_DESTINATION = 2, UDP_LENGTH = 4, UDP_CHECKSUM = 6, UDP_HEADER = 8 };

/* For us. Owns the packet. */
void udp_input(struct packet *packet);

/* A datagram of length bytes behind the room for both headers. Owns the packet. 0, or -ENETUNREACH. */
int udp_output(struct packet *packet, uint16_t source_port, uint32_t destination, uint16_t port, uint32_t length);

/* An ICMP error says that the quoted packet, one of ours, was not taken. */
void udp_unreachable(const uint8_t *quoted, uint32_t header, uint8_t code);

#endif
