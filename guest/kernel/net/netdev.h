/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network cards, and the life of the network as a whole: eth0 is the inside, eth1 the outside. A board without
 * cards has no network, and pays nothing for it.
 */
#ifndef KERNEL_NETDEV_H
#define KERNEL_NETDEV_H

#include "packet.h"
#include "../../include/network.h"

enum { MAC_BYTES = 6 };

struct net_device {
    enum interface number;
    const char *name;
    struct virtio_net *card;            /* the driver's; 0: there is no such card */
    bool link_up;
    uint8_t mac[MAC_BYTES];
    uint32_t address, mask, gateway;    /* gateway 0: this link leads nowhere else */
    uint64_t received, received_bytes, sent, sent_bytes;    /* frames */
};

extern struct net_device net_devices[INTERFACES];   /* by enum interface */

void net_init(void);                    /* at boot: finds the cards */
void net_start(void);                   /* from here on packets come */
void net_stop(void);                    /* no more packets; all their memory comes back */
void net_tick(void);                    /* each timer tick */

/* The card with this number, or 0. */
struct net_device *net_device(unsigned number);

/* Whether nothing will come any more and nothing is under way: all links are down, no packet is in flight. */
bool net_is_over(void);
int net_wait_until_over(void);          /* sleeps until then: 0, or -EINTR */
void net_look_if_over(void);            /* something ended, or a link changed: wakes who waits for that */

#endif
