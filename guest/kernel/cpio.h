/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The archive of programs that the loader put into memory. */
#ifndef KERNEL_CPIO_H
#define KERNEL_CPIO_H

#include "kernel.h"

struct file {
    const uint8_t *bytes;
    uint64_t length;
};

void cpio_init(const void *archive, uint64_t length);
bool cpio_find(const char *name, struct file *file);

#endif
