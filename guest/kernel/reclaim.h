/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Taking pages back from those who have not touched them for a while. */
#ifndef KERNEL_RECLAIM_H
#define KERNEL_RECLAIM_H

#include "kernel.h"

/* Since the boot. The emulator reads them by their debug information; programs in /proc/vmstat. */
struct vm_statistics {
    uint64_t faults, demand_zero, copy_on_write, file_pages;
    uint64_t swapped_in, swapped_out, written, dropped_clean;
    uint64_t looked_at, second_chances, skipped_exempt, oom_kills;
};
extern struct vm_statistics vm_statistics;
size_t vmstat_text(char *to, size_t size);

/*
 * Makes some frames below limit (a frame number) free: looks for up to so many, may sleep. true: it is worth trying
 * again; false: nothing can be taken from anybody. Not from an interrupt and not before the first process.
 */
bool reclaim_pages(uint64_t wanted, uint64_t limit);

#endif
