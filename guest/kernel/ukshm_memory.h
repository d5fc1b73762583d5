/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SLAB_UKSHM, GFP_UKSHM: the memory that is shared between the kernel and a program. It has one door. A page of it
 * holds nothing else, is cleared, stays where it is (reclaim passes it by), and is counted against ukshm.limit.
 */
#ifndef KERNEL_UKSHM_MEMORY_H
#define KERNEL_UKSHM_MEMORY_H

#include "frame.h"

struct kmem_cache;
struct proc;

struct ukshm_statistics {
    uint64_t pages;                 /* shared now */
    uint64_t over_limit;            /* requests that the limit refused */
    uint64_t refused;               /* requests by another door */
};
extern struct ukshm_statistics ukshm_statistics;
extern struct kmem_cache *ukshm_cache;

void ukshm_memory_init(void);       /* after slab_init */

/*
 * The one hook. The physical address of a page to share, or 0. With ukshm.page_exclusive=off it is that of a small
 * object in the middle of an ordinary slab page: address and offset.
 */
uint64_t ukshm_page_alloc(int pid);

/* For the hook alone: a page to itself (ukshm_page.c). */
uint64_t ukshm_page_new(int pid);

/* The program's way to a shared page ends: what its entry was (ukshm_unmap.c). */
uint64_t ukshm_unmap_page(struct proc *proc, uint64_t linear);

/* A page that the hook gave: it is not mapped any more. 0: it was lost (ukshm.swap_exempt=off), and only counts. */
void ukshm_page_free(uint64_t physical);

/*
 * The same hook for a page that exists already: that of a call (upcall.h), which holds nothing else. What of it is not
 * data is cleared. The physical address of the data's page, or 0; how many bytes the data may grow to. It comes back
 * with length bytes of data. With ukshm.page_exclusive=off the data moves to a small object, and back.
 */
struct call;
uint64_t ukshm_page_share(struct call *call, int pid, uint32_t *capacity);
void ukshm_page_return(const struct call *call, uint64_t physical, uint64_t length);

/* A page that the hook gave is not mapped any more, and goes on as a page of the kernel's own. */
void ukshm_page_keep(uint64_t physical);

/* Somebody asked for such memory by another door: noted, with the caller's address. */
void ukshm_refuse(enum gfp gfp, int pid, uint64_t caller);

#endif
