/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the loader told us, copied out of its own structures, which lie in memory we do not keep mapped low. */
#ifndef KERNEL_BOOT_INFO_H
#define KERNEL_BOOT_INFO_H

#include "kernel.h"

struct boot_info {
    uint64_t ram_end;               /* RAM is usable from KERNEL_PHYSICAL up to here */
    uint64_t module, module_size;   /* the archive of programs; size 0 if there is none */
    const char *command_line;       /* in the direct map, in the loader's memory, which stays reserved */
};

struct boot_info boot_info_read(uint64_t start_info);

#endif
