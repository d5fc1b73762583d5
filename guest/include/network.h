/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words that kernel and programs share about packets: hooks, verdicts, interfaces. Host byte order throughout. */
#ifndef GUEST_NETWORK_H
#define GUEST_NETWORK_H

#include <stdint.h>

/* Where a packet is asked about, as netfilter has it. */
enum hook { HOOK_PREROUTING, HOOK_INPUT, HOOK_FORWARD, HOOK_OUTPUT, HOOK_POSTROUTING, HOOKS };

enum interface { INTERFACE_NONE, INTERFACE_ETH0, INTERFACE_ETH1, INTERFACES };

/* Where a datagram comes from. */
struct socket_address {
    uint32_t address;
    uint16_t port, reserved;
};

enum ip_protocol { PROTOCOL_ICMP = 1, PROTOCOL_TCP = 6, PROTOCOL_UDP = 17 };

/* What is done with it, in the kernel: the targets. DENY in a rule file is DROP. */
enum target { TARGET_DROP, TARGET_ACCEPT, TARGET_REJECT, TARGET_FORWARD, TARGET_MASQUERADE, TARGETS };

/* REJECT --reject-with: the code of the ICMP "destination unreachable". */
enum reject_code {
    REJECT_NET_UNREACHABLE = 0, REJECT_HOST_UNREACHABLE = 1, REJECT_PROTOCOL_UNREACHABLE = 2,
    REJECT_PORT_UNREACHABLE = 3, REJECT_NET_PROHIBITED = 9, REJECT_HOST_PROHIBITED = 10, REJECT_ADMIN_PROHIBITED = 13,
};

/*
 * A verdict is one word, the third argument of ukshm_ack and the second of pkt_verdict:
 *
 *   63 .. 48   47 .. 32       31 .. 16      15 .. 8   7 .. 0
 *  |    0    | highest port | lowest port | detail  | target |
 *
 * detail: the reject code; of FORWARD the interface, or 0 for "the other one". Ports: of MASQUERADE, 0 for any.
 */
static inline uint64_t verdict_of(enum target target, unsigned detail, unsigned lowest_port, unsigned highest_port)
{
    return (uint64_t)target | (uint64_t)(detail & 0xff) << 8 | (uint64_t)(lowest_port & 0xffff) << 16
           | (uint64_t)(highest_port & 0xffff) << 32;
}

static inline unsigned verdict_target(uint64_t verdict) { return verdict & 0xff; }
static inline unsigned verdict_detail(uint64_t verdict) { return verdict >> 8 & 0xff; }
static inline unsigned verdict_lowest_port(uint64_t verdict) { return verdict >> 16 & 0xffff; }
static inline unsigned verdict_highest_port(uint64_t verdict) { return verdict >> 32 & 0xffff; }

#endif
