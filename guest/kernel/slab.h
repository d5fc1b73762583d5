/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The slab allocator: objects of one size in pages of their own kind. A cache has a type, which says what memory its
 * pages are and what its users may expect.
 */
#ifndef KERNEL_SLAB_H
#define KERNEL_SLAB_H

#include "frame.h"

enum slab_type {
    SLAB_KERNEL,            /* the kernel's own; an allocation may sleep */
    SLAB_USER,              /* a program may come to see what it holds: each object is cleared when it is given */
    SLAB_DMA,               /* below 16 MiB, for devices that reach no further */
    SLAB_ATOMIC,            /* never sleeps: objects are kept in stock, and the reserve may be used */
    SLAB_UKSHM,             /* shared with programs: see ukshm_memory.h, which is its only door */
};

/* A page of objects; slab.c has the picture. */
enum { SLAB_IN_USE = 0xff, SLAB_END = 0xfe };

struct slab {
    struct kmem_cache *cache;
    struct slab *next, *previous;   /* on one of the cache's lists */
    uint16_t in_use;
    uint8_t first_free;             /* SLAB_END: none */
    uint8_t next_free[];            /* for each object the next free one, or SLAB_IN_USE */
};

/* The emulator reads kmem_caches by its debug information; programs in /proc/slabinfo. */
struct kmem_cache {
    const char *name;
    enum slab_type type;
    uint32_t object_bytes;
    uint32_t per_slab;              /* objects a page; of SLAB_UKSHM one */
    void (*constructor)(void *object);
    struct slab *partial, *full, *empty;
    uint64_t slabs, in_use, peak, allocations, frees, failures;
};

enum { CACHES_MAX = 24, OBJECT_BYTES_MAX = 2048 };
extern struct kmem_cache kmem_caches[CACHES_MAX];
extern int kmem_cache_number;

void slab_init(void);               /* after frame_init and vm_init: the caches of kmalloc */

/*
 * A cache lives for ever. The constructor runs once for each object, when its page is made: a user gives an object
 * back in the state in which it wants to find it. (Not for SLAB_USER, which clears.)
 */
struct kmem_cache *kmem_cache_create(const char *name, uint32_t object_bytes, enum slab_type type,
                                     void (*constructor)(void *object));
void *kmem_cache_alloc(struct kmem_cache *cache, enum gfp gfp);     /* 0: no memory */
void kmem_cache_free(struct kmem_cache *cache, void *object);
uint64_t kmem_cache_shrink(struct kmem_cache *cache);               /* gives empty pages back; how many */
uint64_t kmem_cache_shrink_all(void);

/* For ukshm_memory.c, which gets its pages elsewhere: a page more (1), a page less (-1), a failure (0). */
void kmem_cache_count(struct kmem_cache *cache, int change);

/* Memory by size: from the smallest cache that will do, or whole frames. */
void *kmalloc(uint64_t bytes, enum gfp gfp);
void kfree(void *pointer);

#endif
