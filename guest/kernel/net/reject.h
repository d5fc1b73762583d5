/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_REJECT_H
#define KERNEL_REJECT_H

#include "packet.h"

/* The target REJECT: the sender is told with the verdict's code, and the packet is dropped. */
bool reject_check(const struct packet *packet, uint64_t verdict);
void reject(struct packet *packet, uint64_t verdict);

#endif
