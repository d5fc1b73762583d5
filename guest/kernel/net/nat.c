/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nat.h"
#include "netdev.h"

bool nat_check(const struct packet *packet, uint64_t verdict)
{
    (void)packet;
    return verdict_lowest_port(verdict) <= verdict_highest_port(verdict);
}

void nat_masquerade(struct packet *packet, uint64_t verdict)
{
    (void)verdict;
    packet_drop(packet, DROP_NAT);
}

bool nat_input(struct packet *packet)
{
    (void)packet;
    return true;
}
