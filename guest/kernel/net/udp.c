/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UDP (RFC 768): ports, a length, and a checksum that may be left out, which 0 says. */
#include "udp.h"
#include "checksum.h"
#include "icmp.h"
#include "ipv4.h"
#include "route.h"
#include "socket.h"

/* Nothing checked means nothing wrong: a checksum of 0 was not made. */
static bool is_sound(const uint8_t *ip, const uint8_t *udp, uint32_t payload)
{
    if (payload < UDP_HEADER)
        return false;
    uint32_t length = get16(udp + UDP_LENGTH);
    if (length < UDP_HEADER || length > payload)
        return false;
    uint16_t pseudo = checksum_pseudo(ip_source(ip), ip_destination(ip), PROTOCOL_UDP, length);
    return !get16(udp + UDP_CHECKSUM) || checksum_sum(pseudo, udp, length) == 0xffff;
}

OBSERVABLE void udp_input(struct packet *packet)
{
    const uint8_t *ip = packet_bytes(packet), *udp = ip + ip_header_bytes(ip);
    if (!is_sound(ip, udp, packet->length - ip_header_bytes(ip))) {
        packet_drop(packet, DROP_UDP);
        return;
    }
    struct udp_socket *socket = socket_of_port(get16(udp + UDP_DESTINATION));
    if (!socket) {
        icmp_send_error(packet, ICMP_UNREACHABLE, REJECT_PORT_UNREACHABLE);
        packet_drop(packet, DROP_PORT);
    } else if (!socket_deliver(socket, packet)) {
        packet_drop(packet, DROP_QUEUE_FULL);
    }
}

int udp_output(struct packet *packet, uint16_t source_port, uint32_t destination, uint16_t port, uint32_t length)
{
    uint8_t *udp = packet_bytes(packet) + IP_HEADER;
    uint32_t source = ipv4_source_for(destination);
    length += UDP_HEADER;
    put16(udp + UDP_SOURCE, source_port);
    put16(udp + UDP_DESTINATION, port);
    put16(udp + UDP_LENGTH, length);
    put16(udp + UDP_CHECKSUM, 0);
    uint16_t sum = (uint16_t)~checksum_sum(checksum_pseudo(source, destination, PROTOCOL_UDP, length), udp, length);
    put16(udp + UDP_CHECKSUM, sum ? sum : 0xffff);
    packet->time = packet_now();
    return ipv4_output(packet, PROTOCOL_UDP, source, destination, length);
}

void udp_unreachable(const uint8_t *quoted, uint32_t header, uint8_t code)
{
    struct udp_socket *socket = socket_of_port(get16(quoted + header + UDP_SOURCE));
    if (!socket || !route_is_local(ip_source(quoted)))
        return;
    switch (code) {
    case REJECT_NET_UNREACHABLE: socket_fail(socket, -ENETUNREACH); break;
    case REJECT_PROTOCOL_UNREACHABLE:
    case REJECT_PORT_UNREACHABLE: socket_fail(socket, -ECONNREFUSED); break;
    default: socket_fail(socket, -EHOSTUNREACH); break;
    }
}
