/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a process's address space is made of, beyond the page tables: areas, sorted, never overlapping. An area
 * promises memory; the page tables say which of its pages are there. fault.c keeps the promise.
 */
#ifndef KERNEL_AREA_H
#define KERNEL_AREA_H

#include "kernel.h"

enum area_kind {
    AREA_IMAGE,             /* a segment of the program */
    AREA_STACK,
    AREA_HEAP,              /* what brk has given */
    AREA_MMAP,
    AREA_GUARD,             /* kept free: nothing is mapped here, and nothing will be */
    AREA_UKSHM,             /* a shared window: its pages are there from the start, and stay */
    AREA_KERNEL_RANGE,      /* the naive window: the kernel's own pages, which are not freed with the process */
};

struct object;

struct area {
    uint64_t start, end;
    enum area_kind kind;
    enum protection protection;
    struct object *object;  /* where pages come from; 0: anonymous memory, zero at first */
    uint64_t offset;        /* the object's page that lies at start */
    uint64_t file_bytes;    /* so many bytes from start come from the object, zeros behind them */
    bool shared;            /* a write goes to the object, for all to see; otherwise to a copy of one's own */
};

enum { AREAS_MAX = 32 };

struct proc;

static inline uint64_t area_pages(const struct area *area) { return (area->end - area->start) / PAGE_SIZE; }

/* The area that holds linear, or 0. */
struct area *area_at(struct proc *proc, uint64_t linear);

/* The lowest free place for pages in a row in the mmap region, or 0. */
uint64_t area_find_free(const struct proc *proc, uint64_t pages);

/* Notes an area. 0, -ENOMEM if there are too many, -EINVAL if it overlaps another or leaves the user half. */
int area_add(struct proc *proc, struct area area);

/* area_add for memory without a file behind it. */
int area_add_anonymous(struct proc *proc, uint64_t start, uint64_t pages, enum area_kind kind,
                       enum protection protection);

/* Unmaps what lies in the range and is of this kind: 0; -EINVAL, nothing changed, if any other kind is touched. */
int area_unmap(struct proc *proc, uint64_t start, uint64_t pages, enum area_kind kind);

/* Changes the rights of a range that areas of memory cover without a gap. 0; -ENOMEM for a gap, -EACCES. */
int area_protect(struct proc *proc, uint64_t start, uint64_t pages, enum protection protection);

/* Moves the end of the heap. The new end, or a negative error; end 0 asks where it is. */
int64_t area_set_break(struct proc *proc, uint64_t end);

/* Everything, at the end of the process. */
void area_unmap_all(struct proc *proc);

#endif
