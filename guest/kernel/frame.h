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
    FRAME_FORKED = 32,      /* was inherited once: whoever pid is, its family may have it too */
};

/* What an allocation may do to succeed, and what it must get. */
enum gfp {
    GFP_WAIT = 1,           /* may take pages from others, and sleep while they are written to disk */
    GFP_HIGH = 2,           /* may use the reserve */
    GFP_DMA = 4,            /* only frames below 16 MiB */
    GFP_ZERO = 8,           /* cleared */
    GFP_SHARED = 16,        /* a page to be shared with a program: refused but to the one hook, ukshm_page_alloc */
    GFP_KERNEL = GFP_WAIT,
    GFP_ATOMIC = GFP_HIGH,
    GFP_USER = GFP_WAIT | GFP_ZERO,
    GFP_UKSHM = GFP_WAIT | GFP_ZERO | GFP_SHARED,
};

struct object;

enum { ORDERS = 11, ORDER_NONE = 0xff };     /* blocks of 2^0 to 2^10 frames: 4 KiB to 4 MiB */

struct frame {
    enum frame_owner owner;
    enum frame_flags flags;
    int pid;                /* whose it is; 0 is the kernel */
    uint8_t order;          /* the first frame of a block, free or not, knows its size; in others ORDER_NONE or old */
    bool is_free_block;     /* the first frame of a block on a free list */
    uint32_t next, previous;    /* on its list; 0 is the end: the firmware's frame 0 is never free */
    uint32_t mappings;      /* entries of processes that point here */
    uint32_t slot;          /* a slot of the swap area with the same bytes; 0: none */
    uint64_t linear;        /* anonymous memory: its address, the same in every process that has it */
    struct object *object;  /* FRAME_FILE: whose page it is, */
    uint64_t index;         /* and which */
};

/* Old devices reach the first 16 MiB only. Requests that do not care take the other zone first. */
enum zone_number { ZONE_DMA, ZONE_NORMAL, ZONES };
static const uint64_t ZONE_DMA_END = 16 << 20;

struct zone {
    const char *name;
    uint64_t start, end;    /* frame numbers */
    uint64_t free;          /* frames on its lists */
    uint64_t reserve;       /* so many are kept for GFP_HIGH */
    uint32_t lists[ORDERS]; /* the first free block of each size */
};

struct frame_statistics {
    uint64_t allocations, frees, failures;
    uint64_t from_reserve;  /* GFP_HIGH, when nobody else would have got any */
};

extern struct frame *frames;
extern uint64_t frame_count;
extern uint64_t free_frames;        /* in both zones */
extern struct zone zones[ZONES];
extern struct frame_statistics frame_statistics;

struct boot_info;
void frame_init(const struct boot_info *boot);

/* The physical address of 2^order frames in a row, aligned to their size, or 0. pid is whom they are accounted to. */
uint64_t frames_alloc(enum frame_owner owner, int pid, enum gfp gfp, unsigned order);
void frames_free(uint64_t physical, unsigned order);

/* One frame. */
uint64_t frame_alloc(enum frame_owner owner, int pid, enum gfp gfp);
void frame_free(uint64_t physical);
void frame_set_owner(uint64_t physical, enum frame_owner owner, int pid);

/* The smallest order whose block holds so many bytes. */
unsigned order_for(uint64_t bytes);

static inline struct frame *frame_of(uint64_t physical) { return &frames[physical / PAGE_SIZE]; }

#endif
