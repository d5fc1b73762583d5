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
    /*
     * LAB: something is missing here. Memory says now that nothing is mapped; the TLB was not told, and the caller is
     * about to give the frame to somebody else. What the kernel has for this is declared in tlb.h and cpu.h. Only what
     * was present can be in a TLB, and only this one page has changed.
     */
    return old;
}
