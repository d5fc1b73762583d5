/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's audit of its own books. Everything it holds is written down twice: who has a frame stands in the frame
 * table and in a list or a page table, how often it is mapped in a number and in the entries themselves. The two must
 * say the same at every moment when nobody is in the middle of a change, which is whenever a system call begins.
 */
#ifndef KERNEL_SELF_CHECK_H
#define KERNEL_SELF_CHECK_H

#include "kernel.h"

/* How many things are not as they should be, each in a line of its own (of many, the first few); or -ENOMEM. */
int kernel_self_check(void);

/* What the parts of the check share. */
enum met {
    MET_ENTRIES = (1 << 24) - 1,    /* how many entries of processes point to the frame */
    MET_FREE = 1 << 24,             /* it is part of a block on a free list, */
    MET_TABLE = 1 << 25,            /* a paging structure that can be reached, */
    MET_SLAB = 1 << 26,             /* on a list of a cache, */
    MET_OBJECT = 1 << 27,           /* a page of an object */
};

struct self_check {
    uint32_t *frames;               /* enum met, for each frame */
    uint32_t *slots;                /* for each slot of the swap area: who stands for it */
    int findings;
};

void finding(struct self_check *check, const char *thing, uint64_t number, const char *what, uint64_t is,
             uint64_t should);

/* A finding unless both are the same: "0: self-check: frame 812: mappings 2, should be 1". */
static inline void expect(struct self_check *check, const char *thing, uint64_t number, const char *what, uint64_t is,
                          uint64_t should)
{
    if (is != should)
        finding(check, thing, number, what, is, should);
}

/* Notes that a frame was met as something that it can be once only. false: it cannot be looked at. */
bool meet(struct self_check *check, uint64_t number, enum met as, const char *what);

void check_spaces(struct self_check *check);    /* self_check_spaces.c: page tables, objects, slots */
void check_slabs(struct self_check *check);     /* self_check_slabs.c */

#endif
