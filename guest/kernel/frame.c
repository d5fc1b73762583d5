/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame allocator: a buddy system in two zones. A block of 2^order frames is aligned to its size; cut in half it
 * is two buddies, whose numbers differ in one bit, and when both are free they become one again.
 *
 * The order is fixed: of the smallest blocks that will do the one freed last, and of a block that is cut the lower
 * half. RAM is zero at reset, so only frames that came back are cleared, and only for those who ask.
 */
#include "frame.h"
#include "boot_info.h"
#include "cmdline.h"
#include "reclaim.h"
#include "trace.h"
#include "ukshm_memory.h"
#include "vm.h"

enum { RESERVE_SHARE = 128, RESERVE_LEAST = 16, RECLAIM_AT_ONCE = 16, TRIES_FOR_A_BLOCK = 32 };

struct frame *frames;
uint64_t frame_count;
uint64_t free_frames;
struct zone zones[ZONES] = {[ZONE_DMA] = {.name = "DMA"}, [ZONE_NORMAL] = {.name = "normal"}};
struct frame_statistics frame_statistics;

static struct zone *zone_of(uint64_t number)
{
    return &zones[number < zones[ZONE_DMA].end ? ZONE_DMA : ZONE_NORMAL];
}

static void push(struct zone *zone, uint64_t number, unsigned order)
{
    struct frame *frame = &frames[number];
    frame->order = (uint8_t)order;
    frame->is_free_block = true;
    frame->previous = 0;
    frame->next = zone->lists[order];
    if (frame->next)
        frames[frame->next].previous = (uint32_t)number;
    zone->lists[order] = (uint32_t)number;
    zone->free += 1ull << order;
    free_frames += 1ull << order;
}

static void unlink(struct zone *zone, uint64_t number)
{
    struct frame *frame = &frames[number];
    if (frame->next)
        frames[frame->next].previous = frame->previous;
    if (frame->previous)
        frames[frame->previous].next = frame->next;
    else
        zone->lists[frame->order] = frame->next;
    frame->is_free_block = false;
    zone->free -= 1ull << frame->order;
    free_frames -= 1ull << frame->order;
}

/* Free frames from one number to another, as the largest aligned blocks that fit; from the end, so that the lowest
 * will be first on its list. */
static void push_range(struct zone *zone, uint64_t start, uint64_t end)
{
    if (start < zone->start)
        start = zone->start;
    if (end > zone->end)
        end = zone->end;
    while (start < end) {
        unsigned order = 0;
        while (order + 1 < ORDERS && end % (2ull << order) == 0 && end - start >= 2ull << order)
            order++;
        end -= 1ull << order;
        push(zone, end, order);
    }
}

/* Returns the number of the first frame behind. */
static uint64_t mark(uint64_t from, uint64_t to, enum frame_owner owner)
{
    uint64_t first = from / PAGE_SIZE, end = (to + PAGE_SIZE - 1) / PAGE_SIZE;
    for (uint64_t n = first; n < end; n++)
        frames[n].owner = owner;
    return end;
}

void frame_init(const struct boot_info *boot)
{
    /* The table lies right behind the kernel image. All below the image stays with firmware and loader. */
    uint64_t table = (uint64_t)kernel_end - KERNEL_BASE;
    frame_count = boot->ram_end / PAGE_SIZE;
    frames = direct_map(table);
    uint64_t table_end = table + frame_count * sizeof(struct frame);
    if (boot->module < table_end && boot->module + boot->module_size > KERNEL_PHYSICAL)
        panic("the archive of programs at %p leaves no room for the kernel: give the guest more memory",
              boot->module);

    mark(0, KERNEL_PHYSICAL, FRAME_RESERVED);
    uint64_t first = mark(KERNEL_PHYSICAL, table_end, FRAME_KERNEL), module = frame_count, behind = frame_count;
    if (boot->module_size) {
        module = boot->module / PAGE_SIZE;
        behind = mark(boot->module, boot->module + boot->module_size, FRAME_MODULE);
    }
    uint64_t border = ZONE_DMA_END / PAGE_SIZE;
    zones[ZONE_DMA].end = frame_count < border ? frame_count : border;
    zones[ZONE_NORMAL].start = zones[ZONE_DMA].end;
    zones[ZONE_NORMAL].end = frame_count;
    for (struct zone *zone = zones; zone < zones + ZONES; zone++) {
        push_range(zone, behind, frame_count);
        push_range(zone, first, module);
        zone->reserve = zone->free / RESERVE_SHARE;
        if (zone->free && zone->reserve < RESERVE_LEAST)
            zone->reserve = RESERVE_LEAST;
    }
}

