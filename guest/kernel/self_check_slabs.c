/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The audit of the slab allocator: each page on the list where it belongs, each free object in its chain once. */
#include "self_check.h"
#include "cmdline.h"
#include "slab.h"
#include "ukshm_memory.h"
#include "vm.h"

/* The chain goes through all objects but those in use; it is followed so far and no farther. */
static void check_chain(struct self_check *check, const struct slab *slab, uint64_t number)
{
    uint32_t free = 0, used = 0;
    uint8_t at = slab->first_free;
    while (at < slab->cache->per_slab && free <= slab->cache->per_slab) {
        free++;
        at = slab->next_free[at];
    }
    for (uint32_t i = 0; i < slab->cache->per_slab; i++)
        used += slab->next_free[i] == SLAB_IN_USE;
    expect(check, "slab in frame", number, "end of the free chain", at, SLAB_END);
    expect(check, "slab in frame", number, "free objects", free, slab->cache->per_slab - slab->in_use);
    expect(check, "slab in frame", number, "objects in use", used, slab->in_use);
}

/* All slabs of one list, each with from least to most objects in use. Their number; the objects are added up. */
static uint64_t check_list(struct self_check *check, const struct kmem_cache *cache, const struct slab *slab,
                           uint32_t least, uint32_t most, uint64_t *in_use)
{
    uint64_t count = 0;
    for (const struct slab *previous = 0; slab; previous = slab, slab = slab->next, count++) {
        uint64_t physical = (uint64_t)slab - DIRECT_MAP, number = physical / PAGE_SIZE;
        if (physical % PAGE_SIZE || !meet(check, number, MET_SLAB, "times on a cache's lists"))
            break;
        expect(check, "slab in frame", number, "of another cache", slab->cache != cache, false);
        expect(check, "slab in frame", number, "behind the wrong one", slab->previous != previous, false);
        expect(check, "slab in frame", number, "on the wrong list", slab->in_use < least || slab->in_use > most, false);
        if (cache->type == SLAB_DMA && switch_value(SWITCH_ALLOC_GFP) == ALLOC_GFP_HONOUR)
            expect(check, "slab in frame", number, "above 16 MiB", physical >= ZONE_DMA_END, false);
        if (slab->cache == cache)
            check_chain(check, slab, number);
        *in_use += slab->in_use;
    }
    return count;
}

static void check_cache(struct self_check *check, uint64_t number)
{
    const struct kmem_cache *cache = &kmem_caches[number];
    uint64_t in_use = 0, most = cache->per_slab;
    uint64_t slabs = check_list(check, cache, cache->partial, 1, (uint32_t)most - 1, &in_use)
                     + check_list(check, cache, cache->full, (uint32_t)most, (uint32_t)most, &in_use)
                     + check_list(check, cache, cache->empty, 0, 0, &in_use);
    expect(check, "cache", number, "slabs", cache->slabs, slabs);
    if (cache->type == SLAB_UKSHM)          /* its pages are on no list: the one hook counts them */
        in_use = ukshm_statistics.pages;
    expect(check, "cache", number, "objects in use", cache->in_use, in_use);
    expect(check, "cache", number, "objects given and not taken back", cache->allocations - cache->frees, in_use);
}

void check_slabs(struct self_check *check)
{
    for (int i = 0; i < kmem_cache_number; i++)
        check_cache(check, (uint64_t)i);
}
