/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_SLAB_H
#define KERNEL_SLAB_H
#include "frame.h"
void *kmalloc(size_t bytes, enum gfp gfp);
void kfree(void *p);
#endif
