/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The audit begins and ends here: the free lists first, every frame last. Nothing is believed, no list is endless. */
#include "self_check.h"
#include "cmdline.h"
#include "frame.h"
#include "swap.h"
#include "vm.h"

enum { FINDINGS_SHOWN = 16 };

void finding(struct self_check *check, const char *thing, uint64_t number, const char *what, uint64_t is,
             uint64_t should)
{
    if (++check->findings <= FINDINGS_SHOWN)
        printk("0: self-check: %s %lu: %s %lu, should be %lu\n", thing, number, what, is, should);
}

bool meet(struct self_check *check, uint64_t number, enum met as, const char *what)
{
    if (number >= frame_count) {
        expect(check, "frame", number, what, 1, 0);
        return false;
    }
    bool is_first = !(check->frames[number] & as);
    expect(check, "frame", number, what, is_first ? 1 : 2, 1);
    check->frames[number] |= as;
    return is_first;
}

static void check_free_block(struct self_check *check, const struct zone *zone, uint64_t number, unsigned order)
{
    uint64_t size = 1ull << order, buddy = number ^ size;
    expect(check, "frame", number, "order", frames[number].order, order);
    expect(check, "frame", number, "head of a free block", frames[number].is_free_block, true);
    expect(check, "frame", number, "distance from its alignment", number % size, 0);
    expect(check, "frame", number, "outside its zone", number < zone->start || number + size > zone->end, false);
    bool could_merge = order + 1 < ORDERS && buddy >= zone->start && buddy + size <= zone->end
                       && frames[buddy].is_free_block && frames[buddy].order == order;
    expect(check, "frame", number, "free beside its free buddy", could_merge, false);
}

static void check_zone(struct self_check *check, const struct zone *zone)
{
    uint64_t free = 0;
    for (unsigned order = 0; order < ORDERS; order++) {
        uint64_t previous = 0;
        for (uint64_t number = zone->lists[order]; number; number = frames[number].next) {
            /* A frame met twice ends the list: it is a ring, or runs into another. */
            bool is_new = true;
            for (uint64_t n = number; n < number + (1ull << order); n++)
                is_new &= meet(check, n, MET_FREE, "times on a free list");
            if (!is_new)
                break;
            check_free_block(check, zone, number, order);
            expect(check, "frame", number, "previous on its list", frames[number].previous, previous);
            previous = number;
            free += 1ull << order;
        }
    }
    expect(check, "zone", (uint64_t)(zone - zones), "free", zone->free, free);
}

/* Who maps it, who lists it, who owns it: one and the same story. */
static void check_frame(struct self_check *check, uint64_t number)
{
    const struct frame *frame = &frames[number];
    uint32_t met = check->frames[number];
    bool is_locked = frame->flags & FRAME_LOCKED;       /* on its way from or to the disk, and out of all tables */
    expect(check, "frame", number, "mappings", frame->mappings, met & MET_ENTRIES);
    expect(check, "frame", number, "free", frame->owner == FRAME_FREE, (met & MET_FREE) != 0);
    expect(check, "frame", number, "a paging structure", frame->owner == FRAME_TABLE, (met & MET_TABLE) != 0);
    expect(check, "frame", number, "a slab", frame->owner == FRAME_SLAB, (met & MET_SLAB) != 0);
    if (frame->owner == FRAME_FILE || met & MET_OBJECT)
        expect(check, "frame", number, "an object's page", (met & MET_OBJECT) != 0 || is_locked,
               frame->owner == FRAME_FILE);
    if (frame->owner == FRAME_USER || frame->owner == FRAME_UKSHM)
        expect(check, "frame", number, "mapped by nobody", !frame->mappings && !is_locked, false);
    if (frame->owner == FRAME_UKSHM && switch_value(SWITCH_UKSHM_SWAP_EXEMPT) == UKSHM_SWAP_EXEMPT_ON)
        expect(check, "frame", number, "swap-exempt", (frame->flags & FRAME_SWAP_EXEMPT) != 0, true);
}

OBSERVABLE int kernel_self_check(void)
{
    uint64_t numbers = frame_count + swap_slots() + 1;
    unsigned order = order_for(numbers * sizeof(uint32_t));
    uint64_t table = frames_alloc(FRAME_KERNEL, 0, GFP_KERNEL | GFP_ZERO, order);
    if (!table)
        return -ENOMEM;
    struct self_check check = {.frames = direct_map(table)};
    check.slots = check.frames + frame_count;
    check_zone(&check, &zones[ZONE_DMA]);
    check_zone(&check, &zones[ZONE_NORMAL]);
    expect(&check, "all", ZONES, "zones' free frames", free_frames, zones[ZONE_DMA].free + zones[ZONE_NORMAL].free);
    check_spaces(&check);
    check_slabs(&check);
    for (uint64_t number = 0; number < frame_count; number++)
        check_frame(&check, number);
    if (check.findings > FINDINGS_SHOWN)
        printk("0: self-check: and %d more\n", check.findings - FINDINGS_SHOWN);
    frames_free(table, order);
    return check.findings;
}
