/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where an address lies: here, on a link, or behind a link's gateway. */
#ifndef KERNEL_ROUTE_H
#define KERNEL_ROUTE_H

#include "netdev.h"

bool route_is_local(uint32_t address);          /* one of ours */
bool route_is_broadcast(uint32_t address);      /* everybody's, or everybody's on one of our links */
bool route_is_source(uint32_t address);         /* a packet from outside may come from there: one host, not us */

/* Fills in out and next_hop; false: nothing leads there. */
bool route_find(struct packet *packet, uint32_t destination);

/* The same for a card that was chosen already. */
void route_through(struct packet *packet, struct net_device *out, uint32_t destination);

#endif
