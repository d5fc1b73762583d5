/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's only way to a program's memory. A wild pointer is -EFAULT, never a fault of the kernel. */
#ifndef KERNEL_USER_MEMORY_H
#define KERNEL_USER_MEMORY_H

#include "kernel.h"

int copy_from_user(void *to, uint64_t from, uint64_t length);
int copy_to_user(uint64_t to, const void *from, uint64_t length);

/* The length of the string; -EFAULT, or -ENAMETOOLONG if it does not end within size bytes. */
int copy_string_from_user(char *to, uint64_t from, uint64_t size);

#endif
