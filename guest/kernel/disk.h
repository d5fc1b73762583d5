/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disk: sectors of 512 bytes to and from frames, by interrupts. The caller sleeps until its request is done, and
 * several may be under way; at boot, before any process runs, the CPU waits in HLT instead. Not for interrupt handlers.
 */
#ifndef KERNEL_DISK_H
#define KERNEL_DISK_H

#include "kernel.h"

enum { SECTOR_SIZE = 512, DISK_MOST_BYTES = 64 << 10 };

void disk_init(void);
uint64_t disk_sectors(void);        /* 0: there is none */

/*
 * bytes: whole sectors, up to DISK_MOST_BYTES, in a row in physical memory. The device reads or writes them there, so
 * whoever calls keeps the frames where they are until the call returns. 0, or -EIO.
 */
int disk_read(uint64_t sector, uint64_t physical, uint64_t bytes);
int disk_write(uint64_t sector, uint64_t physical, uint64_t bytes);

#endif
