/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one door to memory that is shared with programs, and the switches that take its virtues away one by one. */
#include "ukshm_memory.h"
#include "cmdline.h"
#include "proc.h"
#include "slab.h"
#include "swap.h"
#include "trace.h"
#include "upcall.h"
#include "vm.h"

enum { SMALL_BYTES = 1024 };

/* An object that the kernel keeps for itself, of the size of the naive design's buffers: their neighbour. */
struct kernel_secret {
    char note[48];
    uint64_t key[8];
    uint8_t rest[SMALL_BYTES - 48 - 64];
};

struct ukshm_statistics ukshm_statistics;
struct kmem_cache *ukshm_cache;
struct kernel_secret *kernel_secret;        /* only with ukshm.page_exclusive=off, */
static struct kmem_cache *small_cache;      /* as is this: what the kernel keeps, and what it shares, side by side */

static bool is_exclusive(void) { return switch_value(SWITCH_UKSHM_PAGE_EXCLUSIVE) == UKSHM_PAGE_EXCLUSIVE_ON; }

static void keep_secret(struct kernel_secret *secret)
{
    *secret = (struct kernel_secret){.note = "a key of the kernel's, for no program to see"};
    for (uint64_t i = 0; i < 8; i++)
        secret->key[i] = 0x6b65726e656c0000 + i;                /* "kernel", and a number */
}

/* Looked after whenever a page goes back; put right, so that each damage is told once. */
static void check_secret(void)
{
    struct kernel_secret wanted;
    if (!kernel_secret)
        return;
    keep_secret(&wanted);
    if (!memcmp(kernel_secret, &wanted, sizeof wanted))
        return;
    printk("%d: damage: the kernel's key at %p, on the page with the shared buffer, was overwritten\n", current->pid,
           (uint64_t)kernel_secret);
    *kernel_secret = wanted;
}

void ukshm_memory_init(void)
{
    ukshm_cache = kmem_cache_create("ukshm", PAGE_SIZE, SLAB_UKSHM, 0);
    if (is_exclusive())
        return;
    small_cache = kmem_cache_create("small", SMALL_BYTES, SLAB_ATOMIC, 0);
    kernel_secret = kmem_cache_alloc(small_cache, GFP_KERNEL);
    if (!kernel_secret)
        panic("no memory for the neighbour of shared objects");
    keep_secret(kernel_secret);
}

/* ukshm.page_exclusive=off: an ordinary object, and whatever else lies on its page. */
static uint64_t small_object(void)
{
    void *object = kmem_cache_alloc(small_cache, GFP_KERNEL);
    if (object && switch_value(SWITCH_UKSHM_ZERO) == UKSHM_ZERO_ON)
        memset(object, 0, SMALL_BYTES);
    return object ? (uint64_t)object - DIRECT_MAP : 0;
}

OBSERVABLE uint64_t ukshm_page_alloc(int pid)
{
    if (ukshm_statistics.pages >= switch_number_value(SWITCH_UKSHM_LIMIT)) {
        ukshm_statistics.over_limit++;
        return 0;
    }
    uint64_t physical = is_exclusive() ? ukshm_page_new(pid) : small_object();
    kmem_cache_count(ukshm_cache, physical ? 1 : 0);
    if (physical)
        ukshm_statistics.pages++;
    return physical;
}

OBSERVABLE void ukshm_page_free(uint64_t physical)
{
    check_secret();
    ukshm_statistics.pages--;
    kmem_cache_count(ukshm_cache, -1);
    if (!physical)
        return;
    struct frame *frame = frame_of(physical);
    frame->mappings--;              /* an ordinary page may hold several objects that are shared */
    if (frame->slot)
        slot_put(frame->slot);
    frame->slot = 0;
    if (frame->owner == FRAME_SLAB)
        kfree(direct_map(physical));
    else
        frame_free(physical);
}

/* ---- pages that were there before ---- */

/* Data of its own in an ordinary object, as a network stack keeps its packets; and whatever else lies on its page. */
static uint64_t move_to_object(const struct call *call, uint32_t *capacity)
{
    bool is_small = call->length <= SMALL_BYTES;
    if (call->length > OBJECT_BYTES_MAX)
        return 0;
    *capacity = is_small ? SMALL_BYTES : OBJECT_BYTES_MAX;
    uint8_t *object = is_small ? kmem_cache_alloc(small_cache, GFP_ATOMIC) : kmalloc(*capacity, GFP_ATOMIC);
    if (!object)
        return 0;
    memcpy(object, (uint8_t *)direct_map(call->physical) + call->offset, call->length);
    if (switch_value(SWITCH_UKSHM_ZERO) == UKSHM_ZERO_ON)
        memset(object + call->length, 0, *capacity - call->length);
    return (uint64_t)object - DIRECT_MAP;
}

/* Once is enough: what comes to the page while it is shared, the program knows. */
static void clear_around(struct call *call)
{
    uint8_t *page = direct_map(call->physical);
    uint32_t end = call->offset + call->length;
    if (call->cleared || switch_value(SWITCH_UKSHM_ZERO) == UKSHM_ZERO_OFF)
        return;
    memset(page, 0, call->offset);
    memset(page + end, 0, PAGE_SIZE - end);
    call->cleared = true;
}

static uint64_t convert(struct call *call, int pid, uint32_t *capacity)
{
    struct frame *frame = frame_of(call->physical);
    if (frame->owner != FRAME_KERNEL || frame->mappings || frame->order)
        panic("a page at %p is to be shared that is not a page of its own", call->physical);
    clear_around(call);
    frame_set_owner(call->physical, FRAME_UKSHM, pid);
    frame->flags |= FRAME_SWAP_EXEMPT;      /* always: the kernel goes on with this very page */
    *capacity = PAGE_SIZE - call->offset;
    return call->physical;
}

OBSERVABLE uint64_t ukshm_page_share(struct call *call, int pid, uint32_t *capacity)
{
    if (ukshm_statistics.pages >= switch_number_value(SWITCH_UKSHM_LIMIT)) {
        ukshm_statistics.over_limit++;
        return 0;
    }
    uint64_t physical = is_exclusive() ? convert(call, pid, capacity) : move_to_object(call, capacity);
    kmem_cache_count(ukshm_cache, physical ? 1 : 0);
    if (physical)
        ukshm_statistics.pages++;
    return physical;
}

static void end_sharing(struct frame *frame)
{
    check_secret();
    ukshm_statistics.pages--;
    kmem_cache_count(ukshm_cache, -1);
    frame->mappings--;
}

OBSERVABLE void ukshm_page_keep(uint64_t physical)
{
    struct frame *frame = frame_of(physical);
    end_sharing(frame);
    frame->flags &= ~FRAME_SWAP_EXEMPT;
    frame->linear = 0;
    frame_set_owner(physical, FRAME_KERNEL, 0);
}

OBSERVABLE void ukshm_page_return(const struct call *call, uint64_t physical, uint64_t length)
{
    struct frame *frame = frame_of(physical);
    if (frame->owner != FRAME_SLAB) {
        ukshm_page_keep(physical);
        return;
    }
    end_sharing(frame);
    memcpy((uint8_t *)direct_map(call->physical) + call->offset, direct_map(physical), length);
    kfree(direct_map(physical));
}

OBSERVABLE void ukshm_refuse(enum gfp gfp, int pid, uint64_t caller)
{
    ukshm_statistics.refused++;
    trace_ukshm_refused(caller, gfp, pid);
}
