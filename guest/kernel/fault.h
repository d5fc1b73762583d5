/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a page fault means: a promise of an area to keep, or a program's mistake. */
#ifndef KERNEL_FAULT_H
#define KERNEL_FAULT_H

#include "kernel.h"

struct proc;

/*
 * Makes the access possible: 0, and it can be tried again. -EFAULT: no area allows it. -ENOMEM: no memory, even
 * after reclaim. -EIO: the page cannot be read back. May sleep.
 */
int handle_fault(struct proc *proc, uint64_t linear, uint64_t error_code);

/* The frame of a page that need not be present, brought in for the kernel to write to, or 0. May sleep. */
uint64_t page_for_writing(struct proc *proc, uint64_t linear);

/* No memory is left: the largest process is told to die. Comes back when it is worth trying again. */
void out_of_memory(void);

#endif
