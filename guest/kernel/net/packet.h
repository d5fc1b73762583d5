/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packet is a page of its own with bytes in it, and this in front of it. It has one owner at a time: a ring of a
 * card, a queue, a program that is asked about it, or whoever works on it now.
 */
#ifndef KERNEL_PACKET_H
#define KERNEL_PACKET_H

#include "../frame.h"
#include "../upcall.h"
#include "../vm.h"

struct net_device;

enum { PACKET_HEADROOM = 64 };  /* where the IP header of a packet made here begins; a received one: behind its own */

struct packet {
    struct call call;           /* first: a call about a packet is the packet */
    struct packet *next;        /* on a queue */
    uint64_t id;                /* 1, 2, ...: the order in which they came to be */
    uint64_t physical;          /* its page */
    uint32_t start, length;     /* the IPv4 packet in the page; the link header lies before start */
    uint64_t time;              /* arrival, in us */
    struct net_device *in, *out;    /* 0: made here, or not decided */
    uint32_t next_hop;          /* where it is sent on the link of out */
    int hook;                   /* enum hook that it has come to */
    void (*okay)(struct packet *packet);    /* where it goes on if the hook lets it pass */
    bool was_for_all;           /* its frame was meant for more than us */
    bool is_pinned;             /* being copied to or from a program: no deadline ends it now */
    bool is_checked, is_sound;  /* ukshm.check=before_unmap: it was looked at already, and how it looked */
    uint8_t detour;             /* FORWARD: 1 + interface number, once it was said; no routing then */
};

/* Why packets end without having been delivered or sent. The names are what /proc/net says. */
enum drop_reason {
    DROP_SHORT, DROP_NOT_FOR_US, DROP_ETHER_TYPE, DROP_ARP, DROP_IP_VERSION, DROP_IP_HEADER, DROP_IP_LENGTH,
    DROP_IP_CHECKSUM, DROP_TTL, DROP_NO_ROUTE, DROP_NO_NEIGHBOUR, DROP_FRAGMENT, DROP_PROTOCOL, DROP_ICMP, DROP_UDP,
    DROP_TCP, DROP_PORT, DROP_RULE, DROP_REJECTED, DROP_QUEUE_FULL, DROP_DEADLINE, DROP_DEAD, DROP_CHANGED, DROP_NAT,
    DROP_RING_FULL, DROP_NO_MEMORY, DROP_SOURCE, DROP_REASONS
};

struct packet_statistics { uint64_t received, sent, delivered, in_flight, dropped[DROP_REASONS]; };
extern struct packet_statistics packet_statistics;

void packet_init(void);

/* A packet with a page of its own and room for a link header; 0: no memory. Also in interrupts. */
struct packet *packet_alloc(enum gfp gfp);
void packet_free(struct packet *packet);                        /* its fate is known and counted already */
void packet_drop(struct packet *packet, enum drop_reason reason);   /* counts, tells, frees */
void packet_pool_drain(void);                                   /* gives back what is kept for the next */

/*
 * A packet that lies in a ring's buffer or is being put together does not count yet. It begins once, when its bytes
 * are there, and ends once: sent, delivered, or dropped. That is what packet_in and packet_end tell, and in_flight.
 */
enum packet_fate { PACKET_SENT, PACKET_DELIVERED, PACKET_DROPPED };     /* the last plus an enum drop_reason */
void packet_begin(struct packet *packet);
uint64_t packet_now(void);      /* the time of what is made here: that of the last arrival */
void packet_end(struct packet *packet, unsigned fate);          /* and is still there: packet_free follows */

static inline uint8_t *packet_page(const struct packet *packet) { return direct_map(packet->physical); }

/* The IPv4 header. */
static inline uint8_t *packet_bytes(const struct packet *packet) { return packet_page(packet) + packet->start; }

#endif
