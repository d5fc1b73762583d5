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
    uint64_t physical = frame_alloc(FRAME_KERNEL, pid, GFP_KERNEL);
    if (!physical)
        return 0;
    if (switch_value(SWITCH_UKSHM_ZERO) == UKSHM_ZERO_ON)
        memset(direct_map(physical), 0, PAGE_SIZE);
    frame_set_owner(physical, FRAME_UKSHM, pid);
    if (switch_value(SWITCH_UKSHM_SWAP_EXEMPT) == UKSHM_SWAP_EXEMPT_ON)
        frame_of(physical)->flags |= FRAME_SWAP_EXEMPT;
    return physical;
}
