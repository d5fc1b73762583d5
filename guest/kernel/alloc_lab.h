/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /dev/alloc: a program may try what only the kernel can ask of its allocators. Anyone may use it: it is a laboratory.
 * GFP is one or more names of enum gfp without "GFP_", joined by '|'.
 *   kmalloc BYTES GFP       takes them, says from which zone, gives them back
 *   frames ORDER GFP        the same with 2^ORDER frames
 *   objects                 a cache with a constructor: how often it runs
 *   ukshm by kmalloc, ukshm by frames, ukshm by cache      memory for sharing by a wrong door: -EPERM
 *   dma transfer            the driver of an old device, with 24 address lines; -EIO if they do not reach its buffer
 *   atomic all              atomic requests until one is refused -> how many came out of the reserve
 *   ledger                  changes two counters and takes memory in between; -EIO if it finds somebody's half change
 *   free twice              ends in a panic that says so
 *   self-check              -> how many findings
 * The result is 0 or more, or a negative error: -ENOMEM if the allocator had none, -EINVAL for another command.
 */
#ifndef KERNEL_ALLOC_LAB_H
#define KERNEL_ALLOC_LAB_H

#include "kernel.h"

int64_t alloc_lab(const char *command);

#endif
