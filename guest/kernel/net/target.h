/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a verdict makes of a packet. A new target is a file with its function, and a row of the table in target.c. */
#ifndef KERNEL_TARGET_H
#define KERNEL_TARGET_H

#include "packet.h"
#include "../../include/network.h"

struct target_module {
    const char *name;
    unsigned hooks;                     /* where it may be said: a bit for each enum hook */
    bool (*check)(const struct packet *packet, uint64_t verdict);   /* whether the rest of the word makes sense; or 0 */
    void (*apply)(struct packet *packet, uint64_t verdict);     /* owns the packet */
};

bool target_allows(const struct packet *packet, uint64_t verdict);
void target_apply(struct packet *packet, uint64_t verdict);

#endif
