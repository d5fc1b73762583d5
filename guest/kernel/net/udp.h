/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_UDP_H
#define KERNEL_UDP_H

#include "packet.h"

/* For us. Owns the packet. */
void udp_input(struct packet *packet);

/* An ICMP error says that the quoted packet, one of ours, was not taken. */
void udp_unreachable(const uint8_t *quoted, uint32_t header, uint8_t code);

#endif
