/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The address-space allocator: first fit over a short sorted array. */
#include "area.h"
#include "frame.h"
#include "proc.h"
#include "vm.h"

uint64_t page_rights(enum protection protection)
{
    return PTE_US | (protection & PROT_WRITE ? PTE_RW : 0) | (protection & PROT_EXEC ? 0 : pte_xd);
}

OBSERVABLE uint64_t area_find_free(const struct proc *proc, uint64_t pages)
{
    uint64_t at = MMAP_BASE;
    if (pages > (USER_TOP - MMAP_BASE) / PAGE_SIZE)
        return 0;
    for (int i = 0; i < proc->area_count; i++) {
        if (proc->areas[i].end <= at)
            continue;
        if (proc->areas[i].start >= at + pages * PAGE_SIZE)
            break;
        at = proc->areas[i].end;
    }
    return at + pages * PAGE_SIZE <= USER_TOP ? at : 0;
}

static void insert(struct proc *proc, int place, struct area area)
{
    for (int i = proc->area_count; i > place; i--)
        proc->areas[i] = proc->areas[i - 1];
    proc->areas[place] = area;
    proc->area_count++;
}

static void remove(struct proc *proc, int place)
{
    proc->area_count--;
    for (int i = place; i < proc->area_count; i++)
        proc->areas[i] = proc->areas[i + 1];
}

int area_add(struct proc *proc, uint64_t start, uint64_t pages, enum area_kind kind, enum protection protection)
{
    if (start % PAGE_SIZE || !pages || start < USER_LOWEST || start >= USER_TOP
        || pages > (USER_TOP - start) / PAGE_SIZE)
        return -EINVAL;
    uint64_t end = start + pages * PAGE_SIZE;
    int place = 0;
    while (place < proc->area_count && proc->areas[place].end <= start)
        place++;
    if (place < proc->area_count && proc->areas[place].start < end)
        return -EINVAL;
    if (proc->area_count == AREAS_MAX)
        return -ENOMEM;
    insert(proc, place, (struct area){start, end, kind, protection});
    return 0;
}

int area_map(struct proc *proc, uint64_t start, uint64_t pages, enum area_kind kind, enum protection protection)
{
    enum frame_owner owner = kind == AREA_UKSHM ? FRAME_UKSHM : FRAME_USER;
    if (pages > free_frames)
        return -ENOMEM;
    int error = area_add(proc, start, pages, kind, protection);
    for (uint64_t i = 0; !error && i < pages; i++) {
        uint64_t frame = frame_alloc(owner, proc->pid, GFP_USER);
        error = frame ? map_pages(proc->root, start + i * PAGE_SIZE, frame, 1, page_rights(protection), proc->pid)
                      : -ENOMEM;
        if (error && frame)
            frame_free(frame);
        if (error)
            area_unmap(proc, start, pages, kind);
    }
    return error;
}

static void unmap(struct proc *proc, const struct area *area, uint64_t start, uint64_t end)
{
    if (area->kind != AREA_GUARD)
        unmap_pages(proc->root, start, (end - start) / PAGE_SIZE,
                    area->kind == AREA_KERNEL_RANGE ? KEEP_FRAMES : FREE_FRAMES);
}

int area_unmap(struct proc *proc, uint64_t start, uint64_t pages, enum area_kind kind)
{
    if (start % PAGE_SIZE || !pages || start >= USER_TOP || pages > (USER_TOP - start) / PAGE_SIZE)
        return -EINVAL;
    uint64_t end = start + pages * PAGE_SIZE;
    for (int i = 0; i < proc->area_count; i++) {
        const struct area *area = &proc->areas[i];
        if (area->start >= end || area->end <= start)
            continue;
        if (area->kind != kind)
            return -EINVAL;
        if (area->start < start && area->end > end && proc->area_count == AREAS_MAX)
            return -ENOMEM;         /* a hole in the middle makes two areas of one */
    }
    for (int i = 0; i < proc->area_count;) {
        struct area area = proc->areas[i];
        if (area.start >= end || area.end <= start) {
            i++;
            continue;
        }
        uint64_t from = area.start > start ? area.start : start;
        uint64_t to = area.end < end ? area.end : end;
        unmap(proc, &area, from, to);
        remove(proc, i);
        if (to < area.end)
            insert(proc, i, (struct area){to, area.end, area.kind, area.protection});
        if (from > area.start)
            insert(proc, i, (struct area){area.start, from, area.kind, area.protection});
        i += (to < area.end) + (from > area.start);
    }
    return 0;
}

void area_unmap_all(struct proc *proc)
{
    for (int i = 0; i < proc->area_count; i++)
        unmap(proc, &proc->areas[i], proc->areas[i].start, proc->areas[i].end);
    proc->area_count = 0;
}
