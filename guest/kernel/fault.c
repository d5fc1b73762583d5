/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A page fault is how the kernel learns that a page is wanted. There are five good reasons for one:
 * the page was never touched (zeros), it is a file's (read it), it is on the swap area (read it back), it is shared
 * and written to (copy it), or the TLB held an older entry (the fault itself has dropped it). All else is a mistake.
 *
 * Whatever allocates a frame may sleep, and reclaim may change this process's entries meanwhile: each entry is
 * looked at again before it is replaced.
 */
#include "fault.h"
#include "area.h"
#include "object.h"
#include "page.h"
#include "proc.h"
#include "reclaim.h"
#include "swap.h"
#include "tlb.h"
#include "trace.h"
#include "trap.h"

static bool area_allows(const struct area *area, uint64_t error_code)
{
    if (!area || area->kind == AREA_GUARD || error_code & FAULT_RSVD)
        return false;
    if (error_code & FAULT_I)
        return area->protection & PROT_EXEC || (area->protection && !pte_xd);
    return area->protection & (error_code & FAULT_W ? PROT_WRITE : PROT_READ);
}

static bool entry_allows(uint64_t entry, uint64_t error_code)
{
    return entry & PTE_P && entry & PTE_US && !(error_code & FAULT_W && !(entry & PTE_RW))
           && !(error_code & FAULT_I && entry & pte_xd);
}

/* A frame for one process alone. */
static uint64_t new_page(struct proc *proc, uint64_t linear, enum gfp gfp)
{
    uint64_t physical = frame_alloc(FRAME_USER, proc->pid, gfp);
    if (physical)
        frame_of(physical)->linear = linear;
    return physical;
}

static enum protection without_write(enum protection protection) { return protection & ~PROT_WRITE; }

static int zero_page(struct proc *proc, const struct area *area, uint64_t linear, uint64_t *entry)
{
    uint64_t physical = new_page(proc, linear, GFP_USER);
    if (!physical)
        return -ENOMEM;
    page_map(entry, physical, area->protection);
    vm_statistics.demand_zero++;
    trace_demand_zero(physical / PAGE_SIZE, proc->pid, linear);
    return 0;
}

/* The last page of a segment: its beginning is the file's, its end is not. Nobody else can share it. */
static int partial_page(struct proc *proc, const struct area *area, uint64_t linear, uint64_t *entry)
{
    uint64_t physical = new_page(proc, linear, GFP_USER);
    if (!physical)
        return -ENOMEM;
    const struct file *file = &area->object->file;
    uint64_t from = (area->offset + (linear - area->start) / PAGE_SIZE) * PAGE_SIZE;
    memcpy(direct_map(physical), file->bytes + from, area->file_bytes - (linear - area->start));
    frame_of(physical)->flags |= FRAME_DIRTY;       /* not zeros any more: it cannot simply be forgotten */
    page_map(entry, physical, area->protection);
    vm_statistics.file_pages++;
    trace_file_page(physical / PAGE_SIZE, proc->pid, linear, from / PAGE_SIZE);
    return 0;
}

static int object_fault(struct proc *proc, const struct area *area, uint64_t linear, uint64_t *entry)
{
    int error;
    uint64_t index = area->offset + (linear - area->start) / PAGE_SIZE;
    uint64_t physical = object_page(area->object, index, proc->pid, &error);
    if (!physical)
        return error;
    page_map(entry, physical, area->shared ? area->protection : without_write(area->protection));
    vm_statistics.file_pages++;
    trace_file_page(physical / PAGE_SIZE, proc->pid, linear, index);
    return 0;
}

