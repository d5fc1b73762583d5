/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's life in order: look around, protect, map, start init, idle. */
#include "arguments.h"
#include "boot_info.h"
#include "cmdline.h"
#include "cpio.h"
#include "cpu.h"
#include "disk.h"
#include "frame.h"
#include "irq.h"
#include "net/firewall.h"
#include "net/netdev.h"
#include "netfs.h"
#include "proc.h"
#include "slab.h"
#include "swap.h"
#include "timer.h"
#include "tlb.h"
#include "trace.h"
#include "ukshm.h"
#include "ukshm_memory.h"
#include "vm.h"

enum { DEBUG_EXIT_PORT = 0xf4 };

_Noreturn OBSERVABLE void end_guest(enum guest_end how)
{
    outl(DEBUG_EXIT_PORT, how);
    for (;;)                        /* a board without the port: stay quiet, interrupts off */
        __asm__ volatile("hlt");
}

static uint64_t free_at_start;      /* frames, before the first process */

/* init is the last process, and has let go of all but the stack that this runs on. */
void check_balance(void)
{
    net_stop();
    kmem_cache_shrink_all();
    uint64_t free_at_end = free_frames + KERNEL_STACK_PAGES;
    trace_balance(free_at_start, free_at_end);
    if (free_at_end != free_at_start)
        printk("0: leak: %lu frames were free before the first process, %lu are after the last\n", free_at_start,
               free_at_end);
}

void kmain(uint64_t start_info);

void kmain(uint64_t start_info)
{
    static struct arguments init;

    console_init();
    struct boot_info boot = boot_info_read(start_info);
    cmdline_parse(boot.command_line, &init);
    cpu_init();
    frame_init(&boot);
    vm_init(boot.ram_end);
    cpio_init(direct_map(boot.module), boot.module_size);
    procs[0].root = kernel_root;
    tlb_init();
    slab_init();
    ukshm_memory_init();
    ukshm_init();
    netfs_init();
    irq_init();
    timer_init();
    disk_init();
    swap_init();
    net_init();
    firewall_init();
    console_listen();
    printk("0: pagewalk kernel, %lu MiB of memory, paging on\n", boot.ram_end >> 20);

    free_at_start = free_frames;
    net_start();                    /* its packets come back at the end */
    int pid = process_create("init", &init, 0);
    if (pid < 0)
        panic("cannot start init (error %d): is the archive of programs loaded?", pid);
    trace_boot_done();
    idle();
}
