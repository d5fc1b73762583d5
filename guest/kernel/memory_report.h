/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a program may read of the kernel's memory: /proc/meminfo and /proc/slabinfo; /proc/vmstat is in reclaim.h. */
#ifndef KERNEL_MEMORY_REPORT_H
#define KERNEL_MEMORY_REPORT_H

#include "frame.h"

/* Each writes at most size - 1 characters and a zero byte. How many characters. */
size_t meminfo_text(char *to, size_t size);
size_t slabinfo_text(char *to, size_t size);

/* "user", "table" ...: one word, for a line of text. */
const char *frame_owner_name(enum frame_owner owner);

#endif
