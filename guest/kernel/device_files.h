/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of /dev. A new device is a row of the table in device_files.c. */
#ifndef KERNEL_DEVICE_FILES_H
#define KERNEL_DEVICE_FILES_H

#include "kernel.h"

enum { COMMAND_MAX = 64 };

struct device {
    const char *name;
    /* The program's buffer, by its own address; a function left out refuses an open for it with -EACCES. */
    int64_t (*read)(uint64_t to, uint64_t length);
    int64_t (*write)(uint64_t from, uint64_t length);
    /* In the place of write: gets what was written as a string, without its last newline; write returns its result. */
    int64_t (*command)(const char *text);
};

const struct device *device_find(const char *name);     /* without "/dev/"; 0 if there is none */
bool device_reads(const struct device *device);
bool device_writes(const struct device *device);
int64_t device_read(const struct device *device, uint64_t to, uint64_t length);
int64_t device_write(const struct device *device, uint64_t from, uint64_t length);

#endif
