/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipv4.h"
#include "arp.h"
#include "checksum.h"
#include "ethernet.h"
#include "hook.h"
#include "icmp.h"
#include "nat.h"
#include "route.h"
#include "tcp.h"
#include "udp.h"

static uint16_t last_id;

/* ---- out ---- */

static void postrouting(struct packet *packet) { hook_run(HOOK_POSTROUTING, packet, arp_send); }

static void local_input(struct packet *packet);

/* The program at OUTPUT may have changed where it goes. */
static void output(struct packet *packet)
{
    uint32_t destination = ip_destination(packet_bytes(packet));
    if (route_is_local(destination))
        local_input(packet);        /* a way that leads over no link: from OUTPUT to INPUT */
    else if (route_find(packet, destination))
        postrouting(packet);
    else
        packet_drop(packet, DROP_NO_ROUTE);
}

uint32_t ipv4_source_for(uint32_t destination)
{
    struct packet way = {0};
    if (route_is_local(destination))
        return destination;
    return route_find(&way, destination) ? way.out->address : 0;
}

int ipv4_output(struct packet *packet, uint8_t protocol, uint32_t source, uint32_t destination, uint32_t length)
{
    uint8_t *ip = packet_bytes(packet);
    packet->length = IP_HEADER + length;
    bool is_local = route_is_local(destination), is_way = is_local || route_find(packet, destination);
    if (!source)
        source = is_local ? destination : is_way ? packet->out->address : 0;
    memset(ip, 0, IP_HEADER);
    ip[IP_VERSION] = 0x45;
    put16(ip + IP_LENGTH, packet->length);
    put16(ip + IP_ID, ++last_id);
    ip[IP_TTL] = IP_DEFAULT_TTL;
    ip[IP_PROTOCOL] = protocol;
    put32(ip + IP_SOURCE, source);
    put32(ip + IP_DESTINATION, destination);
    put16(ip + IP_CHECKSUM, checksum(ip, IP_HEADER));
    packet_begin(packet);
    if (!is_way) {
        packet_drop(packet, DROP_NO_ROUTE);
        return -ENETUNREACH;
    }
    hook_run(HOOK_OUTPUT, packet, output);
    return 0;
}

/* ---- through ---- */

static void spend_ttl(uint8_t *ip)
{
    uint16_t was = get16(ip + IP_TTL);
    ip[IP_TTL]--;
    checksum_mend(ip + IP_CHECKSUM, was, get16(ip + IP_TTL));
}

static void forward(struct packet *packet)
{
    uint8_t *ip = packet_bytes(packet);
    struct net_device *chosen = packet->detour ? net_device(packet->detour - 1u) : 0;
    if (ip[IP_TTL] <= 1) {
        icmp_send_error(packet, ICMP_TIME_EXCEEDED, 0);
        packet_drop(packet, DROP_TTL);
        return;
    }
    if (chosen) {
        route_through(packet, chosen, ip_destination(ip));
    } else if (!route_find(packet, ip_destination(ip))) {
        icmp_send_error(packet, ICMP_UNREACHABLE, REJECT_NET_UNREACHABLE);
        packet_drop(packet, DROP_NO_ROUTE);
        return;
    }
    spend_ttl(ip);
    hook_run(HOOK_FORWARD, packet, postrouting);
}

/* ---- in ---- */

static void deliver(struct packet *packet)
{
    const uint8_t *ip = packet_bytes(packet);
    if (ip_is_fragment(ip)) {
        packet_drop(packet, DROP_FRAGMENT);
        return;
    }
    switch (ip[IP_PROTOCOL]) {
    case PROTOCOL_ICMP: icmp_input(packet); break;
    case PROTOCOL_UDP: udp_input(packet); break;
    case PROTOCOL_TCP: tcp_input(packet); break;
    default:
        icmp_send_error(packet, ICMP_UNREACHABLE, REJECT_PROTOCOL_UNREACHABLE);
        packet_drop(packet, DROP_PROTOCOL);
        break;
    }
}

static void local_input(struct packet *packet) { hook_run(HOOK_INPUT, packet, deliver); }

static void prerouted(struct packet *packet)
{
    const uint8_t *ip = packet_bytes(packet);
    if (!nat_input(packet))
        return;
    uint32_t destination = ip_destination(ip);
    if (!route_is_source(ip_source(ip)))
        packet_drop(packet, DROP_SOURCE);
    else if (!packet->detour && (route_is_local(destination) || route_is_broadcast(destination)))
        local_input(packet);
    else
        forward(packet);
}

int ipv4_check(const struct packet *packet)
{
    const uint8_t *ip = packet_bytes(packet);
    if (packet->length < IP_HEADER)
        return 1 + DROP_SHORT;
    if (ip[IP_VERSION] >> 4 != 4)
        return 1 + DROP_IP_VERSION;
    uint32_t header = ip_header_bytes(ip), length = get16(ip + IP_LENGTH);
    if (header < IP_HEADER || header > packet->length)
        return 1 + DROP_IP_HEADER;
    if (length < header || length > packet->length || length > ETHERNET_MTU)
        return 1 + DROP_IP_LENGTH;
    return checksum_sum(0, ip, header) == 0xffff ? 0 : 1 + DROP_IP_CHECKSUM;
}

OBSERVABLE void ipv4_input(struct packet *packet)
{
    int bad = ipv4_check(packet);
    if (bad) {
        packet_drop(packet, (enum drop_reason)(bad - 1));
        return;
    }
    packet->length = get16(packet_bytes(packet) + IP_LENGTH);   /* what lies behind is the link's padding */
    hook_run(HOOK_PREROUTING, packet, prerouted);
}
