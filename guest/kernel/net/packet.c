/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets and their pages. Some that are free are kept, so that one packet after another costs no trip to the frame
 * allocator. What a packet's page held before is not cleared here: who shows it to a program clears around the data.
 */
#include "firewall_ring.h"
#include "netdev.h"
#include "../cpu.h"
#include "../slab.h"
#include "../trace.h"

enum { POOL_MAX = 16 };

struct packet_statistics packet_statistics;

static struct kmem_cache *cache;
static struct packet *pool;
static int pool_count;
static uint64_t last_id, last_arrival;

void packet_init(void) { cache = kmem_cache_create("packet", sizeof(struct packet), SLAB_ATOMIC, 0); }

static struct packet *take_from_pool(void)
{
    struct packet *packet = pool;
    if (packet) {
        pool = packet->next;
        pool_count--;
    }
    return packet;
}

static struct packet *make(enum gfp gfp)
{
    struct packet *packet = kmem_cache_alloc(cache, gfp);
    if (!packet)
        return 0;
    packet->physical = frame_alloc(FRAME_KERNEL, 0, gfp);
    if (packet->physical)
        return packet;
    kmem_cache_free(cache, packet);
    return 0;
}

static void unmake(struct packet *packet)
{
    if (!firewall_ring_return(packet->physical))
        frame_free(packet->physical);
    kmem_cache_free(cache, packet);
}

OBSERVABLE struct packet *packet_alloc(enum gfp gfp)
{
    struct packet *packet = take_from_pool();
    if (!packet)
        packet = make(gfp);
    if (packet)
        *packet = (struct packet){.physical = packet->physical, .start = PACKET_HEADROOM};
    return packet;
}

OBSERVABLE void packet_free(struct packet *packet)
{
    if (pool_count == POOL_MAX) {
        unmake(packet);
        return;
    }
    firewall_ring_spare(packet);
    packet->next = pool;
    pool = packet;
    pool_count++;
}

void packet_pool_drain(void)
{
    for (struct packet *packet; (packet = take_from_pool());)
        unmake(packet);
}

/* Captured packets have a time of their own, and what is made here must not live in another. */
uint64_t packet_now(void) { return last_arrival ? last_arrival : rdtsc() / TSC_PER_MICROSECOND; }

void packet_begin(struct packet *packet)
{
    packet->id = ++last_id;
    if (!packet->in && !packet->time)
        packet->time = packet_now();
    packet_statistics.in_flight++;
    if (packet->in)
        last_arrival = packet->time;
    trace_packet_in(packet->id, packet->in ? packet->in->number : INTERFACE_NONE, packet->length, packet->time);
}

void packet_end(struct packet *packet, unsigned fate)
{
    packet_statistics.in_flight--;
    if (fate == PACKET_SENT)
        packet_statistics.sent++;
    else if (fate == PACKET_DELIVERED)
        packet_statistics.delivered++;
    else
        packet_statistics.dropped[fate - PACKET_DROPPED]++;
    trace_packet_end(packet->id, fate);
    net_look_if_over();
}

OBSERVABLE void packet_drop(struct packet *packet, enum drop_reason reason)
{
    packet_end(packet, PACKET_DROPPED + reason);
    packet_free(packet);
}
