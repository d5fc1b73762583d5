/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel tells about itself in words: one line a thing, columns parted by a space. */
#include "proc_files.h"
#include "cmdline.h"
#include "memory_report.h"
#include "net/net_report.h"
#include "proc.h"
#include "reclaim.h"

/* pid, parent, state, uid, name. */
static size_t processes(char *to, size_t size)
{
    static const char *const states[] = {
        [PROC_EMBRYO] = "embryo", [PROC_READY] = "ready", [PROC_RUNNING] = "running",
        [PROC_SLEEPING] = "sleeping", [PROC_PAUSED] = "paused", [PROC_WAITING] = "waiting",
        [PROC_BLOCKED] = "blocked", [PROC_ZOMBIE] = "zombie",
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
    for (int s = 0; s < SWITCH_COUNT; s++) {
        const struct kernel_switch *kernel_switch = &kernel_switches[s];
        const char *value = kernel_switch->values[switch_value((enum switch_number)s)];
        length += scnprintf(to + length, size - length, "%s ", kernel_switch->name);
        if (*value == '#')
            length += scnprintf(to + length, size - length, "%lu\n", switch_number_value((enum switch_number)s));
        else
            length += scnprintf(to + length, size - length, "%s\n", value);
    }
    return length;
}

static const struct { const char *name; proc_text *text; } texts[] = {
    {"meminfo", meminfo_text},
    {"net", net_text},
    {"processes", processes},
    {"slabinfo", slabinfo_text},
    {"switches", switches},
    {"vmstat", vmstat_text},
};

proc_text *proc_text_find(const char *name)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!strcmp(texts[i].name, name))
            return texts[i].text;
    return 0;
}