/* Takes a block off the lists, or returns 0. What is cut off and not needed goes back. */
static uint64_t take(struct zone *zone, unsigned order)
{
    unsigned have = order;
    while (have < ORDERS && !zone->lists[have])
        have++;
    if (have == ORDERS)
        return 0;
    uint64_t number = zone->lists[have];
    unlink(zone, number);
    while (have > order) {
        have--;
        push(zone, number + (1ull << have), have);
    }
    return number;
}

static uint64_t take_from_zones(enum gfp gfp, unsigned order)
{
    for (int z = gfp & GFP_DMA ? ZONE_DMA : ZONE_NORMAL; z >= ZONE_DMA; z--) {
        struct zone *zone = &zones[z];
        bool spare = zone->free >= zone->reserve + (1ull << order);
        if (!spare && !(gfp & GFP_HIGH))
            continue;
        uint64_t number = take(zone, order);
        if (number && !spare)
            frame_statistics.from_reserve++;
        if (number)
            return number;
    }
    return 0;
}

static void hand_out(uint64_t number, enum frame_owner owner, int pid, enum gfp gfp, unsigned order)
{
    for (uint64_t n = number; n < number + (1ull << order); n++) {
        if (gfp & GFP_ZERO && frames[n].flags & FRAME_USED)
            memset(direct_map(n * PAGE_SIZE), 0, PAGE_SIZE);
        frames[n] = (struct frame){.owner = owner, .flags = FRAME_USED, .pid = pid, .order = ORDER_NONE};
        trace_frame_owner(n, owner, pid);
    }
    frames[number].order = (uint8_t)order;
    frame_statistics.allocations++;
}

static uint64_t allocate(enum frame_owner owner, int pid, enum gfp gfp, unsigned order, const void *caller)
{
    if (gfp & GFP_SHARED || owner == FRAME_UKSHM) {
        ukshm_refuse(gfp, pid, (uint64_t)caller);
        return 0;
    }
    if (switch_value(SWITCH_ALLOC_GFP) == ALLOC_GFP_IGNORE)
        gfp = (gfp & ~(GFP_DMA | GFP_HIGH)) | GFP_WAIT;     /* all are alike, as if they were GFP_KERNEL */
    uint64_t limit = gfp & GFP_DMA ? zones[ZONE_DMA].end : frame_count;
    for (int tries = 0; order < ORDERS; tries++) {
        uint64_t number = take_from_zones(gfp, order);
        if (number) {
            hand_out(number, owner, pid, gfp, order);
            return number * PAGE_SIZE;
        }
        /* Frames come back one by one: whether they make a block is luck, and luck is given so many tries. */
        if (!(gfp & GFP_WAIT) || (order && tries == TRIES_FOR_A_BLOCK) || !reclaim_pages(RECLAIM_AT_ONCE, limit))
            break;
    }
    frame_statistics.failures++;
    return 0;
}

OBSERVABLE uint64_t frames_alloc(enum frame_owner owner, int pid, enum gfp gfp, unsigned order)
{
    return allocate(owner, pid, gfp, order, __builtin_return_address(0));
}

OBSERVABLE void frames_free(uint64_t physical, unsigned order)
{
    uint64_t number = physical / PAGE_SIZE;
    if (physical % PAGE_SIZE || order >= ORDERS || number >= frame_count || frames[number].owner <= FRAME_RESERVED
        || frames[number].order != order)
        panic("frames_free of %p, order %u, which was not allocated", physical, order);
    for (uint64_t n = number; n < number + (1ull << order); n++) {
        frames[n] = (struct frame){.owner = FRAME_FREE, .flags = FRAME_USED, .order = ORDER_NONE};
        trace_frame_owner(n, FRAME_FREE, 0);
    }
    struct zone *zone = zone_of(number);
    for (; order + 1 < ORDERS; order++) {
        uint64_t buddy = number ^ 1ull << order;
        if (buddy < zone->start || buddy >= zone->end || !frames[buddy].is_free_block || frames[buddy].order != order)
            break;
        unlink(zone, buddy);
        number &= ~(1ull << order);
    }
    push(zone, number, order);
    frame_statistics.frees++;
}

OBSERVABLE uint64_t frame_alloc(enum frame_owner owner, int pid, enum gfp gfp)
{
    return allocate(owner, pid, gfp, 0, __builtin_return_address(0));
}

OBSERVABLE void frame_free(uint64_t physical)
{
    frames_free(physical, 0);
}

void frame_set_owner(uint64_t physical, enum frame_owner owner, int pid)
{
    struct frame *frame = frame_of(physical);
    frame->owner = owner;
    frame->pid = pid;
    trace_frame_owner(physical / PAGE_SIZE, owner, pid);
}

unsigned order_for(uint64_t bytes)
{
    unsigned order = 0;
    while (order < ORDERS && (uint64_t)PAGE_SIZE << order < bytes)
        order++;
    return order;
}
