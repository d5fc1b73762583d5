/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_DISK_H
#define KERNEL_DISK_H
#include "kernel.h"
static inline uint64_t disk_sectors(void) { return 0; }
static inline int disk_read(uint64_t a, uint64_t b, uint64_t c) { (void)a;(void)b;(void)c; return -EIO; }
static inline int disk_write(uint64_t a, uint64_t b, uint64_t c) { (void)a;(void)b;(void)c; return -EIO; }
#endif
