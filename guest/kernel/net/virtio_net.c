/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A frame lies in a packet's page behind the header that driver and device exchange, and the page itself goes from
 * the receive ring of one card to the transmit ring of the other:
 *
 *   | header 12 | arrival 8, if agreed | link header 14 | IPv4 packet ... |      as received
 *               |      | header 12     | link header 14 | IPv4 packet ... |      as sent
 *
 * The receive ring is always full: a page leaves it only if another one is there to take its place.
 */
#include "virtio_net.h"
#include "ethernet.h"
#include "../cpu.h"
#include "../irq.h"
#include "../slab.h"
#include "../upcall.h"
#include "../virtio.h"

enum { RECEIVE = 0, TRANSMIT = 1, BUFFERS = 32, HEADER = 12, STAMP = 8 };

static const uint64_t FEATURE_MAC = 1ull << 5, FEATURE_STATUS = 1ull << 16;
static const uint64_t FEATURE_STAMP = 1ull << 63;       /* private to our board: each frame says when it arrived */

struct virtio_net {
    struct virtio device;
    struct virtqueue *receive, *transmit;
    struct packet *receiving[BUFFERS], *sending[VIRTQ_SIZE];    /* by the descriptor that points to its page */
    uint16_t free_slots[VIRTQ_SIZE];                            /* of the transmit ring */
    int free_count;
    bool is_broken;
};

/* ---- receiving ---- */

static void post(struct virtio_net *card, uint16_t slot, struct packet *packet)
{
    card->receiving[slot] = packet;
    card->receive->descriptors[slot] = (struct descriptor){packet->physical, PAGE_SIZE, DESCRIPTOR_WRITE, 0};
    virtqueue_offer(card->receive, slot);
}

static uint64_t arrival(const struct virtio_net *card, const struct packet *packet)
{
    uint64_t stamp;
    if (!(card->device.features & FEATURE_STAMP))
        return rdtsc() / TSC_PER_MICROSECOND;
    memcpy(&stamp, packet_page(packet) + HEADER, sizeof stamp);
    return stamp;
}

static void receive(struct net_device *device, uint16_t slot, uint32_t written)
{
    struct virtio_net *card = device->card;
    struct packet *packet = card->receiving[slot], *fresh = packet_alloc(GFP_ATOMIC);
    uint32_t header = card->device.features & FEATURE_STAMP ? HEADER + STAMP : HEADER;
    packet->in = device;
    packet->start = header;
    packet->length = written > header ? written - header : 0;
    packet->time = arrival(card, packet);
    device->received++;
    device->received_bytes += packet->length;
    packet_statistics.received++;
    packet_begin(packet);
    if (!fresh) {
        packet_end(packet, PACKET_DROPPED + DROP_NO_MEMORY);
        post(card, slot, packet);
        return;
    }
    post(card, slot, fresh);
    ethernet_input(packet);
}

static void receive_all(struct net_device *device)
{
    struct virtio_net *card = device->card;
    uint32_t slot, written;
    bool any = false;
    while (virtqueue_take(card->receive, &slot, &written))
        if (slot < BUFFERS && written <= PAGE_SIZE) {
            receive(device, (uint16_t)slot, written);
            any = true;
        }
    if (any)
        virtio_notify(&card->device, RECEIVE);
}

/* ---- sending ---- */

void virtio_net_send(struct net_device *device, struct packet *packet)
{
    struct virtio_net *card = device->card;
    if (card->is_broken || !card->free_count) {
        packet_drop(packet, DROP_RING_FULL);
        return;
    }
    uint16_t slot = card->free_slots[--card->free_count];
    uint32_t at = packet->start - ETHERNET_HEADER - HEADER;
    memset(packet_page(packet) + at, 0, HEADER);
    card->sending[slot] = packet;
    card->transmit->descriptors[slot] = (struct descriptor){
        packet->physical + at, HEADER + ETHERNET_HEADER + packet->length, 0, 0,
    };
    device->sent++;
    device->sent_bytes += ETHERNET_HEADER + packet->length;
    virtqueue_publish(&card->device, TRANSMIT, card->transmit, slot);
}

static void sent(struct virtio_net *card, uint32_t slot)
{
    struct packet *packet = slot < VIRTQ_SIZE ? card->sending[slot] : 0;
    if (!packet)
        return;
    card->sending[slot] = 0;
    card->free_slots[card->free_count++] = (uint16_t)slot;
    packet_end(packet, PACKET_SENT);
    packet_free(packet);
}

