/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Second chance: a hand goes round over all frames. A page that was touched since the hand last came by (A in one of
 * its entries) loses the mark and stays; one that was not is taken.
 *
 * The order in which it is taken, for each step is seen by processes that run while the disk is at work: lock the
 * frame, let every entry stand for the slot, invalidate each, write, and only then give the frame to somebody else.
 */
#include "reclaim.h"
#include "area.h"
#include "frame.h"
#include "object.h"
#include "page.h"
#include "proc.h"
#include "slab.h"
#include "swap.h"
#include "tlb.h"
#include "trace.h"

enum { ROUNDS = 2 };                /* the first may only take marks away */

struct vm_statistics vm_statistics;

static uint64_t hand;
static int writing;                 /* frames that are on their way to the disk, for all callers */

static bool maps(const struct place *place, uint64_t physical)
{
    return has_frame(*place->entry) && (*place->entry & PTE_ADDRESS) == physical;
}

/* Takes A out of every entry. A is trusted next time, so cached copies that still say A must go. */
static bool was_touched(struct frame *frame, uint64_t physical)
{
    bool touched = frame->flags & FRAME_REFERENCED;
    frame->flags &= ~FRAME_REFERENCED;
    struct place place = {0};
    while (next_place(frame, &place)) {
        if (!maps(&place, physical) || !(*place.entry & PTE_A))
            continue;
        *place.entry &= ~PTE_A;
        invalidate_page(place.proc, place.linear);
        touched = true;
    }
    return touched;
}

/* After this nobody reaches the frame any more. becomes is 0, or stands for a slot and is counted for each entry. */
static void replace_entries(struct frame *frame, uint64_t physical, uint64_t becomes)
{
    struct place place = {0};
    while (next_place(frame, &place)) {
        if (!maps(&place, physical))
            continue;
        if (*place.entry & PTE_D)
            frame->flags |= FRAME_DIRTY;
        bool was_present = *place.entry & PTE_P;
        *place.entry = becomes && !frame->object ? becomes : 0;
        if (was_present)
            invalidate_page(place.proc, place.linear);
        if (*place.entry)
            slot_get(slot_of(becomes));
        frame->mappings--;
    }
    if (frame->object) {            /* its entries are empty now: they ask the object */
        frame->object->pages[frame->index] = becomes;
        if (becomes)
            slot_get(slot_of(becomes));
    }
}

static bool is_dirty(const struct frame *frame, uint64_t physical)
{
    /* The kernel writes to a shared page by its own address: the process's entry shows no D of it. */
    bool dirty = frame->flags & FRAME_DIRTY || frame->owner == FRAME_UKSHM;
    struct place place = {0};
    while (next_place(frame, &place))
        dirty |= maps(&place, physical) && *place.entry & PTE_D;
    return dirty;
}

/* The slot to write to: the one it came from, if nobody else needs what that says, or a new one. */
static uint64_t slot_for(struct frame *frame)
{
    if (frame->slot && slot_references(frame->slot) == 1)
        return frame->slot;
    uint64_t slot = slot_alloc();
    if (slot && frame->slot)
        slot_put(frame->slot);
    if (slot)
        frame->slot = (uint32_t)slot;
    return slot;
}

/* The disk refused: whoever was promised the slot has the frame again, and the next try takes another slot. */
static void undo(struct frame *frame, uint64_t physical)
{
    uint64_t slot = frame->slot;
    struct place place = {0};
    while (next_place(frame, &place)) {
        if (!is_swapped(*place.entry) || slot_of(*place.entry) != slot)
            continue;
        slot_put(slot);
        const struct area *area = area_at(place.proc, place.linear);
        *place.entry = physical | page_rights(area->protection & ~PROT_WRITE);      /* a write asks the area again */
        frame->mappings++;
    }
    if (frame->object && frame->object->pages[frame->index] == swapped_entry(slot)) {
        slot_put(slot);
        frame->object->pages[frame->index] = physical | PTE_P;
    }
    slot_put(slot);
    frame->slot = 0;
    frame->flags |= FRAME_DIRTY;
}

/*
 * Whoever maps the object may let go of it while the disk writes: it lives until this is done. true if the frame can
 * be freed; if not, it is its owner's again, or has gone with its owner.
 */
static bool write_out(struct frame *frame, uint64_t physical, uint64_t slot)
{
    struct object *object = frame->object;
    if (object)
        object_get(object);
    writing++;
    int error = swap_write(slot, physical);
    writing--;
    if (error)
        undo(frame, physical);
    frame->flags &= ~FRAME_LOCKED;
    wake_up(&writing);
    vm_statistics.written += !error;
    bool stays = error && (object || frame->mappings);
    if (object)
        object_put(object);             /* if this was the last reference, a page that stays goes with it */
    return !stays;
}

static bool swap_out(struct frame *frame, uint64_t physical)
{
    bool dirty = is_dirty(frame, physical);
    uint64_t slot = dirty ? slot_for(frame) : frame->slot;
    if (dirty && !slot)
        return false;
    trace_swap_out(physical / PAGE_SIZE, slot, frame->pid, frame->object ? frame->index : frame->linear, dirty);
    if (dirty)
        frame->flags |= FRAME_LOCKED;
    replace_entries(frame, physical, slot ? swapped_entry(slot) : 0);
    if (dirty && !write_out(frame, physical, slot))
        return false;
    vm_statistics.dropped_clean += !dirty;
    if (frame->slot)
        slot_put(frame->slot);
    frame->slot = 0;
    frame_free(physical);
    vm_statistics.swapped_out++;
    return true;
}

/* Without a place on the swap area only what can be read again from a file can be taken. */
static bool is_candidate(const struct frame *frame)
{
    if (frame->flags & FRAME_LOCKED)
        return false;
    if (frame->owner == FRAME_FILE)
        return frame->object->file.bytes || frame->slot || swap_has_room();
    return (frame->owner == FRAME_USER || frame->owner == FRAME_UKSHM) && frame->mappings
           && (frame->slot || swap_has_room());
}

static bool take(uint64_t number)
{
    struct frame *frame = &frames[number];
    uint64_t physical = number * PAGE_SIZE;
    if (!is_candidate(frame))
        return false;
    vm_statistics.looked_at++;
    if (frame->flags & FRAME_SWAP_EXEMPT) {
        vm_statistics.skipped_exempt++;
        trace_reclaim_skip(number, frame->pid, frame->linear);
        return false;
    }
    if (was_touched(frame, physical)) {
        vm_statistics.second_chances++;
        return false;
    }
    return swap_out(frame, physical);
}

bool reclaim_pages(uint64_t wanted, uint64_t limit)
{
    uint64_t freed = 0;
    if (current->pid == PID_IDLE)
        return false;
    if (kmem_cache_shrink_all())
        return true;                /* empty slabs cost nobody anything */
    for (uint64_t looked = 0; looked < ROUNDS * frame_count && freed < wanted; looked++) {
        uint64_t number = hand;
        hand = hand + 1 < frame_count ? hand + 1 : 0;
        freed += number < limit && take(number);
    }
    if (!freed && writing) {
        sleep_on(&writing);         /* what others write out now will be free by and by */
        return true;
    }
    return freed;
}
