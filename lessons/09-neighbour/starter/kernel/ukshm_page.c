/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the type SLAB_UKSHM is made of: where a piece of memory comes from that a program is to share. */
#include "cmdline.h"
#include "frame.h"
#include "slab.h"
#include "ukshm_memory.h"
#include "vm.h"

/*
 * A page that holds nothing else, shows nothing of who had it before, and stays where it is. Its physical address, or
 * 0 if there is no memory. ukshm_page_free, which takes it back, knows pages and objects.
 */
OBSERVABLE uint64_t ukshm_page_new(int pid)
{
    /*
     * LAB: "a new type of slab memory", taken at its word: an object like any other, on a page with others. Make it a
     * page to itself. It needs a frame (frame.h), nobody's bytes on it (memset, and direct_map of vm.h), an owner,
     * which is FRAME_UKSHM and pid, and the flag that reclaim obeys. A kernel may be out of memory.
     */
    (void)pid;
    void *object = kmalloc(1024, GFP_KERNEL);
    return object ? (uint64_t)object - DIRECT_MAP : 0;
}