static void drop_what_it_was_sending(struct virtio_net *card)
{
    for (int slot = 0; slot < VIRTQ_SIZE; slot++)
        if (card->sending[slot]) {
            packet_drop(card->sending[slot], DROP_RING_FULL);
            card->sending[slot] = 0;
        }
}

/* ---- interrupts ---- */

static void give_up(struct net_device *device)
{
    printk("0: %s asked for a reset: it is not used any more\n", device->name);
    virtio_reset(&device->card->device);
    device->card->is_broken = true;
    device->link_up = false;
    drop_what_it_was_sending(device->card);
}

static void look_at_link(struct net_device *device)
{
    struct virtio *virtio = &device->card->device;
    uint64_t config = virtio_config(virtio, 0);
    memcpy(device->mac, &config, MAC_BYTES);
    device->link_up = !(virtio->features & FEATURE_STATUS) || config >> 48 & 1;
}

static void card_interrupt(struct net_device *device)
{
    struct virtio_net *card = device->card;
    uint32_t slot, written, causes = virtio_acknowledge(&card->device); /* first: what comes from here on interrupts */
    bool any = false;
    for (; virtqueue_take(card->transmit, &slot, &written); any = true)
        sent(card, slot);
    if (any)
        upcall_transmitted();
    receive_all(device);
    if (!(causes & VIRTIO_CONFIG_CHANGED) || card->is_broken)
        return;
    if (virtio_needs_reset(&card->device))
        give_up(device);
    else
        look_at_link(device);
    net_look_if_over();
}

static void eth0_interrupt(void) { card_interrupt(&net_devices[INTERFACE_ETH0]); }
static void eth1_interrupt(void) { card_interrupt(&net_devices[INTERFACE_ETH1]); }

/* ---- beginning and end ---- */

static struct virtqueue *queue_create(void)
{
    uint64_t page = frame_alloc(FRAME_KERNEL, 0, GFP_KERNEL);
    if (!page)
        panic("no memory for the rings of a network card");
    return direct_map(page);
}

bool virtio_net_find(struct net_device *device, int slot)
{
    struct virtio virtio;
    if (!virtio_at(&virtio, slot, VIRTIO_NETWORK))
        return false;
    struct virtio_net *card = kmalloc(sizeof *card, GFP_KERNEL | GFP_ZERO);
    if (!card)
        panic("no memory for a network card");
    card->receive = queue_create();
    card->transmit = queue_create();
    if (virtio_begin(&virtio, FEATURE_MAC | FEATURE_STATUS | FEATURE_STAMP)
        || virtio_queue_init(&virtio, RECEIVE, card->receive)
        || virtio_queue_init(&virtio, TRANSMIT, card->transmit)) {
        printk("0: there is a card %s, but no agreement with it: it is not used\n", device->name);
        card->is_broken = true;
    }
    card->device = virtio;
    device->card = card;
    return true;
}

void virtio_net_start(struct net_device *device)
{
    static irq_handler *const handlers[INTERFACES] = {0, eth0_interrupt, eth1_interrupt};
    struct virtio_net *card = device->card;
    if (card->is_broken)
        return;
    for (uint16_t slot = 0; slot < VIRTQ_SIZE; slot++)
        card->free_slots[card->free_count++] = (uint16_t)(VIRTQ_SIZE - 1 - slot);
    for (uint16_t slot = 0; slot < BUFFERS; slot++) {
        struct packet *packet = packet_alloc(GFP_KERNEL);
        if (!packet)
            panic("no memory for the packets of %s", device->name);
        post(card, slot, packet);
    }
    irq_register(card->device.irq, handlers[device->number]);
    virtio_ready(&card->device);
    virtio_notify(&card->device, RECEIVE);
    look_at_link(device);
}

void virtio_net_stop(struct net_device *device)
{
    struct virtio_net *card = device->card;
    if (!card->is_broken)
        virtio_reset(&card->device);
    card->is_broken = true;
    device->link_up = false;
    drop_what_it_was_sending(card);
    for (int slot = 0; slot < BUFFERS; slot++)
        if (card->receiving[slot]) {
            packet_free(card->receiving[slot]);
            card->receiving[slot] = 0;
        }
}
