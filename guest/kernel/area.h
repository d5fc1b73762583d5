/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a process's address space is made of, beyond the page tables: areas, sorted, never overlapping. */
#ifndef KERNEL_AREA_H
#define KERNEL_AREA_H

#include "kernel.h"

enum area_kind {
    AREA_IMAGE,             /* a segment of the program */
    AREA_STACK,
    AREA_MMAP,
    AREA_GUARD,             /* kept free: nothing is mapped here, and nothing will be */
    AREA_UKSHM,             /* a shared window */
    AREA_KERNEL_RANGE,      /* the naive window: the kernel's own pages, which are not freed with the process */
};

struct area {
    uint64_t start, end;
    enum area_kind kind;
    enum protection protection;
};

enum { AREAS_MAX = 32 };

struct proc;

/* The lowest free place for pages in a row in the mmap region, or 0. */
uint64_t area_find_free(const struct proc *proc, uint64_t pages);

/* Notes an area. 0, -ENOMEM if there are too many, -EINVAL if it overlaps another or leaves the user half. */
int area_add(struct proc *proc, uint64_t start, uint64_t pages, enum area_kind kind, enum protection protection);

/* area_add, and fresh zeroed frames for it. */
int area_map(struct proc *proc, uint64_t start, uint64_t pages, enum area_kind kind, enum protection protection);

/* Unmaps what lies in the range and is of this kind: 0; -EINVAL, nothing changed, if any other kind is touched. */
int area_unmap(struct proc *proc, uint64_t start, uint64_t pages, enum area_kind kind);

/* Everything, at the end of the process. */
void area_unmap_all(struct proc *proc);

/* The bits of a user page's entry. */
uint64_t page_rights(enum protection protection);

#endif
