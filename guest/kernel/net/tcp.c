/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tcp.h"
#include "checksum.h"
#include "ethernet.h"
#include "ipv4.h"
#include "route.h"

static uint32_t tcp_header_bytes(const uint8_t *tcp) { return (tcp[TCP_OFFSET] >> 4) * 4u; }

static bool is_sound(const uint8_t *ip, const uint8_t *tcp, uint32_t length)
{
    if (length < TCP_HEADER || tcp_header_bytes(tcp) < TCP_HEADER || tcp_header_bytes(tcp) > length)
        return false;
    uint16_t pseudo = checksum_pseudo(ip_source(ip), ip_destination(ip), PROTOCOL_TCP, length);
    return checksum_sum(pseudo, tcp, length) == 0xffff;
}

/* RFC 9293, 3.10.7.1: an answer that the other side accepts as one to its segment. */
static void refuse(const struct packet *packet, const uint8_t *ip, const uint8_t *tcp, uint32_t length)
{
    struct packet *answer = packet_alloc(GFP_ATOMIC);
    if (!answer)
        return;
    uint8_t flags = tcp[TCP_FLAGS], *rst = packet_bytes(answer) + IP_HEADER;
    uint32_t taken = length - tcp_header_bytes(tcp) + !!(flags & TCP_SYN) + !!(flags & TCP_FIN);
    memset(rst, 0, TCP_HEADER);
    memcpy(rst + TCP_SOURCE, tcp + TCP_DESTINATION, 2);
    memcpy(rst + TCP_DESTINATION, tcp + TCP_SOURCE, 2);
    rst[TCP_OFFSET] = TCP_HEADER / 4 << 4;
    rst[TCP_FLAGS] = flags & TCP_ACK ? TCP_RST : TCP_RST | TCP_ACK;
    if (flags & TCP_ACK)
        memcpy(rst + TCP_SEQUENCE, tcp + TCP_ACKNOWLEDGED, 4);
    else
        put32(rst + TCP_ACKNOWLEDGED, get32(tcp + TCP_SEQUENCE) + taken);
    uint16_t pseudo = checksum_pseudo(ip_source(ip), ip_destination(ip), PROTOCOL_TCP, TCP_HEADER);
    put16(rst + TCP_CHECKSUM, (uint16_t)~checksum_sum(pseudo, rst, TCP_HEADER));
    answer->time = packet->time;
    ipv4_output(answer, PROTOCOL_TCP, ip_destination(ip), ip_source(ip), TCP_HEADER);
}

OBSERVABLE void tcp_input(struct packet *packet)
{
    const uint8_t *ip = packet_bytes(packet), *tcp = ip + ip_header_bytes(ip);
    uint32_t length = packet->length - ip_header_bytes(ip);
    if (!is_sound(ip, tcp, length)) {
        packet_drop(packet, DROP_TCP);
        return;
    }
    if (!(tcp[TCP_FLAGS] & TCP_RST) && !route_is_broadcast(ip_destination(ip)) && !ethernet_was_for_all(packet))
        refuse(packet, ip, tcp, length);
    packet_drop(packet, DROP_PORT);
}
