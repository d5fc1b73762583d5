/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries of the user half: mapped, shared, protected, dropped; and the search for all entries of one frame. */
#include "page.h"
#include "area.h"
#include "object.h"
#include "proc.h"
#include "swap.h"
#include "tlb.h"

uint64_t page_rights(enum protection protection)
{
    return PTE_US | (protection & PROT_WRITE ? PTE_RW : 0) | (protection & PROT_EXEC ? 0 : pte_xd)
           | (protection == PROT_NONE ? PTE_HELD : PTE_P);
}

void page_map(uint64_t *entry, uint64_t physical, enum protection protection)
{
    frame_of(physical)->mappings++;
    *entry = physical | page_rights(protection);    /* was not present: no TLB can hold it, no INVLPG needed */
}

void page_free(uint64_t physical)
{
    if (frame_of(physical)->slot)
        slot_put(frame_of(physical)->slot);
    frame_free(physical);
}

/* A and D go with the entry: what reclaim wants to know, and what the frame owes to the swap area, is kept. */
static void frame_unmap(uint64_t entry)
{
    struct frame *frame = frame_of(entry & PTE_ADDRESS);
    frame->flags |= (entry & PTE_A ? FRAME_REFERENCED : 0) | (entry & PTE_D ? FRAME_DIRTY : 0);
    if (!--frame->mappings && !frame->object)
        page_free(entry & PTE_ADDRESS);     /* nobody else has it, and no object does */
}

void page_drop(uint64_t *entry)
{
    uint64_t old = *entry;
    *entry = 0;
    if (has_frame(old))
        frame_unmap(old);
    else if (is_swapped(old))
        slot_put(slot_of(old));
}

void page_unmap_range(struct proc *proc, uint64_t start, uint64_t end)
{
    uint64_t *entry;
    for (uint64_t at = start; (entry = next_entry(proc->root, &at, end)); at += PAGE_SIZE) {
        uint64_t old = *entry;
        *entry = 0;
        if (old & PTE_P)
            invalidate_page(proc, at);      /* before the frame can become somebody else's */
        page_drop(&old);
    }
}

void page_forget_range(struct proc *proc, uint64_t start, uint64_t end)
{
    uint64_t *entry;
    for (uint64_t at = start; (entry = next_entry(proc->root, &at, end)); at += PAGE_SIZE) {
        *entry = 0;
        invalidate_page(proc, at);
    }
}

/* Rights are taken away at once. They are never given here: a page may be shared, so the next write must fault. */
void page_protect_range(struct proc *proc, uint64_t start, uint64_t end, enum protection protection)
{
    static const uint64_t RIGHTS = PTE_P | PTE_HELD | PTE_US | PTE_RW;
    uint64_t *entry;
    for (uint64_t at = start; (entry = next_entry(proc->root, &at, end)); at += PAGE_SIZE) {
        uint64_t old = *entry;
        if (!has_frame(old))
            continue;
        uint64_t wanted = page_rights(protection);
        if (!(old & PTE_RW))
            wanted &= ~PTE_RW;
        *entry = (old & ~(RIGHTS | pte_xd)) | wanted;
        if (old & PTE_P)
            invalidate_page(proc, at);
    }
}

int page_share_range(struct proc *child, struct proc *parent, uint64_t start, uint64_t end)
{
    for (uint64_t at = start; next_entry(parent->root, &at, end); at += PAGE_SIZE) {
        uint64_t *copy = walk(child->root, at, 1, true, child->pid);
        if (!copy)
            return -ENOMEM;
        /* Making a table may have slept, and reclaim may have come by: the parent's entry is read only now. */
        uint64_t *entry = walk(parent->root, at, 1, false, 0);
        if (has_frame(*entry)) {
            struct frame *frame = frame_of(*entry & PTE_ADDRESS);
            if (frame->object)
                continue;           /* the child finds it by the object when it needs it */
            frame->mappings++;
            frame->flags |= FRAME_FORKED | (*entry & PTE_D ? FRAME_DIRTY : 0);
            *entry &= ~(PTE_RW | PTE_D);
        } else if (is_swapped(*entry)) {
            slot_get(slot_of(*entry));
        }
        *copy = *entry & ~PTE_A;
    }
    return 0;
}

uint64_t most_pages(void)
{
    return frame_count + swap_slots();
}

static bool has_address_space(const struct proc *proc)
{
    return proc->state != PROC_UNUSED && proc->state != PROC_ZOMBIE && proc->root;
}

/* One place in each process: the same address. */
static bool next_anonymous(const struct frame *frame, struct place *place)
{
    while (place->next_proc < procs_used) {
        struct proc *proc = &procs[place->next_proc++];
        if (!has_address_space(proc) || !(place->entry = walk(proc->root, frame->linear, 1, false, 0)))
            continue;
        place->proc = proc;
        place->linear = frame->linear;
        return true;
    }
    return false;
}

/* Any number of places in each process: one for each area of the object that reaches the page. */
static bool next_of_object(const struct frame *frame, struct place *place)
{
    for (; place->next_proc < procs_used; place->next_proc++, place->next_area = 0) {
        struct proc *proc = &procs[place->next_proc];
        while (has_address_space(proc) && place->next_area < proc->area_count) {
            const struct area *area = &proc->areas[place->next_area++];
            if (area->object != frame->object || frame->index < area->offset
                || frame->index - area->offset >= area_pages(area))
                continue;
            place->linear = area->start + (frame->index - area->offset) * PAGE_SIZE;
            place->proc = proc;
            if ((place->entry = walk(proc->root, place->linear, 1, false, 0)))
                return true;
        }
    }
    return false;
}

bool next_place(const struct frame *frame, struct place *place)
{
    return frame->object ? next_of_object(frame, place) : next_anonymous(frame, place);
}