static int swapped_page(struct proc *proc, const struct area *area, uint64_t linear, uint64_t *entry)
{
    uint64_t slot = slot_of(*entry);
    if (swap_wait(slot))
        return 0;                           /* the instruction is tried again, whatever the entry says by now */
    uint64_t physical = frame_alloc(FRAME_USER, proc->pid, GFP_KERNEL);
    if (!physical)
        return -ENOMEM;
    struct frame *frame = frame_of(physical);
    frame->linear = linear;
    frame->flags |= FRAME_LOCKED;
    int error = swap_read(slot, physical);
    frame->flags &= ~FRAME_LOCKED;
    if (error) {
        frame_free(physical);
        return error;
    }
    if (area->kind == AREA_UKSHM)           /* ukshm.swap_exempt=off: it went like any other page */
        frame_set_owner(physical, FRAME_UKSHM, proc->pid);
    frame->slot = (uint32_t)slot;           /* the entry's count passes to the frame */
    page_map(entry, physical, area->protection);
    vm_statistics.swapped_in++;
    trace_swap_in(physical / PAGE_SIZE, slot, proc->pid, linear);
    return 0;
}

static int missing_page(struct proc *proc, const struct area *area, uint64_t linear, uint64_t *entry)
{
    if (is_swapped(*entry))
        return swapped_page(proc, area, linear, entry);
    uint64_t skipped = linear - area->start;
    if (!area->object || (!area->shared && skipped >= area->file_bytes))
        return zero_page(proc, area, linear, entry);
    if (!area->shared && area->file_bytes - skipped < PAGE_SIZE)
        return partial_page(proc, area, linear, entry);
    return object_fault(proc, area, linear, entry);
}

/* A write to a page that is present and may not be written yet, though the area allows it. */
static int copy_on_write(struct proc *proc, const struct area *area, uint64_t linear, uint64_t *entry)
{
    uint64_t old = *entry, from = old & PTE_ADDRESS;
    const struct frame *frame = frame_of(from);
    if (area->shared || (!frame->object && frame->mappings == 1)) {
        *entry |= PTE_RW;                   /* a right was added: at most one more fault, and this was it */
        return 0;
    }
    uint64_t copy = new_page(proc, linear, GFP_KERNEL);
    if (!copy)
        return -ENOMEM;
    if ((*entry ^ old) & (PTE_ADDRESS | PTE_P)) {
        frame_free(copy);                   /* it slept, and the page was taken meanwhile */
        return 0;
    }
    memcpy(direct_map(copy), direct_map(from), PAGE_SIZE);
    frame_of(copy)->flags |= FRAME_DIRTY;
    *entry = 0;
    page_drop(&old);
    page_map(entry, copy, area->protection);
    invalidate_page(proc, linear);          /* the frame changed: the old one may be somebody else's alone now */
    vm_statistics.copy_on_write++;
    trace_copy_on_write(from / PAGE_SIZE, copy / PAGE_SIZE, proc->pid, linear);
    return 0;
}

OBSERVABLE int handle_fault(struct proc *proc, uint64_t linear, uint64_t error_code)
{
    linear &= ~(uint64_t)(PAGE_SIZE - 1);
    const struct area *area = area_at(proc, linear);
    vm_statistics.faults++;
    if (!area_allows(area, error_code))
        return -EFAULT;
    uint64_t *entry = walk(proc->root, linear, 1, true, proc->pid);
    if (!entry)
        return -ENOMEM;
    if (entry_allows(*entry, error_code))
        return 0;                           /* the TLB held an older entry */
    if (!has_frame(*entry))
        return area->kind == AREA_KERNEL_RANGE ? -EFAULT : missing_page(proc, area, linear, entry);
    if (*entry & PTE_P && error_code & FAULT_W)
        return copy_on_write(proc, area, linear, entry);
    return -EFAULT;
}

uint64_t page_for_writing(struct proc *proc, uint64_t linear)
{
    for (;;) {
        const uint64_t *entry = walk(proc->root, linear, 1, false, 0);
        if (entry && entry_allows(*entry, FAULT_W)) {
            frame_of(*entry & PTE_ADDRESS)->flags |= FRAME_DIRTY;   /* the kernel's writes set no D in this entry */
            return *entry & PTE_ADDRESS;
        }
        if (handle_fault(proc, linear, FAULT_W))
            return 0;
    }
}
