/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /dev/upcall: reverse syscalls to order, without a network or a file system behind them. Commands:
 *   call ROLE LENGTH [SEED [TICKS]]    a page with LENGTH bytes, SEED, SEED + 1, ...; ROLE is firewall or netfs
 *   ask ROLE [SEED [TICKS]]            without a page; argument[0] is SEED
 * write returns the call's id, or an error. read waits for a call to end and tells of it in one line; 0 is the end:
 * no call is under way.
 */
#ifndef KERNEL_UPCALL_LAB_H
#define KERNEL_UPCALL_LAB_H

#include "kernel.h"

int64_t upcall_lab(const char *command);
int64_t upcall_lab_read(uint64_t to, uint64_t length);

#endif
