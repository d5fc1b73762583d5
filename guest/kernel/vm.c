/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 *   63      48 47    39 38    30 29    21 20    12 11       0
 *  | copies of |  PML4  |  PDPT  |   PD   |   PT   |  offset  |
 *  |   bit 47  |  index |  index |  index |  index |          |
 *               level 4  level 3  level 2  level 1
 */
#include "vm.h"
#include "cpu.h"
#include "frame.h"

uint64_t pte_xd;
uint64_t kernel_root;

extern uint8_t boot_stack_guard[];

enum { ENTRIES = 512, ROOT_LEVEL = 4, LARGE_PAGE = 2 << 20, USER_ENTRIES = ENTRIES / 2 };

static uint64_t index_of(uint64_t linear, int level) { return linear >> (12 + 9 * (level - 1)) & (ENTRIES - 1); }

OBSERVABLE uint64_t *walk(uint64_t root, uint64_t linear, int level, bool create, int pid)
{
    uint64_t *table = direct_map(root);
    for (int at = ROOT_LEVEL; at > level; at--) {
        uint64_t *entry = &table[index_of(linear, at)];
        if (!(*entry & PTE_P)) {
            uint64_t fresh = create ? frame_alloc(FRAME_TABLE, pid, GFP_USER) : 0;
            if (!fresh)
                return 0;
            /* Upper levels allow everything; the last entry decides. Only the halves differ, in U/S. */
            *entry = fresh | PTE_P | PTE_RW | (linear < USER_TOP ? PTE_US : 0);
        }
        if (*entry & PTE_PS)
            return 0;
        table = direct_map(*entry & PTE_ADDRESS);
    }
    return &table[index_of(linear, level)];
}

uint64_t *next_entry(uint64_t root, uint64_t *linear, uint64_t end)
{
    for (uint64_t at = *linear; at < end;) {
        uint64_t *table = direct_map(root);
        int level = ROOT_LEVEL;
        while (level > 1 && table[index_of(at, level)] & PTE_P)
            table = direct_map(table[index_of(at, level--)] & PTE_ADDRESS);
        if (level == 1 && table[index_of(at, 1)]) {
            *linear = at;
            return &table[index_of(at, 1)];
        }
        /* What is missing here is missing for all that one entry of this level spans. */
        uint64_t span = 1ull << (12 + 9 * (level - 1));
        at = (at & ~(span - 1)) + span;
    }
    return 0;
}

OBSERVABLE int map_pages(uint64_t root, uint64_t linear, uint64_t physical, uint64_t pages, uint64_t rights, int pid)
{
    while (pages) {
        uint64_t *entry = walk(root, linear, 1, true, pid);
        if (!entry)
            return -ENOMEM;
        /* One walk serves the rest of this page table. */
        uint64_t run = ENTRIES - index_of(linear, 1);
        if (run > pages)
            run = pages;
        pages -= run;
        linear += run * PAGE_SIZE;
        for (uint64_t *end = entry + run; entry < end; entry++, physical += PAGE_SIZE) {
            if (*entry & PTE_P)
                panic("a page below %p is mapped twice", linear);
            *entry = physical | rights | PTE_P;     /* was not present: no TLB can hold it, no INVLPG needed */
        }
    }
    return 0;
}

void unmap_kernel_pages(uint64_t linear, uint64_t pages, enum unmapped_frames what)
{
    for (; pages; pages--, linear += PAGE_SIZE) {
        uint64_t *entry = walk(kernel_root, linear, 1, false, 0);
        if (!entry || !(*entry & PTE_P))
            continue;
        uint64_t frame = *entry & PTE_ADDRESS;
        *entry = 0;
        invlpg(linear);
        if (what == FREE_FRAMES)
            frame_free(frame);
    }
}

static void map_kernel(uint64_t linear, uint64_t physical, uint64_t end, uint64_t rights)
{
    if (map_pages(kernel_root, linear, physical, (end - physical) / PAGE_SIZE, rights | PTE_G, 0))
        panic("no memory for the kernel's own page tables");
}

void vm_init(uint64_t ram_end)
{
    uint64_t text = (uint64_t)kernel_text_start - KERNEL_BASE;
    uint64_t rodata = (uint64_t)kernel_rodata_start - KERNEL_BASE;
    uint64_t data = (uint64_t)kernel_data_start - KERNEL_BASE;
    uint64_t end = (uint64_t)kernel_end - KERNEL_BASE;
    uint64_t small = ram_end < SMALL_PAGES_LIMIT ? ram_end : SMALL_PAGES_LIMIT;
    kernel_root = frame_alloc(FRAME_TABLE, 0, GFP_USER);

    /* The image: nothing is both writable and executable. */
    map_kernel(KERNEL_BASE + text, text, rodata, 0);
    map_kernel(KERNEL_BASE + rodata, rodata, data, pte_xd);
    map_kernel(KERNEL_BASE + data, data, end, PTE_RW | pte_xd);
    unmap_kernel_pages((uint64_t)boot_stack_guard, 1, KEEP_FRAMES);

    /* The direct map: never executable, and what the image holds read-only is read-only under this name too. */
    map_kernel(DIRECT_MAP, 0, text, PTE_RW | pte_xd);
    map_kernel(DIRECT_MAP + text, text, data, pte_xd);
    map_kernel(DIRECT_MAP + data, data, small, PTE_RW | pte_xd);
    uint64_t at = small;
    for (; at + LARGE_PAGE <= ram_end; at += LARGE_PAGE) {     /* none if RAM ends below the limit */
        uint64_t *entry = walk(kernel_root, DIRECT_MAP + at, 2, true, 0);
        if (!entry)
            panic("no memory for the kernel's own page tables");
        *entry = at | PTE_P | PTE_RW | PTE_PS | PTE_G | pte_xd;
    }
    map_kernel(DIRECT_MAP + at, at, ram_end, PTE_RW | pte_xd);

    /* Registers of devices: a load or store is an act there, so no cache may answer it (PCD and PWT). */
    map_kernel(VIRTIO_SLOTS, VIRTIO_PHYSICAL, VIRTIO_PHYSICAL + PAGE_SIZE, PTE_RW | PTE_PCD | PTE_PWT | pte_xd);

    /* Kernel stacks come later, but their PDPT must exist before the first process copies the upper half; and the
     * one page table that serves all of them must not look like a leak at the end. */
    if (!walk(kernel_root, KERNEL_STACKS, 1, true, 0))
        panic("no memory for the kernel's own page tables");

    write_cr3(kernel_root);         /* the identity map is gone from here on */
}

uint64_t new_root(int pid)
{
    uint64_t root = frame_alloc(FRAME_TABLE, pid, GFP_USER);
    if (root)
        memcpy((uint64_t *)direct_map(root) + USER_ENTRIES, (uint64_t *)direct_map(kernel_root) + USER_ENTRIES,
               (ENTRIES - USER_ENTRIES) * sizeof(uint64_t));
    return root;
}

static void free_tables(uint64_t table, int level, int entries)
{
    const uint64_t *entry = direct_map(table);
    for (int i = 0; level > 1 && i < entries; i++)
        if (entry[i] & PTE_P)
            free_tables(entry[i] & PTE_ADDRESS, level - 1, ENTRIES);
    frame_free(table);
}

void free_root(uint64_t root)
{
    free_tables(root, ROOT_LEVEL, USER_ENTRIES);
}
