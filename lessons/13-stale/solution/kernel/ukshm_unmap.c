/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of sharing a page: the program's way to it is taken away, before anybody else may have the page. */
#include "cmdline.h"
#include "page.h"
#include "proc.h"
#include "tlb.h"
#include "ukshm_memory.h"
#include "vm.h"

/*
 * The entry goes, then the TLB's copy of it: the other way round a walk in between could fill the TLB once more. What
 * the entry was; the frame is still the caller's to give back.
 */
OBSERVABLE uint64_t ukshm_unmap_page(struct proc *proc, uint64_t linear)
{
    uint64_t *entry = walk(proc->root, linear, 1, false, 0);
    uint64_t old = *entry;
    *entry = 0;
    if (old & PTE_P && switch_value(SWITCH_UKSHM_INVALIDATE) != UKSHM_INVALIDATE_NONE)
        invalidate_page(proc, linear);
    return old;
}
