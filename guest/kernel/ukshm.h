/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User-kernel shared memory: the letter's interface. */
#ifndef KERNEL_UKSHM_H
#define KERNEL_UKSHM_H

#include "kernel.h"

struct proc;

/* What stands behind the naive design's buffer: an object the kernel relies on. */
struct packet_queue {
    char name[8];
    void (*transmit)(const struct packet_queue *queue);
    uint32_t head, tail, limit, dropped;
    char note[64];
};

enum { KERNEL_RANGE_PAGES = 4 };

/* An ordinary range of kernel memory: whole pages a buffer is cut from, and the next object right behind them. */
struct kernel_range {
    uint8_t buffer[KERNEL_RANGE_PAGES * PAGE_SIZE];
    union {
        struct packet_queue neighbour;
        uint8_t neighbour_page[PAGE_SIZE];
    };
};

extern struct kernel_range kernel_range;
extern struct packet_queue *const kernel_neighbour;

void ukshm_init(void);

/* The address of the window in the current process, or a negative error. */
int64_t ukshm_register(uint64_t role, uint64_t handler, uint64_t stack, uint64_t max_pages, uint64_t version);
int64_t ukshm_ack(uint64_t id, uint64_t length, uint64_t verdict);     /* a BUFFER: the checksum of its bytes */
int ukshm_unregister(struct proc *proc);
void ukshm_process_exit(struct proc *proc);

/* A window of pages, which kernel_pages gets; its address, or a negative error. */
int64_t ukshm_map(struct proc *proc, uint64_t pages, uint64_t *kernel_pages);
void ukshm_unmap(struct proc *proc, uint64_t linear, uint64_t pages, const uint64_t *kernel_pages);
/* The same, but pages that are marked as kept go on as the kernel's own. */
void ukshm_unmap_but(struct proc *proc, uint64_t linear, uint64_t pages, const uint64_t *kernel_pages,
                     const bool *kept);

#endif
