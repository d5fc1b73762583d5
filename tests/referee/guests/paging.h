/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Page tables. Levels count from 1, that of the PTEs, up to LEVELS, that of the root table. */
#ifndef PAGING_H
#define PAGING_H
#include "mode.h"

enum {
    P = 1 << 0, RW = 1 << 1, US = 1 << 2, A = 1 << 5, D = 1 << 6, PS = 1 << 7, G = 1 << 8,
    ALL_RIGHTS = P | RW | US,
};
#if LEVELS == 2
#define XD ((entry_t)0)             /* 32-bit paging has none */
#else
#define XD ((entry_t)1 << 63)
#endif

/* What the control registers say while a probe runs. */
struct controls { bool wp, smep, smap, nxe, pse, pke; };

void paging_init(void);
void set_controls(struct controls wanted);
void flush(void);                                   /* load CR3 again */

/* The entry of `level` on the way to `linear`; tables above it that are missing are made, with all rights. */
entry_t *entry_of(word linear, int level);

/* A page at `linear`: of 4 KiB at level 1, larger at higher levels. */
void map(word linear, entry_t physical, int level, entry_t flags);

/* Empty both windows; the tables that map() made for them since paging_init() are free again. */
void clear_windows(void);

const char *entry_name(int level);                  /* "PDE" */
const char *page_name(int level);                   /* "2M" */

#endif
