/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Page tables: 4 levels, 4K pages, and 2M pages for the far part of the direct map. */
#ifndef KERNEL_VM_H
#define KERNEL_VM_H

#include "kernel.h"

static const uint64_t PTE_P = 1 << 0;
static const uint64_t PTE_RW = 1 << 1;
static const uint64_t PTE_US = 1 << 2;
static const uint64_t PTE_PWT = 1 << 3;
static const uint64_t PTE_PCD = 1 << 4;
static const uint64_t PTE_A = 1 << 5;
static const uint64_t PTE_D = 1 << 6;
static const uint64_t PTE_PS = 1 << 7;
static const uint64_t PTE_G = 1 << 8;
static const uint64_t PTE_ADDRESS = 0x000ffffffffff000;
extern uint64_t pte_xd;             /* bit 63, or 0 where XD is not offered or cpu.nx is off */

extern uint64_t kernel_root;        /* CR3 of the idle process; its upper half is everybody's */
extern uint8_t kernel_text_start[], kernel_rodata_start[], kernel_data_start[], kernel_end[];

/* The kernel's own address of physical memory. */
static inline void *direct_map(uint64_t physical) { return (void *)(DIRECT_MAP + physical); }

/* The physical address of a variable of the kernel, for a device. */
static inline uint64_t image_physical(const volatile void *at) { return (uint64_t)at - KERNEL_BASE; }

void vm_init(uint64_t ram_end);

/* The entry that maps linear at a level (1: PTE, 2: PDE), or 0. With create, missing tables are made for pid. */
uint64_t *walk(uint64_t root, uint64_t linear, int level, bool create, int pid);

/* The first PTE from *linear on, below end, that is not empty, and its address in *linear; 0: there is none. */
uint64_t *next_entry(uint64_t root, uint64_t *linear, uint64_t end);

/* Maps pages in a row to frames in a row. 0, or -ENOMEM with the pages before the failure mapped. */
int map_pages(uint64_t root, uint64_t linear, uint64_t physical, uint64_t pages, uint64_t rights, int pid);

/* The kernel's half: clears the entries, drops the TLB's copies, and only then gives the frames back, if asked to. */
enum unmapped_frames { KEEP_FRAMES, FREE_FRAMES };
void unmap_kernel_pages(uint64_t linear, uint64_t pages, enum unmapped_frames frames);

/* A root with an empty user half, or 0; and its end: every table of the user half, and the root. */
uint64_t new_root(int pid);
void free_root(uint64_t root);

#endif
