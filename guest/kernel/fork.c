/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fork: the child has what the parent has, without a byte being copied. Both lose the right to write to private
 * pages, and whoever writes first gets a copy (fault.c). Shared memory stays shared; a window that is shared with
 * the kernel does not go to the child: the kernel made it for one process.
 */
#include "area.h"
#include "file.h"
#include "object.h"
#include "page.h"
#include "proc.h"
#include "tlb.h"
#include "trap.h"

static bool is_inherited(struct proc *parent, const struct area *area)
{
    if (area->kind == AREA_UKSHM || area->kind == AREA_KERNEL_RANGE)
        return false;
    /* The guard page behind a window goes with it. */
    const struct area *before = area_at(parent, area->start - 1);
    return area->kind != AREA_GUARD || !before || before->kind != AREA_UKSHM;
}

static int share_areas(struct proc *child, struct proc *parent)
{
    int error = 0;
    for (int i = 0; !error && i < parent->area_count; i++) {
        const struct area *area = &parent->areas[i];
        if (!is_inherited(parent, area))
            continue;
        error = area_add(child, *area);
        if (!error && area->object)
            object_get(area->object);
        if (!error && !area->shared)
            error = page_share_range(child, parent, area->start, area->end);
    }
    invalidate_space(parent);       /* writable entries of private pages may be in the TLB: no write may pass them */
    return error;
}

OBSERVABLE int process_fork(const struct trap_frame *frame)
{
    int error;
    struct proc *child = process_begin(current, &error);
    if (!child)
        return error;
    child->heap_start = current->heap_start;
    child->heap_end = current->heap_end;
    files_share(child, current);
    error = share_areas(child, current);
    if (error) {
        process_abandon(child);
        return error;
    }
    struct trap_frame registers = *frame;
    registers.rax = 0;              /* what fork returns in the child */
    return process_start(child, current->name, &registers);
}
