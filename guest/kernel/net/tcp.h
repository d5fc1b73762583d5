/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_TCP_H
#define KERNEL_TCP_H

#include "packet.h"

enum {
    TCP_SOURCE = 0, TCP_DESTINATION = 2, TCP_SEQUENCE = 4, TCP_ACKNOWLEDGED = 8, TCP_OFFSET = 12, TCP_FLAGS = 13,
    TCP_WINDOW = 14, TCP_CHECKSUM = 16, TCP_HEADER = 20,
};
enum tcp_flags { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16, TCP_URG = 32 };

/* For us: there is no service over TCP here, so whoever knocks is told so by a RST. Owns the packet. */
void tcp_input(struct packet *packet);

#endif
