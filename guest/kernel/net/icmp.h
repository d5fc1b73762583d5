/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_ICMP_H
#define KERNEL_ICMP_H

#include "netdev.h"

enum icmp_type {
    ICMP_ECHO_REPLY = 0, ICMP_UNREACHABLE = 3, ICMP_SOURCE_QUENCH = 4, ICMP_REDIRECT = 5, ICMP_ECHO = 8,
    ICMP_TIME_EXCEEDED = 11, ICMP_PARAMETER_PROBLEM = 12, ICMP_TIMESTAMP = 13, ICMP_TIMESTAMP_REPLY = 14,
};
enum { ICMP_TYPE = 0, ICMP_CODE = 1, ICMP_CHECKSUM = 2, ICMP_ID = 4, ICMP_HEADER = 8 };

static inline bool icmp_is_error(uint8_t type)
{
    return type == ICMP_UNREACHABLE || type == ICMP_SOURCE_QUENCH || type == ICMP_REDIRECT
           || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER_PROBLEM;
}

/* For us. Owns the packet. */
void icmp_input(struct packet *packet);

/*
 * Tells a packet's sender what became of it, where RFC 1122 allows: not about errors, later fragments, broadcasts.
 * The packet stays the caller's.
 */
void icmp_send_error(const struct packet *packet, enum icmp_type type, uint8_t code);

#endif
