/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio over MMIO, version 2: what every driver of such a device needs. A driver finds its device, begins, sets up
 * its queues, and is ready; from then on it fills descriptors, publishes chains, and takes back the used ones.
 */
#ifndef KERNEL_VIRTIO_H
#define KERNEL_VIRTIO_H

#include "kernel.h"

enum virtio_id { VIRTIO_NETWORK = 1, VIRTIO_BLOCK = 2 };

enum { VIRTQ_SIZE = 64 };

enum descriptor_flags { DESCRIPTOR_NEXT = 1, DESCRIPTOR_WRITE = 2 };    /* WRITE: the device writes it */

struct descriptor {
    uint64_t address;               /* physical */
    uint32_t length;
    uint16_t flags, next;
};

/* Exactly one page. The device knows its three parts by their physical addresses; the last field is ours. */
struct virtqueue {
    struct descriptor descriptors[VIRTQ_SIZE];
    struct {
        uint16_t flags;
        volatile uint16_t index;
        uint16_t ring[VIRTQ_SIZE];
    } available;
    struct {
        _Alignas(4) volatile uint16_t flags;
        volatile uint16_t index;
        struct { uint32_t head, length; } ring[VIRTQ_SIZE];
    } used;
    uint16_t taken;                 /* how many used entries were taken back */
} __attribute__((aligned(PAGE_SIZE)));

struct virtio {
    uint64_t registers;             /* of its slot, in the kernel's mapping; 0: no device */
    int irq;
    uint64_t features;              /* agreed on */
};

/* The device with this id in the lowest slot, if there is one. */
bool virtio_find(struct virtio *device, enum virtio_id id);

/* The device with this id in one slot. */
bool virtio_at(struct virtio *device, int slot, enum virtio_id id);

/* Resets it and agrees on the features. 0, or -EIO: then the device has been given up. */
int virtio_begin(struct virtio *device, uint64_t wanted_features);
int virtio_queue_init(struct virtio *device, uint32_t number, struct virtqueue *queue);
void virtio_ready(struct virtio *device);

void virtio_reset(struct virtio *device);           /* it forgets the queues, and stops what it was doing */
bool virtio_needs_reset(const struct virtio *device);
/* Why it interrupts, and its line goes down. */
enum virtio_cause { VIRTIO_USED = 1, VIRTIO_CONFIG_CHANGED = 2 };
uint32_t virtio_acknowledge(struct virtio *device);
uint64_t virtio_config(const struct virtio *device, uint32_t offset);

/* Puts the chain that begins at a descriptor into the queue; the device looks when its doorbell rings. */
void virtqueue_offer(struct virtqueue *queue, uint16_t head);
void virtio_notify(struct virtio *device, uint32_t number);

/* Both. */
void virtqueue_publish(struct virtio *device, uint32_t number, struct virtqueue *queue, uint16_t head);

/* The next chain that the device has used. */
bool virtqueue_take(struct virtqueue *queue, uint32_t *head, uint32_t *written);

#endif
