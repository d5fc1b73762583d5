/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The address-space allocator: first fit over a short sorted array. */
#include "area.h"
#include "frame.h"
#include "object.h"
#include "page.h"
#include "proc.h"
#include "vm.h"

static uint64_t round_up(uint64_t bytes) { return (bytes + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1); }

struct area *area_at(struct proc *proc, uint64_t linear)
{
    for (int i = 0; i < proc->area_count; i++)
        if (proc->areas[i].start <= linear && linear < proc->areas[i].end)
            return &proc->areas[i];
    return 0;
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

static bool is_user_range(uint64_t start, uint64_t pages)
{
    return start % PAGE_SIZE == 0 && pages && start < USER_TOP && pages <= (USER_TOP - start) / PAGE_SIZE;
}

int area_add(struct proc *proc, struct area area)
{
    if (!is_user_range(area.start, area_pages(&area)) || area.start < USER_LOWEST)
        return -EINVAL;
    int place = 0;
    while (place < proc->area_count && proc->areas[place].end <= area.start)
        place++;
    if (place < proc->area_count && proc->areas[place].start < area.end)
        return -EINVAL;
    if (proc->area_count == AREAS_MAX)
        return -ENOMEM;
    insert(proc, place, area);
    return 0;
}

int area_add_anonymous(struct proc *proc, uint64_t start, uint64_t pages, enum area_kind kind,
                       enum protection protection)
{
    if (!is_user_range(start, pages))
        return -EINVAL;
    return area_add(proc, (struct area){
        .start = start, .end = start + pages * PAGE_SIZE, .kind = kind, .protection = protection,
    });
}

/* The part of an area from one address to another, which lie inside it. */
static struct area part(const struct area *area, uint64_t start, uint64_t end)
{
    struct area piece = *area;
    uint64_t skipped = start - area->start;
    piece.start = start;
    piece.end = end;
    piece.offset += skipped / PAGE_SIZE;
    piece.file_bytes = area->file_bytes > skipped ? area->file_bytes - skipped : 0;
    return piece;
}

/* Cuts the area that holds linear in two, so that one begins there. The caller has seen to it that there is room. */
static void split_at(struct proc *proc, uint64_t linear)
{
    for (int i = 0; i < proc->area_count; i++) {
        struct area whole = proc->areas[i];
        if (whole.start >= linear || linear >= whole.end)
            continue;
        proc->areas[i] = part(&whole, whole.start, linear);
        insert(proc, i + 1, part(&whole, linear, whole.end));
        if (whole.object)
            object_get(whole.object);
    }
}

/* How many more areas there will be once the range begins and ends with one. */
static int splits_needed(const struct proc *proc, uint64_t start, uint64_t end)
{
    int count = 0;
    for (int i = 0; i < proc->area_count; i++) {
        const struct area *area = &proc->areas[i];
        count += area->start < start && start < area->end;
        count += area->start < end && end < area->end;
    }
    return count;
}

/* The kernel's own pages stay the kernel's; those of a window have gone back by its own hook before (ukshm.c). */
static void unmap(struct proc *proc, const struct area *area)
{
    if (area->kind == AREA_KERNEL_RANGE)
        page_forget_range(proc, area->start, area->end);
    else if (area->kind != AREA_GUARD && area->kind != AREA_UKSHM)
        page_unmap_range(proc, area->start, area->end);
    if (area->object)
        object_put(area->object);
}

int area_unmap(struct proc *proc, uint64_t start, uint64_t pages, enum area_kind kind)
{
    if (!is_user_range(start, pages))
        return -EINVAL;
    uint64_t end = start + pages * PAGE_SIZE;
    for (int i = 0; i < proc->area_count; i++) {
        const struct area *area = &proc->areas[i];
        if (area->start < end && area->end > start && area->kind != kind)
            return -EINVAL;
    }
    /* A hole in the middle makes two areas of one. */
    if (splits_needed(proc, start, end) == 2 && proc->area_count == AREAS_MAX && area_at(proc, start)->end > end)
        return -ENOMEM;
    for (int i = 0; i < proc->area_count;) {
        struct area area = proc->areas[i];
        if (area.start >= end || area.end <= start) {
            i++;
            continue;
        }
        uint64_t from = area.start > start ? area.start : start;
        uint64_t to = area.end < end ? area.end : end;
        bool before = from > area.start, behind = to < area.end;
        struct area gone = part(&area, from, to);
        remove(proc, i);
        if (behind)
            insert(proc, i, part(&area, to, area.end));
        if (before)
            insert(proc, i, part(&area, area.start, from));
        for (int pieces = before + behind; area.object && pieces; pieces--)
            object_get(area.object);
        unmap(proc, &gone);
        i += before + behind;
    }
    return 0;
}

static bool may_protect(const struct area *area)
{
    return area->kind == AREA_IMAGE || area->kind == AREA_STACK || area->kind == AREA_HEAP || area->kind == AREA_MMAP;
}

int area_protect(struct proc *proc, uint64_t start, uint64_t pages, enum protection protection)
{
    if (!is_user_range(start, pages))
        return -EINVAL;
    uint64_t end = start + pages * PAGE_SIZE;
    for (uint64_t at = start; at < end;) {
        const struct area *area = area_at(proc, at);
        if (!area)
            return -ENOMEM;
        if (!may_protect(area))
            return -EACCES;
        at = area->end;
    }
    if (proc->area_count + splits_needed(proc, start, end) > AREAS_MAX)
        return -ENOMEM;
    split_at(proc, start);
    split_at(proc, end);
    for (int i = 0; i < proc->area_count; i++) {
        struct area *area = &proc->areas[i];
        if (area->start < start || area->end > end)
            continue;
        area->protection = protection;
        page_protect_range(proc, area->start, area->end, protection);
    }
    return 0;
}

static struct area *heap_of(struct proc *proc)
{
    for (int i = 0; i < proc->area_count; i++)
        if (proc->areas[i].kind == AREA_HEAP && proc->areas[i].start == proc->heap_start)
            return &proc->areas[i];
    return 0;
}

int64_t area_set_break(struct proc *proc, uint64_t end)
{
    if (!end)
        return (int64_t)proc->heap_end;
    if (end < proc->heap_start || end >= MMAP_BASE)
        return -EINVAL;
    uint64_t have = round_up(proc->heap_end), want = round_up(end);
    int error = 0;
    if (want < have) {
        error = area_unmap(proc, want, (have - want) / PAGE_SIZE, AREA_HEAP);
    } else if (want > have) {
        struct area *heap = heap_of(proc);
        if ((want - have) / PAGE_SIZE > most_pages())
            return -ENOMEM;
        if (heap && heap->end == have && heap->protection == (PROT_READ | PROT_WRITE))
            heap->end = want;
        else
            error = area_add_anonymous(proc, have, (want - have) / PAGE_SIZE, AREA_HEAP, PROT_READ | PROT_WRITE);
    }
    if (error)
        return error;
    proc->heap_end = end;
    return (int64_t)end;
}

void area_unmap_all(struct proc *proc)
{
    for (int i = 0; i < proc->area_count; i++)
        unmap(proc, &proc->areas[i]);
    proc->area_count = 0;
}
