/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User-defined targets: what a rule may do that the kernel knows nothing of. They exist in ring 3 only. */
#ifndef FIREWALL_TARGETS_H
#define FIREWALL_TARGETS_H

#include "../../common/rules.h"

/* The packet that is judged now. */
struct packet_at_hand {
    uint8_t *bytes;                 /* from its IPv4 header on: in the shared page, or in a copy */
    uint32_t length;
    bool is_changed;
    struct packet_facts facts;      /* what the rules look at; read again after a change */
};

void packet_at_hand_read(struct packet_at_hand *packet, uint8_t *bytes, uint32_t length, uint64_t in, uint64_t out);

/* A user_target (rules.h); the context is a packet_at_hand. */
bool run_user_target(uint16_t number, void *context, uint64_t *verdict);

#endif
