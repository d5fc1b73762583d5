/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory map. guest/README.md tells it in prose; the numbers live only here.
 *
 *   0000_0000_0040_0000   a program's text, rodata, data, bss
 *   0000_7000_0000_0000   mmap and shared windows, first fit, upwards
 *   0000_7fff_ffff_f000   USER_TOP: the stack ends here, below it a guard page
 *   ffff_8880_0000_0000   direct map: all of RAM, one after another
 *   ffff_c900_0000_0000   kernel stacks, each with an unmapped page below
 *   ffff_c940_0000_0000   the registers of the virtio slots, uncached
 *   ffff_ffff_8000_0000   the kernel image, at KERNEL_BASE + physical address
 *
 * USER_TOP is one page short of the canonical hole: a SYSCALL in the last page would return to a
 * non-canonical RIP, and SYSRET faults on that with the kernel's rights.
 *
 * Macros, not enums, because assembly and the linker script read them too.
 */
#ifndef KERNEL_LAYOUT_H
#define KERNEL_LAYOUT_H

#define PAGE_SIZE           4096
#define KERNEL_BASE         0xffffffff80000000
#define KERNEL_PHYSICAL     0x100000
#define DIRECT_MAP          0xffff888000000000
#define KERNEL_STACKS       0xffffc90000000000
#define KERNEL_STACK_PAGES  2
#define VIRTIO_SLOTS        0xffffc94000000000      /* one page: */
#define VIRTIO_PHYSICAL     0xfeb00000
#define USER_LOWEST         0x10000
#define USER_TOP            0x00007ffffffff000
#define USER_STACK_PAGES    8
#define MMAP_BASE           0x0000700000000000
#define RAM_LIMIT           0x40000000              /* the boot tables reach 1 GiB */
#define SMALL_PAGES_LIMIT   0x4000000               /* the direct map uses 4K pages up to 64 MiB */

/* Selectors. SYSRET takes SS = 0x10 + 8 and CS = 0x10 + 16, which fixes this order. */
#define KERNEL_CODE         0x08
#define KERNEL_DATA         0x10
#define USER_DATA           0x1b
#define USER_CODE           0x23
#define TSS_SELECTOR        0x28

#endif
