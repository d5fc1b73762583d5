/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel tells about itself in words: one line a thing, columns parted by a space. */
#include "proc_files.h"
#include "cmdline.h"
#include "frame.h"
#include "proc.h"

enum { OWNERS = FRAME_FILE + 1 };

/* Frames by owner. */
static size_t meminfo(char *to, size_t size)
{
    static const char *const names[OWNERS] = {
        [FRAME_FREE] = "free", [FRAME_RESERVED] = "reserved", [FRAME_KERNEL] = "kernel", [FRAME_TABLE] = "table",
        [FRAME_SLAB] = "slab", [FRAME_USER] = "user", [FRAME_UKSHM] = "ukshm", [FRAME_MODULE] = "module",
        [FRAME_FILE] = "file",
    };
    uint64_t counts[OWNERS] = {0};
    for (uint64_t i = 0; i < frame_count; i++)
        counts[frames[i].owner]++;
    size_t length = scnprintf(to, size, "frames %lu\n", frame_count);
    for (int owner = 0; owner < OWNERS; owner++)
        length += scnprintf(to + length, size - length, "%s %lu\n", names[owner], counts[owner]);
    return length;
}

/* pid, parent, state, uid, name. */
static size_t processes(char *to, size_t size)
{
    static const char *const states[] = {
        [PROC_READY] = "ready", [PROC_RUNNING] = "running", [PROC_SLEEPING] = "sleeping", [PROC_PAUSED] = "paused",
        [PROC_WAITING] = "waiting", [PROC_BLOCKED] = "blocked", [PROC_ZOMBIE] = "zombie",
    };
    size_t length = 0;
    for (int i = 0; i < PROC_MAX; i++) {
        const struct proc *proc = &procs[i];
        if (proc->state != PROC_UNUSED)
            length += scnprintf(to + length, size - length, "%d %d %s %d %s\n", proc->pid,
                                proc->parent ? proc->parent->pid : 0, states[proc->state], proc->uid, proc->name);
    }
    return length;
}

static size_t switches(char *to, size_t size)
{
    size_t length = 0;
    for (int s = 0; s < SWITCH_COUNT; s++)
        length += scnprintf(to + length, size - length, "%s %s\n", kernel_switches[s].name,
                            kernel_switches[s].values[switch_value((enum switch_number)s)]);
    return length;
}

static const struct { const char *name; proc_text *text; } texts[] = {
    {"meminfo", meminfo},
    {"processes", processes},
    {"switches", switches},
};

proc_text *proc_text_find(const char *name)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!strcmp(texts[i].name, name))
            return texts[i].text;
    return 0;
}
