/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A neighbour is asked for three times, then the packets that wait for it are dropped. What is known is asked for
 * again after a minute. The table is built like a TLB: sets of four ways, the set chosen by the low bits of the address;
 * a full set gives up the neighbour that was used longest ago.
 */
#include "arp.h"
#include "bytes.h"
#include "ethernet.h"
#include "icmp.h"
#include "route.h"
#include "../timer.h"

enum { SETS = 16, WAYS = 4, NEIGHBOURS = SETS * WAYS, WAITING_MAX = 8, TRIES = 3, ASK_TICKS = 100, KNOWN_TICKS = 60000 };

/* The fields of an ARP packet for Ethernet and IPv4. */
enum {
    HARDWARE = 0, PROTOCOL = 2, SIZES = 4, OPERATION = 6, SENDER_MAC = 8, SENDER = 14, TARGET_MAC = 18, TARGET = 24,
    ARP_BYTES = 28, HARDWARE_ETHERNET = 1, SIZES_BOTH = 0x0604, ASK = 1, ANSWER = 2,
};

enum neighbour_state { NEIGHBOUR_UNUSED, NEIGHBOUR_ASKED, NEIGHBOUR_KNOWN };

static struct neighbour {
    enum neighbour_state state;
    struct net_device *device;
    uint32_t address;
    uint8_t mac[MAC_BYTES];
    int tries, waiting_count;
    uint64_t since;                 /* ticks, at the last question or the answer */
    uint64_t used;                  /* the number of its last use among all: no clock decides who has to go */
    struct packet *first, *last;    /* that wait */
} neighbours[NEIGHBOURS];

static uint64_t uses;
static int asked;                   /* how many are being asked for */

static struct neighbour *set_of(uint32_t address) { return &neighbours[address % SETS * WAYS]; }

static struct neighbour *find(const struct net_device *device, uint32_t address)
{
    struct neighbour *way = set_of(address);
    for (int i = 0; i < WAYS; i++, way++)
        if (way->state && way->address == address && way->device == device)
            return way;
    return 0;
}

/* Not one that is being asked for: packets wait there. */
static struct neighbour *take_place(uint32_t address)
{
    struct neighbour *oldest = 0, *way = set_of(address);
    for (int i = 0; i < WAYS; i++, way++) {
        if (way->state == NEIGHBOUR_UNUSED)
            return way;
        if (way->state == NEIGHBOUR_KNOWN && (!oldest || way->used < oldest->used))
            oldest = way;
    }
    return oldest;
}

/* ---- packets ---- */

static void say(struct net_device *device, int operation, const uint8_t *target_mac, uint32_t target)
{
    struct packet *packet = packet_alloc(GFP_ATOMIC);
    if (!packet)
        return;
    uint8_t *arp = packet_bytes(packet);
    packet->length = ARP_BYTES;
    packet->out = device;
    put16(arp + HARDWARE, HARDWARE_ETHERNET);
    put16(arp + PROTOCOL, ETHER_TYPE_IPV4);
    put16(arp + SIZES, SIZES_BOTH);
    put16(arp + OPERATION, (uint32_t)operation);
    memcpy(arp + SENDER_MAC, device->mac, MAC_BYTES);
    put32(arp + SENDER, device->address);
    memset(arp + TARGET_MAC, 0, MAC_BYTES);
    if (operation == ANSWER)
        memcpy(arp + TARGET_MAC, target_mac, MAC_BYTES);
    put32(arp + TARGET, target);
    packet_begin(packet);
    ethernet_output(packet, target_mac, ETHER_TYPE_ARP);
}

static void ask(struct neighbour *neighbour)
{
    neighbour->since = ticks;
    neighbour->tries++;
    say(neighbour->device, ASK, ethernet_broadcast, neighbour->address);
}

static bool is_well_formed(const struct packet *packet)
{
    const uint8_t *arp = packet_bytes(packet);
    return packet->length >= ARP_BYTES && get16(arp + HARDWARE) == HARDWARE_ETHERNET
           && get16(arp + PROTOCOL) == ETHER_TYPE_IPV4 && get16(arp + SIZES) == SIZES_BOTH
           && (get16(arp + OPERATION) == ASK || get16(arp + OPERATION) == ANSWER) && !(arp[SENDER_MAC] & 1);
}

/* ---- the table ---- */

static struct packet *stop_asking(struct neighbour *neighbour, enum neighbour_state state)
{
    struct packet *waiting = neighbour->first;
    neighbour->first = neighbour->last = 0;
    neighbour->waiting_count = neighbour->tries = 0;
    neighbour->state = state;
    asked--;
    return waiting;
}

static void learn(struct neighbour *neighbour, const uint8_t *mac)
{
    struct packet *waiting = 0, *next;
    memcpy(neighbour->mac, mac, MAC_BYTES);
    neighbour->since = ticks;
    if (neighbour->state == NEIGHBOUR_ASKED)
        waiting = stop_asking(neighbour, NEIGHBOUR_KNOWN);
    for (; waiting; waiting = next) {
        next = waiting->next;
        ethernet_output(waiting, mac, ETHER_TYPE_IPV4);
    }
}

