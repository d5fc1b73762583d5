/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reject.h"
#include "icmp.h"

bool reject_check(const struct packet *packet, uint64_t verdict)
{
    (void)packet;
    switch (verdict_detail(verdict)) {
    case REJECT_NET_UNREACHABLE: case REJECT_HOST_UNREACHABLE: case REJECT_PROTOCOL_UNREACHABLE:
    case REJECT_PORT_UNREACHABLE: case REJECT_NET_PROHIBITED: case REJECT_HOST_PROHIBITED:
    case REJECT_ADMIN_PROHIBITED:
        return true;
    default:
        return false;
    }
}

OBSERVABLE void reject(struct packet *packet, uint64_t verdict)
{
    icmp_send_error(packet, ICMP_UNREACHABLE, (uint8_t)verdict_detail(verdict));
    packet_drop(packet, DROP_REJECTED);
}
