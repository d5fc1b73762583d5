/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Linked in place of process_create: the disk in every way the kernel uses it, each outcome a line. */
#include "cpu.h"
#include "disk.h"
#include "frame.h"
#include "proc.h"
#include "vm.h"

enum { THREADS = 20, PAGES = 5, FIRST_PID = 2, PAGE_SECTORS = PAGE_SIZE / SECTOR_SIZE, STACK_WORDS = 1024 };

static uint64_t stacks[THREADS][STACK_WORDS] __attribute__((aligned(16)));
static int running = THREADS;

static uint64_t page_sector(int pid, int page) { return (uint64_t)(pid * PAGES + page) * PAGE_SECTORS; }

static void fill(uint64_t *words, uint64_t seed)
{
    for (uint64_t i = 0; i < PAGE_SIZE / 8; i++)
        words[i] = (seed + 1) * 0x9e3779b97f4a7c15 ^ i;
}

static bool holds(const uint64_t *words, uint64_t seed)
{
    for (uint64_t i = 0; i < PAGE_SIZE / 8; i++)
        if (words[i] != ((seed + 1) * 0x9e3779b97f4a7c15 ^ i))
            return false;
    return true;
}

static uint64_t frame(void)
{
    uint64_t physical = frame_alloc(FRAME_KERNEL, 0, GFP_KERNEL);
    if (!physical)
        panic("no frame for the test");
    return physical;
}

static int good_pages(int pid, uint64_t out, uint64_t in)
{
    int good = 0;
    for (int page = 0; page < PAGES; page++) {
        uint64_t sector = page_sector(pid, page);
        fill(direct_map(out), sector);
        if (!disk_write(sector, out, PAGE_SIZE))
            good++;
    }
    for (int page = 0; page < PAGES; page++) {
        uint64_t sector = page_sector(pid, page);
        memset(direct_map(in), 0, PAGE_SIZE);
        if (disk_read(sector, in, PAGE_SIZE) || !holds(direct_map(in), sector))
            good = 0;
    }
    return good;
}

static void thread(void)
{
    int good = good_pages(current->pid, frame(), frame());
    printk("%d: %d pages written and read back\n", current->pid, good);
    if (!--running)
        end_guest(GUEST_ENDED);
    sleep_on(stacks);               /* for ever */
}

static void refused(const char *what, int error) { printk("0: %s: error %d\n", what, error); }

static void at_boot(void)
{
    uint64_t at = frame(), sectors = disk_sectors();
    printk("0: a disk of %lu sectors\n", sectors);
    printk("0: %d pages written and read back before any process\n", good_pages(0, at, frame()));
    refused("the last sector", disk_read(sectors - 1, at, SECTOR_SIZE));
    refused("across the end", disk_read(sectors - 1, at, 2 * SECTOR_SIZE));
    refused("beyond the end", disk_write(sectors, at, SECTOR_SIZE));
    refused("far beyond the end", disk_write(~0ul, at, SECTOR_SIZE));
    refused("nothing", disk_read(0, at, 0));
    refused("half a sector", disk_read(0, at, SECTOR_SIZE / 2));
    refused("too much", disk_read(0, at, DISK_MOST_BYTES + SECTOR_SIZE));
}

int __wrap_process_create(const char *name, const struct arguments *arguments, struct proc *parent);

int __wrap_process_create(const char *name, const struct arguments *arguments, struct proc *parent)
{
    (void)name, (void)arguments, (void)parent;
    at_boot();
    for (int i = 0; i < THREADS; i++) {
        uint64_t *context = &stacks[i][STACK_WORDS - 8];
        context[6] = (uint64_t)thread;      /* where switch_context returns to */
        procs[i + 1] = (struct proc){
            .pid = FIRST_PID + i, .name = "thread", .state = PROC_READY, .root = kernel_root,
            .kernel_stack = (uint64_t)&stacks[i][STACK_WORDS], .context = (uint64_t)context,
        };
    }
    procs_used = THREADS + 1;
    return PID_INIT;
}
