/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The driver of a virtio network card. */
#ifndef KERNEL_VIRTIO_NET_H
#define KERNEL_VIRTIO_NET_H

#include "netdev.h"

/* Looks into a slot; if there is a card, agrees with it and fills in the device's card, MAC and link. */
bool virtio_net_find(struct net_device *device, int slot);
void virtio_net_start(struct net_device *device);   /* gives it buffers */
void virtio_net_stop(struct net_device *device);    /* for ever; what it held is dropped */

/* Sends the frame that begins with the link header in front of packet->start. Owns the packet; never sleeps. */
void virtio_net_send(struct net_device *device, struct packet *packet);

#endif
