/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_NAT_H
#define KERNEL_NAT_H

#include "packet.h"

/* The target MASQUERADE: the packet gets the address of the card it leaves through as its source. */
bool nat_check(const struct packet *packet, uint64_t verdict);
void nat_masquerade(struct packet *packet, uint64_t verdict);

/* The way back, after PREROUTING. False: the packet has been dropped. */
bool nat_input(struct packet *packet);

#endif
