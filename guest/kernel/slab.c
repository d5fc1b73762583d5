/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "slab.h"
#include "vm.h"
void *kmalloc(size_t bytes, enum gfp gfp) { (void)bytes; uint64_t p = frame_alloc(FRAME_SLAB, 0, gfp); return p ? direct_map(p) : 0; }
void kfree(void *p) { frame_free((uint64_t)p - DIRECT_MAP); }
uint64_t frames_alloc(enum frame_owner owner, int pid, enum gfp gfp, unsigned order) { (void)order; return frame_alloc(owner, pid, gfp); }
void frames_free(uint64_t physical, unsigned order) { (void)order; frame_free(physical); }
