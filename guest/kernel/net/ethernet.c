/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ethernet.h"
#include "arp.h"
#include "bytes.h"
#include "ipv4.h"
#include "virtio_net.h"

enum { DESTINATION = 0, SOURCE = 6, TYPE = 12 };

const uint8_t ethernet_broadcast[MAC_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static bool is_same(const uint8_t *a, const uint8_t *b) { return get32(a) == get32(b) && get16(a + 4) == get16(b + 4); }

OBSERVABLE void ethernet_input(struct packet *packet)
{
    const uint8_t *frame = packet_bytes(packet);
    if (packet->length < ETHERNET_HEADER) {
        packet_drop(packet, DROP_SHORT);
        return;
    }
    if (!is_same(frame + DESTINATION, packet->in->mac) && !is_same(frame + DESTINATION, ethernet_broadcast)) {
        packet_drop(packet, DROP_NOT_FOR_US);
        return;
    }
    packet->was_for_all = frame[DESTINATION] & 1;   /* noted, because the header may not outlive a look by a program */
    packet->start += ETHERNET_HEADER;
    packet->length -= ETHERNET_HEADER;
    switch (get16(frame + TYPE)) {
    case ETHER_TYPE_IPV4: ipv4_input(packet); break;
    case ETHER_TYPE_ARP: arp_input(packet); break;
    default: packet_drop(packet, DROP_ETHER_TYPE); break;
    }
}

void ethernet_output(struct packet *packet, const uint8_t *destination, enum ether_type type)
{
    uint8_t *frame = packet_bytes(packet) - ETHERNET_HEADER;
    memcpy(frame + DESTINATION, destination, MAC_BYTES);
    memcpy(frame + SOURCE, packet->out->mac, MAC_BYTES);
    put16(frame + TYPE, type);
    virtio_net_send(packet->out, packet);
}

bool ethernet_was_for_all(const struct packet *packet)
{
    return packet->was_for_all;
}
