/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of the network: names that begin with /net/. What they hold only a program knows, the driver that is
 * registered as NETFS: each open, read, write and close is a reverse syscall to it. A page goes with the call, the
 * driver fills it, and from the same page the reader gets its bytes.
 *
 * Whatever becomes of the driver, the one who waits for it gets an error: -ENODEV when there is none, -EIO when it
 * died or was replaced, -ETIMEDOUT when it did not answer within 20 times ukshm.deadline, -EDEADLK when it is the
 * driver itself that asks. An error of the driver's own is passed on.
 */
#ifndef KERNEL_NETFS_H
#define KERNEL_NETFS_H

#include "kernel.h"

struct netfs_file;

void netfs_init(void);

/* The name behind /net/. 0 and the file, or a negative error. */
int netfs_open(const char *name, enum open_flags flags, struct netfs_file **opened);
int64_t netfs_read(struct netfs_file *file, uint64_t *position, uint64_t to, uint64_t length);     /* up to a page */
int64_t netfs_write(struct netfs_file *file, uint64_t *position, uint64_t from, uint64_t length);

/* Tells the driver that nothing more is coming, and waits for its word: only then is what was written safe. */
int netfs_close(struct netfs_file *file);

/* Nobody has it open any more. The driver is told, if it was not yet; nobody waits. */
void netfs_release(struct netfs_file *file);

#endif
