/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /dev/careless: a driver that makes the mistakes SMAP, SMEP and WP are there for. Anyone may use it: it is a
 * laboratory. Numbers are hexadecimal with or without 0x; ADDRESS lies in the program's half.
 *   read ADDRESS          a byte of the program, without STAC             -> the byte
 *   write ADDRESS VALUE   a byte into the program's memory, without STAC  -> 0
 *   jump ADDRESS          calls a function of the program, in ring 0      -> what the function returned
 *   write-rodata          the kernel's own read-only data                 -> 0, after it was put back
 * Where the CPU refuses, the command returns -EFAULT; where nothing does, a line says what damage was done.
 */
#ifndef KERNEL_CARELESS_H
#define KERNEL_CARELESS_H

#include "kernel.h"

int64_t careless_command(const char *text);

#endif
