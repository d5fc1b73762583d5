/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A slab is one page: a header, a table, and objects. The table says for each object which free one comes next, or
 * that it is in use. It lies apart from the objects so that a free object keeps the state its constructor gave it,
 * and so that giving one back twice is seen.
 *
 *   | struct slab | next[0] .. next[n-1] | object 0 | object 1 | ... | object n-1 |
 */
#include "slab.h"
#include "proc.h"
#include "ukshm_memory.h"
#include "vm.h"

enum { ALIGNMENT = 16, STOCK_SLABS = 1 };

struct kmem_cache kmem_caches[CACHES_MAX];
int kmem_cache_number;

static const uint16_t KMALLOC_BYTES[] = {32, 64, 128, 256, 512, 1024, OBJECT_BYTES_MAX};
enum { KMALLOC_CACHES = sizeof KMALLOC_BYTES / sizeof *KMALLOC_BYTES };
static struct kmem_cache *kmalloc_caches[2][KMALLOC_CACHES];        /* ordinary, and for GFP_DMA */

static uint64_t objects_offset(uint32_t count)
{
    return (sizeof(struct slab) + count + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1);
}

static void *object_at(const struct slab *slab, uint32_t index)
{
    return (uint8_t *)slab + objects_offset(slab->cache->per_slab) + index * slab->cache->object_bytes;
}

static void list_push(struct slab **list, struct slab *slab)
{
    slab->previous = 0;
    slab->next = *list;
    if (*list)
        (*list)->previous = slab;
    *list = slab;
}

static void list_remove(struct slab **list, struct slab *slab)
{
    if (slab->next)
        slab->next->previous = slab->previous;
    if (slab->previous)
        slab->previous->next = slab->next;
    else
        *list = slab->next;
}

static struct slab **list_of(struct kmem_cache *cache, const struct slab *slab)
{
    if (!slab->in_use)
        return &cache->empty;
    return slab->in_use == cache->per_slab ? &cache->full : &cache->partial;
}

static enum gfp gfp_of(const struct kmem_cache *cache, enum gfp gfp)
{
    switch (cache->type) {
    case SLAB_DMA: return gfp | GFP_DMA;
    case SLAB_ATOMIC: return GFP_ATOMIC;
    default: return gfp & ~(enum gfp)GFP_ZERO;
    }
}

static bool grow(struct kmem_cache *cache, enum gfp gfp)
{
    uint64_t physical = frame_alloc(FRAME_SLAB, 0, gfp_of(cache, gfp));
    if (!physical)
        return false;
    struct slab *slab = direct_map(physical);
    *slab = (struct slab){.cache = cache};
    for (uint32_t i = 0; i < cache->per_slab; i++) {
        slab->next_free[i] = (uint8_t)(i + 1 < cache->per_slab ? i + 1 : SLAB_END);
        if (cache->constructor)
            cache->constructor(object_at(slab, i));
    }
    list_push(&cache->empty, slab);
    cache->slabs++;
    return true;
}

struct kmem_cache *kmem_cache_create(const char *name, uint32_t object_bytes, enum slab_type type,
                                     void (*constructor)(void *object))
{
    if (kmem_cache_number == CACHES_MAX || (type != SLAB_UKSHM && (!object_bytes || object_bytes > OBJECT_BYTES_MAX)))
        panic("no cache for %s, objects of %u bytes", name, object_bytes);
    struct kmem_cache *cache = &kmem_caches[kmem_cache_number++];
    uint32_t bytes = (object_bytes + ALIGNMENT - 1) & ~(uint32_t)(ALIGNMENT - 1), count = 1;
    while (type != SLAB_UKSHM && count + 1 < SLAB_END && objects_offset(count + 1) + (count + 1) * bytes <= PAGE_SIZE)
        count++;
    *cache = (struct kmem_cache){
        .name = name, .type = type, .object_bytes = bytes, .per_slab = count, .constructor = constructor,
    };
    for (int i = 0; type == SLAB_ATOMIC && i < STOCK_SLABS; i++)
        grow(cache, GFP_ATOMIC);
    return cache;
}

OBSERVABLE void *kmem_cache_alloc(struct kmem_cache *cache, enum gfp gfp)
{
    if (cache->type == SLAB_UKSHM || gfp & GFP_SHARED) {
        ukshm_refuse(gfp, current->pid, (uint64_t)__builtin_return_address(0));
        return 0;
    }
    if (!cache->partial && !cache->empty && !grow(cache, gfp)) {
        cache->failures++;
        return 0;
    }
    struct slab *slab = cache->partial ? cache->partial : cache->empty;
    list_remove(list_of(cache, slab), slab);
    uint8_t index = slab->first_free;
    slab->first_free = slab->next_free[index];
    slab->next_free[index] = SLAB_IN_USE;
    slab->in_use++;
    list_push(list_of(cache, slab), slab);
    kmem_cache_count(cache, 1);
    void *object = object_at(slab, index);
    if (cache->type == SLAB_USER || gfp & GFP_ZERO)
        memset(object, 0, cache->object_bytes);
    return object;
}

