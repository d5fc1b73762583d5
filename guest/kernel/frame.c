/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame allocator. The order is fixed: the frame freed last goes out first; if there is none, the lowest that
 * was never used. RAM is zero at reset, so only frames that came back are cleared.
 */
#include "frame.h"
#include "boot_info.h"
#include "reclaim.h"
#include "trace.h"
#include "vm.h"

struct frame *frames;
uint64_t frame_count;
uint64_t free_frames;

static uint32_t free_list;          /* frames that came back; 0 is no frame: the firmware's page is never free */
static uint64_t never_used;         /* every frame from here up that says FRAME_FREE is still zero */

static uint64_t mark(uint64_t from, uint64_t to, enum frame_owner owner)
{
    uint64_t first = from / PAGE_SIZE, end = (to + PAGE_SIZE - 1) / PAGE_SIZE;
    for (uint64_t n = first; n < end; n++)
        frames[n].owner = owner;
    return end - first;
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

    uint64_t taken = mark(0, KERNEL_PHYSICAL, FRAME_RESERVED);
    taken += mark(KERNEL_PHYSICAL, table_end, FRAME_KERNEL);
    if (boot->module_size)
        taken += mark(boot->module, boot->module + boot->module_size, FRAME_MODULE);
    never_used = table_end / PAGE_SIZE;
    free_frames = frame_count - taken;
}

OBSERVABLE uint64_t frame_alloc(enum frame_owner owner, int pid, enum gfp gfp)
{
    uint64_t number = free_list;
    if (number) {
        free_list = frames[number].next;
    } else {
        while (never_used < frame_count && frames[never_used].owner != FRAME_FREE)
            never_used++;
        if (never_used == frame_count) {
            if (gfp & GFP_WAIT && reclaim_pages(16))
                return frame_alloc(owner, pid, gfp);
            return 0;
        }
        number = never_used++;
    }
    struct frame *frame = &frames[number];
    uint64_t physical = number * PAGE_SIZE;
    if (gfp & GFP_ZERO && frame->flags & FRAME_USED)
        memset(direct_map(physical), 0, PAGE_SIZE);
    *frame = (struct frame){.owner = owner, .flags = FRAME_USED, .pid = pid};
    free_frames--;
    trace_frame_owner(number, owner, pid);
    return physical;
}

OBSERVABLE void frame_free(uint64_t physical)
{
    uint64_t number = physical / PAGE_SIZE;
    if (physical % PAGE_SIZE || number >= frame_count || frames[number].owner <= FRAME_RESERVED)
        panic("frame_free of %p, which was not allocated", physical);
    frames[number] = (struct frame){.owner = FRAME_FREE, .flags = FRAME_USED, .next = free_list};
    free_list = (uint32_t)number;
    free_frames++;
    trace_frame_owner(number, FRAME_FREE, 0);
}
