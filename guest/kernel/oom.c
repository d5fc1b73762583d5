/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When nothing can be reclaimed any more, one process ends, so that the others can go on. */
#include "fault.h"
#include "frame.h"
#include "proc.h"
#include "reclaim.h"
#include "trace.h"

enum { TICK = 1 };

/* Frames and, of what lies on the swap area, nothing: what matters is what its end would give back at once. */
static uint64_t frames_of(const struct proc *proc)
{
    uint64_t count = 0;
    for (uint64_t n = 0; n < frame_count; n++)
        count += frames[n].pid == proc->pid && frames[n].owner != FRAME_FREE;
    return count;
}

static struct proc *largest(uint64_t *size)
{
    struct proc *found = 0;
    *size = 0;
    for (int i = 2; i < procs_used; i++) {            /* neither idle nor init */
        if (procs[i].state == PROC_UNUSED || procs[i].state == PROC_ZOMBIE || procs[i].state == PROC_EMBRYO)
            continue;
        uint64_t frames_held = frames_of(&procs[i]);
        if (!found || frames_held > *size) {
            found = &procs[i];
            *size = frames_held;
        }
    }
    return found;
}

static bool somebody_is_dying(void)
{
    for (int i = 1; i < procs_used; i++)
        if (procs[i].killed == KILLED_OUT_OF_MEMORY && procs[i].state != PROC_UNUSED && procs[i].state != PROC_ZOMBIE)
            return true;
    return false;
}

OBSERVABLE void out_of_memory(void)
{
    if (current->killed)
        return;                     /* the way out is free already */
    if (!somebody_is_dying()) {
        uint64_t size;
        struct proc *victim = largest(&size);
        if (!victim)
            panic("out of memory, and there is no process but init");
        trace_oom_kill(victim->pid, size);
        vm_statistics.oom_kills++;
        process_mark_killed(victim, KILLED_OUT_OF_MEMORY);
        if (victim == current)
            return;
    }
    process_sleep(TICK);            /* the victim needs the CPU, and perhaps the disk, to end */
}
