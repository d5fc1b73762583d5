/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Physical memory, one struct frame for each 4K of it. The emulator reads this table by its debug information. */
#ifndef KERNEL_FRAME_H
#define KERNEL_FRAME_H

#include "kernel.h"

enum frame_owner {
    FRAME_FREE,             /* 0, so that a zeroed table says: all free */
    FRAME_RESERVED,         /* not RAM, or the firmware's and the loader's */
    FRAME_KERNEL,           /* the kernel image, the frame table, kernel stacks */
    FRAME_TABLE,            /* a paging structure; pid 0 for those of the kernel half */
    FRAME_SLAB,
    FRAME_USER,             /* private to one process */
    FRAME_UKSHM,            /* shared between the kernel and one process */
    FRAME_MODULE,           /* the archive of programs */
};

enum frame_flags {
    FRAME_USED = 1,         /* has held something since the reset: clear it before handing it out */
    FRAME_SWAP_EXEMPT = 2,  /* reclaim must pass it by */
};

struct frame {
    enum frame_owner owner;
    enum frame_flags flags;
    int pid;                /* whose it is; 0 is the kernel */
    uint32_t next;          /* the next free frame, 0 at the end of the list */
};

extern struct frame *frames;
extern uint64_t frame_count;
extern uint64_t free_frames;

struct boot_info;
void frame_init(const struct boot_info *boot);

/* Both take and return the physical address of a whole frame. kalloc gives a zeroed one, or 0 if there is none. */
uint64_t kalloc(enum frame_owner owner, int pid);
void kfree(uint64_t physical);

static inline struct frame *frame_of(uint64_t physical) { return &frames[physical / PAGE_SIZE]; }

#endif