static struct neighbour *begin(struct net_device *device, uint32_t address, enum neighbour_state state)
{
    struct neighbour *neighbour = take_place(address);
    if (!neighbour)
        return 0;
    *neighbour = (struct neighbour){.state = state, .device = device, .address = address, .used = ++uses};
    asked += state == NEIGHBOUR_ASKED;
    return neighbour;
}

/* RFC 826: who is known already is noted again whatever the packet says; who asks for us is noted anew. */
OBSERVABLE void arp_input(struct packet *packet)
{
    const uint8_t *arp = packet_bytes(packet);
    struct net_device *device = packet->in;
    if (!is_well_formed(packet)) {
        packet_drop(packet, DROP_ARP);
        return;
    }
    uint32_t sender = get32(arp + SENDER), target = get32(arp + TARGET);
    bool is_neighbour = (sender & device->mask) == (device->address & device->mask) && sender != device->address;
    struct neighbour *neighbour = find(device, sender);
    if (!neighbour && is_neighbour && target == device->address)
        neighbour = begin(device, sender, NEIGHBOUR_KNOWN);
    if (neighbour)
        learn(neighbour, arp + SENDER_MAC);
    if (target != device->address) {
        packet_drop(packet, DROP_ARP);
        return;
    }
    if (get16(arp + OPERATION) == ASK)
        say(device, ANSWER, arp + SENDER_MAC, sender);
    packet_end(packet, PACKET_DELIVERED);
    packet_free(packet);
}

static void wait_for(struct neighbour *neighbour, struct packet *packet)
{
    if (neighbour->waiting_count == WAITING_MAX) {
        packet_drop(packet, DROP_NO_NEIGHBOUR);
        return;
    }
    packet->next = 0;
    if (neighbour->last)
        neighbour->last->next = packet;
    else
        neighbour->first = packet;
    neighbour->last = packet;
    neighbour->waiting_count++;
}

OBSERVABLE void arp_send(struct packet *packet)
{
    if (route_is_broadcast(packet->next_hop)) {
        ethernet_output(packet, ethernet_broadcast, ETHER_TYPE_IPV4);
        return;
    }
    struct neighbour *neighbour = find(packet->out, packet->next_hop);
    if (neighbour && neighbour->state == NEIGHBOUR_KNOWN && ticks - neighbour->since < KNOWN_TICKS) {
        neighbour->used = ++uses;
        ethernet_output(packet, neighbour->mac, ETHER_TYPE_IPV4);
        return;
    }
    if (neighbour && neighbour->state == NEIGHBOUR_ASKED) {
        wait_for(neighbour, packet);
        return;
    }
    if (neighbour)
        neighbour->state = NEIGHBOUR_UNUSED;    /* known for too long */
    neighbour = begin(packet->out, packet->next_hop, NEIGHBOUR_ASKED);
    if (!neighbour) {
        packet_drop(packet, DROP_NO_NEIGHBOUR);
        return;
    }
    wait_for(neighbour, packet);
    ask(neighbour);
}

static void give_up(struct neighbour *neighbour)
{
    struct packet *next;
    for (struct packet *packet = stop_asking(neighbour, NEIGHBOUR_UNUSED); packet; packet = next) {
        next = packet->next;
        icmp_send_error(packet, ICMP_UNREACHABLE, REJECT_HOST_UNREACHABLE);
        packet_drop(packet, DROP_NO_NEIGHBOUR);
    }
}

void arp_tick(void)
{
    for (int i = 0; asked && i < NEIGHBOURS; i++) {
        struct neighbour *neighbour = &neighbours[i];
        if (neighbour->state != NEIGHBOUR_ASKED || ticks - neighbour->since < ASK_TICKS)
            continue;
        if (neighbour->tries < TRIES)
            ask(neighbour);
        else
            give_up(neighbour);
    }
}

void arp_forget(void)
{
    for (int i = 0; i < NEIGHBOURS; i++) {
        struct packet *next, *packet = 0;
        if (neighbours[i].state == NEIGHBOUR_ASKED)
            packet = stop_asking(&neighbours[i], NEIGHBOUR_UNUSED);
        neighbours[i].state = NEIGHBOUR_UNUSED;
        for (; packet; packet = next) {
            next = packet->next;
            packet_drop(packet, DROP_NO_NEIGHBOUR);
        }
    }
}

size_t arp_text(char *to, size_t size)
{
    size_t length = 0;
    for (int i = 0; i < NEIGHBOURS; i++) {
        const struct neighbour *neighbour = &neighbours[i];
        uint32_t address = neighbour->address;
        if (!neighbour->state)
            continue;
        length += scnprintf(to + length, size - length, "neighbour %u.%u.%u.%u %s ", address >> 24,
                            address >> 16 & 255, address >> 8 & 255, address & 255, neighbour->device->name);
        for (int b = 0; neighbour->state == NEIGHBOUR_KNOWN && b < MAC_BYTES; b++)
            length += scnprintf(to + length, size - length, "%s%x%x", b ? ":" : "", neighbour->mac[b] >> 4,
                                neighbour->mac[b] & 15);
        length += scnprintf(to + length, size - length, neighbour->state == NEIGHBOUR_ASKED ? "asked\n" : "\n");
    }
    return length;
}
