/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "icmp.h"
#include "checksum.h"
#include "ethernet.h"
#include "ipv4.h"
#include "route.h"
#include "udp.h"

enum { QUOTE_MAX = 576 - IP_HEADER - ICMP_HEADER };     /* RFC 1812, 4.3.2.3: as much as fits into 576 bytes */

static void send(struct packet *packet, uint32_t source, uint32_t destination, uint32_t length)
{
    uint8_t *icmp = packet_bytes(packet) + IP_HEADER;
    put16(icmp + ICMP_CHECKSUM, 0);
    put16(icmp + ICMP_CHECKSUM, checksum(icmp, length));
    ipv4_output(packet, PROTOCOL_ICMP, source, destination, length);
}

static void echo(const struct packet *asked)
{
    const uint8_t *ip = packet_bytes(asked);
    uint32_t length = asked->length - ip_header_bytes(ip);
    struct packet *reply = packet_alloc(GFP_ATOMIC);
    if (!reply)
        return;
    reply->time = asked->time;
    uint8_t *icmp = packet_bytes(reply) + IP_HEADER;
    memcpy(icmp, ip + ip_header_bytes(ip), length);
    icmp[ICMP_TYPE] = ICMP_ECHO_REPLY;
    send(reply, ip_destination(ip), ip_source(ip), length);
}

static bool may_tell(const struct packet *packet)
{
    const uint8_t *ip = packet_bytes(packet), *icmp = ip + ip_header_bytes(ip);
    if (get16(ip + IP_FRAGMENT) & IP_OFFSET_MASK || ethernet_was_for_all(packet)
        || route_is_broadcast(ip_destination(ip)) || ip_destination(ip) >> 24 >= 224)
        return false;
    if (!route_is_source(ip_source(ip)) && !route_is_local(ip_source(ip)))
        return false;
    return ip[IP_PROTOCOL] != PROTOCOL_ICMP
           || (packet->length > ip_header_bytes(ip) && !icmp_is_error(icmp[ICMP_TYPE]));
}

OBSERVABLE void icmp_send_error(const struct packet *packet, enum icmp_type type, uint8_t code)
{
    const uint8_t *ip = packet_bytes(packet);
    uint32_t quote = packet->length < QUOTE_MAX ? packet->length : QUOTE_MAX;
    struct packet *error = may_tell(packet) ? packet_alloc(GFP_ATOMIC) : 0;
    if (!error)
        return;
    error->time = packet->time;
    uint8_t *icmp = packet_bytes(error) + IP_HEADER;
    memset(icmp, 0, ICMP_HEADER);
    icmp[ICMP_TYPE] = (uint8_t)type;
    icmp[ICMP_CODE] = code;
    memcpy(icmp + ICMP_HEADER, ip, quote);
    send(error, packet->in ? packet->in->address : 0, ip_source(ip), ICMP_HEADER + quote);
}

/* Somebody could not take what we sent: whose it was is told, if the quoted packet leads to him. */
static void error_for_us(const uint8_t *icmp, uint32_t length)
{
    const uint8_t *quoted = icmp + ICMP_HEADER;
    if (length < ICMP_HEADER + IP_HEADER || quoted[IP_VERSION] >> 4 != 4)
        return;
    uint32_t header = ip_header_bytes(quoted);
    if (header < IP_HEADER || length < ICMP_HEADER + header + 8 || quoted[IP_PROTOCOL] != PROTOCOL_UDP)
        return;
    if (icmp[ICMP_TYPE] == ICMP_UNREACHABLE)
        udp_unreachable(quoted, header, icmp[ICMP_CODE]);
}

OBSERVABLE void icmp_input(struct packet *packet)
{
    const uint8_t *ip = packet_bytes(packet), *icmp = ip + ip_header_bytes(ip);
    uint32_t length = packet->length - ip_header_bytes(ip);
    bool is_bad = length < ICMP_HEADER || checksum_sum(0, icmp, length) != 0xffff;
    bool is_echo = !is_bad && icmp[ICMP_TYPE] == ICMP_ECHO;
    bool is_known = is_echo || (!is_bad && (icmp[ICMP_TYPE] == ICMP_ECHO_REPLY || icmp_is_error(icmp[ICMP_TYPE])));
    if (!is_known || (is_echo && (ethernet_was_for_all(packet) || route_is_broadcast(ip_destination(ip))))) {
        packet_drop(packet, DROP_ICMP);
        return;
    }
    if (is_echo)
        echo(packet);
    else if (icmp_is_error(icmp[ICMP_TYPE]))
        error_for_us(icmp, length);
    packet_end(packet, PACKET_DELIVERED);
    packet_free(packet);
}
