/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables as text, a row a line. All numbers are counted when they are asked for, in pages unless the row says else. */
#include "memory_report.h"
#include "cmdline.h"
#include "reclaim.h"
#include "slab.h"
#include "swap.h"
#include "ukshm_memory.h"

static const char *const OWNER_NAMES[] = {
    [FRAME_FREE] = "free",   [FRAME_RESERVED] = "reserved", [FRAME_KERNEL] = "kernel",
    [FRAME_TABLE] = "table", [FRAME_SLAB] = "slab",         [FRAME_USER] = "user",
    [FRAME_UKSHM] = "ukshm", [FRAME_MODULE] = "module",     [FRAME_FILE] = "file",
};
enum { OWNERS = sizeof OWNER_NAMES / sizeof *OWNER_NAMES };

const char *frame_owner_name(enum frame_owner owner)
{
    return owner < OWNERS ? OWNER_NAMES[owner] : "nobody";
}

/* "zone normal free 3712 reserve 30 blocks 2 1 0 ...": how many free blocks of 1, 2, 4 ... 1024 pages. */
static size_t zone_row(char *to, size_t size, const struct zone *zone)
{
    size_t done = scnprintf(to, size, "zone %s pages %lu free %lu reserve %lu blocks", zone->name,
                            zone->end - zone->start, zone->free, zone->reserve);
    for (unsigned order = 0; order < ORDERS; order++) {
        uint64_t blocks = 0;
        for (uint64_t number = zone->lists[order]; number; number = frames[number].next)
            blocks++;
        done += scnprintf(to + done, size - done, " %lu", blocks);
    }
    return done + scnprintf(to + done, size - done, "\n");
}

static size_t owner_rows(char *to, size_t size)
{
    uint64_t counts[OWNERS] = {0};
    size_t done = 0;
    for (uint64_t n = 0; n < frame_count; n++)
        counts[frames[n].owner]++;
    for (unsigned owner = 0; owner < OWNERS; owner++)
        done += scnprintf(to + done, size - done, "%s %lu\n", OWNER_NAMES[owner], counts[owner]);
    return done;
}

size_t meminfo_text(char *to, size_t size)
{
    if (!size)
        return 0;
    const struct ukshm_statistics *shared = &ukshm_statistics;
    const struct frame_statistics *all = &frame_statistics;
    size_t done = scnprintf(to, size, "frames %lu\n", frame_count);
    for (int z = 0; z < ZONES; z++)
        done += zone_row(to + done, size - done, &zones[z]);
    done += owner_rows(to + done, size - done);
    done += scnprintf(to + done, size - done, "allocations %lu frees %lu failures %lu from_reserve %lu\n",
                      all->allocations, all->frees, all->failures, all->from_reserve);
    done += scnprintf(to + done, size - done, "shared %lu limit %lu over_limit %lu refused %lu\n", shared->pages,
                      switch_number_value(SWITCH_UKSHM_LIMIT), shared->over_limit, shared->refused);
    return done + scnprintf(to + done, size - done, "swap %lu swap_free %lu\n", swap_slots(), swap_slots_free());
}

size_t slabinfo_text(char *to, size_t size)
{
    static const char *const TYPES[] = {"kernel", "user", "dma", "atomic", "ukshm"};
    if (!size)
        return 0;
    size_t done = scnprintf(to, size, "name type bytes per_slab slabs in_use peak allocations frees failures\n");
    for (int i = 0; i < kmem_cache_number; i++) {
        const struct kmem_cache *cache = &kmem_caches[i];
        done += scnprintf(to + done, size - done, "%s %s %u %u %lu %lu %lu %lu %lu %lu\n", cache->name,
                          TYPES[cache->type], cache->object_bytes, cache->per_slab, cache->slabs, cache->in_use,
                          cache->peak, cache->allocations, cache->frees, cache->failures);
    }
    return done;
}

size_t vmstat_text(char *to, size_t size)
{
    const struct vm_statistics *now = &vm_statistics;
    const struct { const char *name; uint64_t value; } rows[] = {
        {"faults", now->faults}, {"demand_zero", now->demand_zero}, {"copy_on_write", now->copy_on_write},
        {"file_pages", now->file_pages}, {"swapped_in", now->swapped_in}, {"swapped_out", now->swapped_out},
        {"written", now->written}, {"dropped_clean", now->dropped_clean}, {"looked_at", now->looked_at},
        {"second_chances", now->second_chances}, {"skipped_exempt", now->skipped_exempt},
        {"oom_kills", now->oom_kills},
    };
    size_t done = 0;
    for (size_t i = 0; size && i < sizeof rows / sizeof *rows; i++)
        done += scnprintf(to + done, size - done, "%s %lu\n", rows[i].name, rows[i].value);
    return done;
}
