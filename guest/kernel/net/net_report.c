/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net_report.h"
#include "arp.h"
#include "nat.h"
#include "netdev.h"

static const char *const reasons[DROP_REASONS] = {
    [DROP_SHORT] = "short", [DROP_NOT_FOR_US] = "not-for-us", [DROP_ETHER_TYPE] = "ether-type", [DROP_ARP] = "arp",
    [DROP_IP_VERSION] = "ip-version", [DROP_IP_HEADER] = "ip-header", [DROP_IP_LENGTH] = "ip-length",
    [DROP_IP_CHECKSUM] = "ip-checksum", [DROP_TTL] = "ttl", [DROP_NO_ROUTE] = "no-route",
    [DROP_NO_NEIGHBOUR] = "no-neighbour", [DROP_FRAGMENT] = "fragment", [DROP_PROTOCOL] = "protocol",
    [DROP_ICMP] = "icmp", [DROP_UDP] = "udp", [DROP_TCP] = "tcp", [DROP_PORT] = "port", [DROP_RULE] = "rule",
    [DROP_REJECTED] = "rejected", [DROP_QUEUE_FULL] = "queue-full", [DROP_DEADLINE] = "deadline",
    [DROP_DEAD] = "dead", [DROP_CHANGED] = "changed", [DROP_NAT] = "nat", [DROP_RING_FULL] = "ring-full",
    [DROP_NO_MEMORY] = "no-memory", [DROP_SOURCE] = "source",
};

const char *drop_reason_name(unsigned reason) { return reason < DROP_REASONS ? reasons[reason] : "?"; }

static size_t card_text(char *to, size_t size, const struct net_device *device)
{
    const uint8_t *mac = device->mac;
    uint32_t address = device->address;
    size_t length = scnprintf(to, size, "%s link %s mac ", device->name, device->link_up ? "up" : "down");
    for (int i = 0; i < MAC_BYTES; i++)
        length += scnprintf(to + length, size - length, "%s%x%x", i ? ":" : "", mac[i] >> 4, mac[i] & 15);
    length += scnprintf(to + length, size - length, " address %u.%u.%u.%u", address >> 24, address >> 16 & 255,
                        address >> 8 & 255, address & 255);
    return length + scnprintf(to + length, size - length, " received %lu (%lu bytes) sent %lu (%lu bytes)\n",
                              device->received, device->received_bytes, device->sent, device->sent_bytes);
}

size_t net_text(char *to, size_t size)
{
    size_t length = 0;
    const struct packet_statistics *all = &packet_statistics;
    for (unsigned i = INTERFACE_ETH0; i < INTERFACES; i++)
        if (net_device(i))
            length += card_text(to + length, size - length, net_device(i));
    length += scnprintf(to + length, size - length, "packets received %lu sent %lu delivered %lu in-flight %lu\n",
                        all->received, all->sent, all->delivered, all->in_flight);
    for (unsigned i = 0; i < DROP_REASONS; i++)
        if (all->dropped[i])
            length += scnprintf(to + length, size - length, "dropped %s %lu\n", reasons[i], all->dropped[i]);
    length += arp_text(to + length, size - length);
    return length + nat_text(to + length, size - length);
}
