/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The audit of address spaces: what every entry of every process stands for, and what the swap area is held for. */
#include "self_check.h"
#include "cmdline.h"
#include "object.h"
#include "page.h"
#include "proc.h"
#include "swap.h"

enum { ENTRIES = 512, ROOT_LEVEL = 4, USER_ENTRIES = ENTRIES / 2 };

/* A table, and all below it from one entry to another. */
static void check_tables(struct self_check *check, uint64_t table, int level, int from, int to, int pid)
{
    uint64_t number = table / PAGE_SIZE;
    if (!meet(check, number, MET_TABLE, "times a paging structure"))
        return;
    expect(check, "table in frame", number, "pid", (uint64_t)frame_of(table)->pid, (uint64_t)pid);
    const uint64_t *entry = direct_map(table);
    for (int i = from; level > 1 && i < to; i++)
        if (entry[i] & PTE_P && !(entry[i] & PTE_PS))
            check_tables(check, entry[i] & PTE_ADDRESS, level - 1, 0, ENTRIES, pid);
}

static void count_slot(struct self_check *check, uint64_t slot, uint64_t linear)
{
    bool is_slot = slot && slot <= swap_slots();
    expect(check, "address", linear, "slot that is none", is_slot ? 0 : slot, 0);
    if (is_slot)
        check->slots[slot]++;
}

static bool fits(const struct frame *frame, const struct area *area, uint64_t linear)
{
    if (area->kind == AREA_KERNEL_RANGE)
        return frame->owner == FRAME_KERNEL;
    if (area->kind == AREA_UKSHM)
        return frame->owner == FRAME_UKSHM
               || (frame->owner == FRAME_SLAB
                   && switch_value(SWITCH_UKSHM_PAGE_EXCLUSIVE) == UKSHM_PAGE_EXCLUSIVE_OFF);
    if (frame->owner == FRAME_USER)
        return frame->linear == linear;
    return frame->owner == FRAME_FILE && frame->object == area->object
           && frame->index == area->offset + (linear - area->start) / PAGE_SIZE;
}

static void check_entry(struct self_check *check, struct proc *proc, uint64_t linear, uint64_t entry)
{
    const struct area *area = area_at(proc, linear);
    expect(check, "address", linear, "in no area", !area, false);
    if (is_swapped(entry))
        count_slot(check, slot_of(entry), linear);
    if (!area || !has_frame(entry))
        return;
    uint64_t number = (entry & PTE_ADDRESS) / PAGE_SIZE;
    expect(check, "address", linear, "beyond memory", number >= frame_count, false);
    if (number >= frame_count)
        return;
    expect(check, "frame", number, "fits the address that leads to it", fits(&frames[number], area, linear), true);
    if (area->kind != AREA_KERNEL_RANGE)        /* the kernel's own pages are lent, not counted */
        check->frames[number]++;
}

static void check_process(struct self_check *check, struct proc *proc)
{
    if (proc->state == PROC_UNUSED || proc->state == PROC_ZOMBIE || !proc->root)
        return;
    check_tables(check, proc->root, ROOT_LEVEL, 0, USER_ENTRIES, proc->pid);
    const uint64_t *own = direct_map(proc->root), *kernel = direct_map(kernel_root);
    for (int i = USER_ENTRIES; i < ENTRIES; i++)    /* A comes and goes in each copy */
        expect(check, "process", (uint64_t)proc->pid, "own entry for the kernel's half",
               (own[i] ^ kernel[i]) & ~PTE_A ? (uint64_t)i : 0, 0);
    uint64_t *entry;
    for (uint64_t at = 0; (entry = next_entry(proc->root, &at, USER_TOP)); at += PAGE_SIZE)
        check_entry(check, proc, at, *entry);
}

static void check_object(struct self_check *check, const struct object *object)
{
    for (uint64_t i = 0; i < object->page_count; i++) {
        uint64_t entry = object->pages[i], number = (entry & PTE_ADDRESS) / PAGE_SIZE;
        if (is_swapped(entry))
            count_slot(check, slot_of(entry), i * PAGE_SIZE);
        if (!has_frame(entry) || !meet(check, number, MET_OBJECT, "times an object's page"))
            continue;
        expect(check, "frame", number, "the page of another object", frames[number].object != object, false);
        expect(check, "frame", number, "index", frames[number].index, i);
    }
}

static void check_slots(struct self_check *check)
{
    uint64_t free = 0;
    for (uint64_t n = 0; n < frame_count; n++)
        if (frames[n].slot)
            count_slot(check, frames[n].slot, n * PAGE_SIZE);
    for (uint64_t slot = 1; slot <= swap_slots(); slot++) {
        expect(check, "swap slot", slot, "references", slot_references(slot), check->slots[slot]);
        free += !slot_references(slot);
    }
    expect(check, "swap area of slots", swap_slots(), "free", swap_slots_free(), free);
}

void check_spaces(struct self_check *check)
{
    check_tables(check, kernel_root, ROOT_LEVEL, USER_ENTRIES, ENTRIES, 0);
    for (int i = 1; i < procs_used; i++)            /* the idle process has the kernel's root */
        check_process(check, &procs[i]);
    for (const struct object *object = objects; object; object = object->next)
        check_object(check, object);
    check_slots(check);
}
