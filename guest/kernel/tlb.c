/* SPDX-License-Identifier: GPL-2.0-or-later */
/* INVLPG, MOV CR3 and INVPCID, each where it is the cheapest that suffices. */
#include "tlb.h"
#include "cmdline.h"
#include "cpu.h"
#include "proc.h"

enum { CR4_PCIDE = 1 << 17, INVPCID_ADDRESS = 0, INVPCID_SPACE = 1 };
static const uint64_t CR3_KEEP = 1ull << 63;

static bool pcid_enabled;

void tlb_init(void)
{
    if (!cpu_offers_pcid() || switch_value(SWITCH_CPU_PCID) != CPU_ON)
        return;
    write_cr4(read_cr4() | CR4_PCIDE);      /* CR3 holds tag 0 here, as it must */
    pcid_enabled = true;
}

static uint64_t pcid_of(const struct proc *proc)
{
    return pcid_enabled ? (uint64_t)(proc - procs) : 0;
}

void load_root(const struct proc *proc)
{
    write_cr3(proc->root | pcid_of(proc) | (pcid_enabled ? CR3_KEEP : 0));
}

static void invpcid(uint64_t type, uint64_t pcid, uint64_t linear)
{
    const struct { uint64_t pcid, linear; } descriptor = {pcid, linear};
    __asm__ volatile("invpcid %1, %0" : : "r"(type), "m"(descriptor) : "memory");
}

void invalidate_page(const struct proc *proc, uint64_t linear)
{
    if (proc == current)
        invlpg(linear);
    else if (pcid_enabled)
        invpcid(INVPCID_ADDRESS, pcid_of(proc), linear);
}

void invalidate_space(const struct proc *proc)
{
    if (pcid_enabled)
        invpcid(INVPCID_SPACE, pcid_of(proc), 0);
    else if (proc == current)
        write_cr3(proc->root);
}