OBSERVABLE void kmem_cache_free(struct kmem_cache *cache, void *object)
{
    struct slab *slab = (struct slab *)((uint64_t)object & ~(uint64_t)(PAGE_SIZE - 1));
    uint64_t offset = (uint64_t)object - (uint64_t)slab - objects_offset(cache->per_slab);
    uint64_t index = offset / cache->object_bytes;
    if (slab->cache != cache || index >= cache->per_slab || offset % cache->object_bytes)
        panic("%p is no object of the cache %s", (uint64_t)object, cache->name);
    if (slab->next_free[index] != SLAB_IN_USE)
        panic("%p of the cache %s is given back twice", (uint64_t)object, cache->name);
    list_remove(list_of(cache, slab), slab);
    slab->next_free[index] = slab->first_free;
    slab->first_free = (uint8_t)index;
    slab->in_use--;
    list_push(list_of(cache, slab), slab);
    kmem_cache_count(cache, -1);
}

void kmem_cache_count(struct kmem_cache *cache, int change)
{
    if (!change)
        cache->failures++;
    else if (change < 0)
        cache->frees++, cache->in_use--;
    else
        cache->allocations++, cache->in_use++;
    if (cache->in_use > cache->peak)
        cache->peak = cache->in_use;
}

uint64_t kmem_cache_shrink(struct kmem_cache *cache)
{
    uint64_t count = 0, keep = cache->type == SLAB_ATOMIC ? STOCK_SLABS : 0;
    while (cache->empty && cache->slabs > keep) {
        struct slab *slab = cache->empty;
        list_remove(&cache->empty, slab);
        frame_free((uint64_t)slab - DIRECT_MAP);
        cache->slabs--;
        count++;
    }
    return count;
}

uint64_t kmem_cache_shrink_all(void)
{
    uint64_t count = 0;
    for (int i = 0; i < kmem_cache_number; i++)
        count += kmem_cache_shrink(&kmem_caches[i]);
    return count;
}

void slab_init(void)
{
    static const char *const NAMES[2][KMALLOC_CACHES] = {
        {"kmalloc-32", "kmalloc-64", "kmalloc-128", "kmalloc-256", "kmalloc-512", "kmalloc-1024", "kmalloc-2048"},
        {"dma-32", "dma-64", "dma-128", "dma-256", "dma-512", "dma-1024", "dma-2048"},
    };
    for (int i = 0; i < KMALLOC_CACHES; i++) {
        kmalloc_caches[0][i] = kmem_cache_create(NAMES[0][i], KMALLOC_BYTES[i], SLAB_KERNEL, 0);
        kmalloc_caches[1][i] = kmem_cache_create(NAMES[1][i], KMALLOC_BYTES[i], SLAB_DMA, 0);
    }
}

OBSERVABLE void *kmalloc(uint64_t bytes, enum gfp gfp)
{
    if (gfp & GFP_SHARED) {
        ukshm_refuse(gfp, current->pid, (uint64_t)__builtin_return_address(0));
        return 0;
    }
    for (int i = 0; i < KMALLOC_CACHES; i++)
        if (bytes <= KMALLOC_BYTES[i])
            return kmem_cache_alloc(kmalloc_caches[(gfp & GFP_DMA) != 0][i], gfp);
    uint64_t physical = frames_alloc(FRAME_KERNEL, 0, gfp, order_for(bytes));
    return physical ? direct_map(physical) : 0;
}

OBSERVABLE void kfree(void *pointer)
{
    uint64_t physical = (uint64_t)pointer - DIRECT_MAP;
    if (physical / PAGE_SIZE >= frame_count)
        panic("kfree of %p, which is no address of the direct map", (uint64_t)pointer);
    const struct frame *frame = frame_of(physical);
    if (frame->owner == FRAME_KERNEL) {
        frames_free(physical, frame->order);
        return;
    }
    struct slab *slab = direct_map(physical & PTE_ADDRESS);
    if (frame->owner != FRAME_SLAB)
        panic("kfree of %p, which is not kmalloc's", (uint64_t)pointer);
    kmem_cache_free(slab->cache, pointer);
}
