/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of /proc: texts about the kernel. A new one is a function and a row of the table in proc_files.c. */
#ifndef KERNEL_PROC_FILES_H
#define KERNEL_PROC_FILES_H

#include "kernel.h"

/* Writes the text with scnprintf; returns its length, which is less than size. What does not fit is cut. */
typedef size_t proc_text(char *to, size_t size);

proc_text *proc_text_find(const char *name);            /* without "/proc/"; 0 if there is none */

#endif
