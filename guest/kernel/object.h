/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A memory object: pages that several address spaces may see at once. Either those of a file, which is never
 * written, so that every page can be dropped and read again; or memory shared since a fork, which can be swapped.
 * It lives as long as an area maps it.
 */
#ifndef KERNEL_OBJECT_H
#define KERNEL_OBJECT_H

#include "cpio.h"
#include "kernel.h"

struct object {
    struct file file;           /* bytes 0: shared memory */
    uint64_t page_count;
    uint64_t *pages;            /* for each page an entry as in page.h: a frame, a slot, or nothing yet */
    uint64_t table;             /* physical address of pages, */
    unsigned order;             /* which take 2^order frames */
    int references;
    struct object *next;
};

extern struct object *objects;     /* all there are; for those who look, not for those who change */

/* One more reference to the object of a file, made if need be; or a new object of shared memory. 0: no memory. */
struct object *object_of_file(const struct file *file);
struct object *object_of_memory(uint64_t pages);
void object_get(struct object *object);
void object_put(struct object *object);

/*
 * The frame of a page, brought in if need be; may sleep. 0, with the reason in *error: -ENOMEM, -EIO.
 * Map it before anything else can sleep: until then reclaim may take it away again.
 */
uint64_t object_page(struct object *object, uint64_t index, int pid, int *error);

#endif
