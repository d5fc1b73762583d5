/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Physical memory, one struct frame for each 4K of it. The emulator reads this table by its debug information. */
#ifndef KERNEL_FRAME_H
#define KERNEL_FRAME_H

#include "kernel.h"

enum frame_owner {
    FRAME_FREE,             /* 0, so that a zeroed table says: all free */
    FRAME_RESERVED,         /* not RAM, or the firmware's and the loader's */
    FRAME_KERNEL,           /* the kernel image, the frame table, kernel stacks, buffers of drivers */
    FRAME_TABLE,            /* a paging structure; pid 0 for those of the kernel half */
    FRAME_SLAB,
    FRAME_USER,             /* anonymous memory: of one process, or of several that share it since a fork */
    FRAME_UKSHM,            /* shared between the kernel and one process */
    FRAME_MODULE,           /* the archive of programs */
    FRAME_FILE,             /* a page of a file or of shared memory, for all that map it */
};

enum frame_flags {
    FRAME_USED = 1,         /* has held something since the reset: clear it before handing it out */
    FRAME_SWAP_EXEMPT = 2,  /* reclaim must pass it by */
    FRAME_LOCKED = 4,       /* a disk is reading or writing it */
    FRAME_DIRTY = 8,        /* differs from its copy on the swap area; D bits of entries that are gone are kept here */
    FRAME_REFERENCED = 16,  /* was touched since reclaim last came by */
};

/* What an allocation may do to succeed, and what it must get. */
enum gfp {
    GFP_WAIT = 1,           /* may take pages from others, and sleep while they are written to disk */
    GFP_HIGH = 2,           /* may use the reserve */
    GFP_DMA = 4,            /* only frames below 16 MiB */
    GFP_ZERO = 8,           /* cleared */
    GFP_SHARED = 16,        /* a page shared with a program: granted to the one hook of ukshm_memory.c only */
    GFP_KERNEL = GFP_WAIT,
    GFP_ATOMIC = GFP_HIGH,
    GFP_USER = GFP_WAIT | GFP_ZERO,
    GFP_UKSHM = GFP_WAIT | GFP_ZERO | GFP_SHARED,
};

struct object;

struct frame {
    enum frame_owner owner;
    enum frame_flags flags;
    int pid;                /* whose it is; 0 is the kernel */
    uint32_t next;          /* the next free frame, 0 at the end of the list */
    uint32_t mappings;      /* entries of processes that point here */
    uint32_t slot;          /* a slot of the swap area with the same bytes; 0: none */
    uint64_t linear;        /* anonymous memory: its address, the same in every process that has it */
    struct object *object;  /* FRAME_FILE: whose page it is, */
    uint64_t index;         /* and which */
};

extern struct frame *frames;
extern uint64_t frame_count;
extern uint64_t free_frames;

struct boot_info;
void frame_init(const struct boot_info *boot);

/* The physical address of a frame, or 0. pid is whom it is accounted to. */
uint64_t frame_alloc(enum frame_owner owner, int pid, enum gfp gfp);
void frame_free(uint64_t physical);
uint64_t frames_alloc(enum frame_owner owner, int pid, enum gfp gfp, unsigned order);
void frames_free(uint64_t physical, unsigned order);

static inline struct frame *frame_of(uint64_t physical) { return &frames[physical / PAGE_SIZE]; }

#endif
