/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel must tell the TLB. The CPU fills it on its own; it never empties it on its own.
 *
 * Without PCIDs a load of CR3 drops all but global entries, so only the running process has any. With PCIDs
 * (cpu.pcid) each slot of the process table has a tag of its own, loads of CR3 keep everything (bit 63), and an
 * entry of a process that is not running is named by its tag, in INVPCID.
 */
#ifndef KERNEL_TLB_H
#define KERNEL_TLB_H

#include "kernel.h"

struct proc;

void tlb_init(void);                                            /* CR4.PCIDE, where offered; after vm_init */
void load_root(const struct proc *proc);                        /* CR3: proc's address space, from now on */
void invalidate_page(const struct proc *proc, uint64_t linear); /* proc's entry of a user page has changed */
void invalidate_space(const struct proc *proc);                 /* many have */

#endif
