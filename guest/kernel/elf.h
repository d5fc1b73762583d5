/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs: static ELF64 files. */
#ifndef KERNEL_ELF_H
#define KERNEL_ELF_H

#include "cpio.h"
#include "proc.h"

/* Makes an area of each segment of the program, and places the heap behind them.
 * 0, -ENOEXEC for a file we do not run, -ENOMEM. */
int elf_load(struct proc *proc, const struct file *file, uint64_t *entry);

#endif
