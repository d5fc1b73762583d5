/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPv4: what comes in, goes through, and goes out, and where the hooks are:
 *
 *   card -> PREROUTING -> route -> FORWARD -> POSTROUTING -> card
 *                            \                 /
 *                          INPUT            OUTPUT
 *                              \            /
 *                               this machine
 */
#ifndef KERNEL_IPV4_H
#define KERNEL_IPV4_H

#include "bytes.h"
#include "netdev.h"

/* The fields of the header. */
enum {
    IP_VERSION = 0, IP_LENGTH = 2, IP_ID = 4, IP_FRAGMENT = 6, IP_TTL = 8, IP_PROTOCOL = 9, IP_CHECKSUM = 10,
    IP_SOURCE = 12, IP_DESTINATION = 16, IP_HEADER = 20, IP_DEFAULT_TTL = 64,
    IP_OFFSET_MASK = 0x1fff, IP_MORE_FRAGMENTS = 0x2000,
};

static inline uint32_t ip_header_bytes(const uint8_t *ip) { return (ip[IP_VERSION] & 15u) * 4; }
static inline uint32_t ip_source(const uint8_t *ip) { return get32(ip + IP_SOURCE); }
static inline uint32_t ip_destination(const uint8_t *ip) { return get32(ip + IP_DESTINATION); }
static inline bool ip_is_fragment(const uint8_t *ip)
{
    return get16(ip + IP_FRAGMENT) & (IP_OFFSET_MASK | IP_MORE_FRAGMENTS);
}

/* A frame's payload. Owns the packet. */
void ipv4_input(struct packet *packet);

/* Whether the header is sound and packet->length is what it says. 0, or 1 + the enum drop_reason. */
int ipv4_check(const struct packet *packet);

/*
 * A packet made here, its payload of length bytes at start + IP_HEADER: fills in the header and sends it. source 0:
 * the address of the card that it leaves through. 0, or -ENETUNREACH, the packet dropped.
 */
int ipv4_output(struct packet *packet, uint8_t protocol, uint32_t source, uint32_t destination, uint32_t length);

/* What ipv4_output will put down as source: for checksums over addresses. 0: no way there. */
uint32_t ipv4_source_for(uint32_t destination);

#endif
