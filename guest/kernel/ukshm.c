/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A shared page is one frame under two addresses: the kernel's, in the direct map, and the program's, in a window at
 * a free place of its address space. What lies behind the window is the program's own, so running past the end
 * cannot reach the kernel. The naive design (ukshm.map=kernel_range) shows what happens otherwise.
 */
#include "ukshm.h"
#include "cmdline.h"
#include "cpu.h"
#include "frame.h"
#include "net/firewall.h"
#include "net/firewall_ring.h"
#include "page.h"
#include "proc.h"
#include "slab.h"
#include "swap.h"
#include "trace.h"
#include "ukshm_memory.h"
#include "upcall.h"
#include "vm.h"

struct kernel_range kernel_range __attribute__((aligned(PAGE_SIZE)));
struct packet_queue *const kernel_neighbour = &kernel_range.neighbour;

enum { CHECKSUM_START = 1 };

static uint32_t neighbour_checksum;     /* as the kernel left it; kept elsewhere, out of the buffer's reach */

static void transmit_nothing(const struct packet_queue *queue) { (void)queue; }

static uint32_t checksum(uint32_t sum, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        sum = sum * 31 + bytes[i];
    return sum;
}

static const uint8_t *neighbour_bytes(void) { return (const uint8_t *)kernel_neighbour; }

void ukshm_init(void)
{
    if (switch_value(SWITCH_UKSHM_MAP) != UKSHM_MAP_KERNEL_RANGE)
        return;
    *kernel_neighbour = (struct packet_queue){
        .name = "eth0-tx", .transmit = transmit_nothing, .head = 3, .tail = 11, .limit = 64,
        .note = "this queue belongs to the kernel",
    };
    neighbour_checksum = checksum(CHECKSUM_START, neighbour_bytes(), sizeof *kernel_neighbour);
}

/* Reports one run of frames after the other, for a map or an unmap that is about to happen. */
static void trace_runs(const struct proc *proc, uint64_t linear, uint64_t pages,
                       void (*trace)(int, uint64_t, uint64_t, uint64_t))
{
    for (uint64_t done = 0, run; done < pages; done += run) {
        uint64_t at = linear + done * PAGE_SIZE;
        uint64_t first = (*walk(proc->root, at, 1, false, 0) & PTE_ADDRESS) / PAGE_SIZE;
        for (run = 1; done + run < pages; run++)
            if ((*walk(proc->root, at + run * PAGE_SIZE, 1, false, 0) & PTE_ADDRESS) / PAGE_SIZE != first + run)
                break;
        trace(proc->pid, at, first, run);
    }
}

/* First the program's way to the page goes, and only then the page goes back. */
static void unmap_window(struct proc *proc, uint64_t linear, uint64_t pages, const uint64_t *kernel_pages,
                         const bool *kept)
{
    for (uint64_t i = 0; i < pages; i++) {
        uint64_t old = ukshm_unmap_page(proc, linear + i * PAGE_SIZE);
        if (is_swapped(old))
            slot_put(slot_of(old));         /* ukshm.swap_exempt=off: what the kernel knew as the page is not it */
        if (kept && kept[i])
            ukshm_page_keep(kernel_pages[i]);
        else
            ukshm_page_free(has_frame(old) ? (old & PTE_ADDRESS) | kernel_pages[i] % PAGE_SIZE : 0);
    }
    area_unmap(proc, linear, pages, AREA_UKSHM);
}

/* The kernel knows the pages by the direct map already; kernel_pages is where it notes them. */
static int map_window(struct proc *proc, uint64_t linear, uint64_t pages, uint64_t *kernel_pages)
{
    int error = area_add_anonymous(proc, linear, pages, AREA_UKSHM, PROT_READ | PROT_WRITE);
    if (error)
        return error;
    uint64_t done = 0;
    for (; !error && done < pages; done += !error) {
        uint64_t at = linear + done * PAGE_SIZE, *entry = walk(proc->root, at, 1, true, proc->pid);
        kernel_pages[done] = entry ? ukshm_page_alloc(proc->pid) : 0;
        if (!kernel_pages[done]) {
            error = -ENOMEM;
            continue;
        }
        frame_of(kernel_pages[done])->linear = at;
        page_map(entry, kernel_pages[done] & PTE_ADDRESS, PROT_READ | PROT_WRITE);
    }
    if (!error && switch_value(SWITCH_UKSHM_GUARD) == UKSHM_GUARD_ON)
        error = area_add_anonymous(proc, linear + pages * PAGE_SIZE, 1, AREA_GUARD, PROT_NONE);
    if (error) {
        unmap_window(proc, linear, done, kernel_pages, 0);
        area_unmap(proc, linear, pages, AREA_UKSHM);
    }
    return error;
}

/* The naive design: a piece of kernel memory made accessible to ring 3, to the end of the range, neighbour and all. */
static int map_kernel_range(struct proc *proc, uint64_t linear, uint64_t pages, uint64_t *kernel_pages)
{
    uint64_t buffer = (uint64_t)&kernel_range.neighbour - pages * PAGE_SIZE - KERNEL_BASE;
    int error = area_add_anonymous(proc, linear, pages + 1, AREA_KERNEL_RANGE, PROT_READ | PROT_WRITE);
    if (error)
        return error;
    error = map_pages(proc->root, linear, buffer, pages + 1, page_rights(PROT_READ | PROT_WRITE), proc->pid);
    if (error)
        area_unmap(proc, linear, pages + 1, AREA_KERNEL_RANGE);
    for (uint64_t i = 0; i < pages; i++)
        kernel_pages[i] = buffer + i * PAGE_SIZE;
    return error;
}

/* How many pages behind the shared ones the window takes in the address space: the guard, or the neighbour. */
static uint64_t extra_pages(void)
{
    return switch_value(SWITCH_UKSHM_MAP) == UKSHM_MAP_KERNEL_RANGE
           || switch_value(SWITCH_UKSHM_GUARD) == UKSHM_GUARD_ON;
}

OBSERVABLE int64_t ukshm_map(struct proc *proc, uint64_t pages, uint64_t *kernel_pages)
{
    bool naive = switch_value(SWITCH_UKSHM_MAP) == UKSHM_MAP_KERNEL_RANGE;
    uint64_t linear = area_find_free(proc, pages + extra_pages());
    if (!linear || (naive && pages > KERNEL_RANGE_PAGES))
        return -ENOMEM;
    int error = naive ? map_kernel_range(proc, linear, pages, kernel_pages)
                      : map_window(proc, linear, pages, kernel_pages);
    if (error)
        return error;
    trace_runs(proc, linear, naive ? pages + 1 : pages, trace_ukshm_map);
    return (int64_t)linear;
}

void ukshm_unmap_but(struct proc *proc, uint64_t linear, uint64_t pages, const uint64_t *kernel_pages, const bool *kept)
{
    bool naive = switch_value(SWITCH_UKSHM_MAP) == UKSHM_MAP_KERNEL_RANGE;
    trace_runs(proc, linear, naive ? pages + 1 : pages, trace_ukshm_unmap);
    if (naive) {
        area_unmap(proc, linear, pages + 1, AREA_KERNEL_RANGE);
        return;
    }
    unmap_window(proc, linear, pages, kernel_pages, kept);
    if (extra_pages())
        area_unmap(proc, linear + pages * PAGE_SIZE, 1, AREA_GUARD);
}

OBSERVABLE void ukshm_unmap(struct proc *proc, uint64_t linear, uint64_t pages, const uint64_t *kernel_pages)
{
    ukshm_unmap_but(proc, linear, pages, kernel_pages, 0);
}

static int64_t register_buffer(uint64_t pages)
{
    if (pages > 1 && switch_value(SWITCH_UKSHM_PAGE_EXCLUSIVE) == UKSHM_PAGE_EXCLUSIVE_OFF)
        return -EINVAL;             /* small objects do not make a row of pages */
    if (current->ukshm.role)
        return -EBUSY;
    uint64_t *kernel_pages = kmalloc(pages * sizeof *kernel_pages, GFP_KERNEL);
    int64_t linear = kernel_pages ? ukshm_map(current, pages, kernel_pages) : -ENOMEM;
    if (linear < 0) {
        if (kernel_pages)
            kfree(kernel_pages);
        return linear;
    }
    current->ukshm = (struct ukshm){
        .role = ROLE_BUFFER, .linear = (uint64_t)linear, .pages = pages, .kernel_pages = kernel_pages,
    };
    return linear + (int64_t)(kernel_pages[0] % PAGE_SIZE);     /* not 0 with ukshm.page_exclusive=off only */
}

/* Whether the kernel calls for this role. A firewall may choose system calls of its own, or a ring. */
static bool has_handler(enum ukshm_role role)
{
    return role == ROLE_NETFS || (role == ROLE_FIREWALL && !firewall_has_path(FIREWALL_PATH_COPY)
                                  && !firewall_has_path(FIREWALL_PATH_RING));
}

OBSERVABLE int64_t ukshm_register(uint64_t role, uint64_t handler, uint64_t stack, uint64_t max_pages, uint64_t version)
{
    if (current->uid != UID_ROOT && switch_value(SWITCH_UKSHM_PRIVILEGED) == UKSHM_PRIVILEGED_ON)
        return -EPERM;
    if (role != ROLE_BUFFER && role != ROLE_FIREWALL && role != ROLE_NETFS)
        return -EINVAL;
    if (version != UKSHM_VERSION || !max_pages || max_pages > UKSHM_MAX_PAGES)
        return -EINVAL;
    if (handler >= USER_TOP || stack >= USER_TOP)
        return -EFAULT;             /* the kernel will never call itself for a program */
    if (has_handler((enum ukshm_role)role))
        return upcall_register((enum ukshm_role)role, handler, stack);
    if (handler || stack)
        return -EINVAL;             /* a buffer has no upcall, and a ring has none */
    if (role == ROLE_BUFFER)
        return register_buffer(max_pages);
    return firewall_has_path(FIREWALL_PATH_RING) ? firewall_ring_register(max_pages) : -EINVAL;
}

/*
 * The program says that so many bytes are ready, and the kernel takes them in: by its own address of each page, as
 * it noted it when the page was shared. That the page is still there is what FRAME_SWAP_EXEMPT is for.
 */
OBSERVABLE int64_t ukshm_ack(uint64_t id, uint64_t length, uint64_t verdict)
{
    const struct ukshm *ukshm = &current->ukshm;
    uint32_t sum = CHECKSUM_START;
    if (ukshm->role != ROLE_BUFFER && id)
        return upcall_ack(id, length, verdict);
    if (ukshm->role != ROLE_BUFFER || id || verdict || length > ukshm->pages * PAGE_SIZE)
        return -EINVAL;
    for (uint64_t done = 0; done < length; done += PAGE_SIZE) {
        uint64_t part = length - done < PAGE_SIZE ? length - done : PAGE_SIZE;
        sum = checksum(sum, direct_map(ukshm->kernel_pages[done / PAGE_SIZE]), part);
    }
    return sum;
}

static int end_role(struct proc *proc, bool died)
{
    if (has_handler(proc->ukshm.role))
        return upcall_unregister(proc, died);
    firewall_leave(proc, died);
    return 0;
}

OBSERVABLE int ukshm_unregister(struct proc *proc)
{
    if (!proc->ukshm.role)
        return -EINVAL;
    if (proc->ukshm.role != ROLE_BUFFER)
        return end_role(proc, false);
    ukshm_unmap(proc, proc->ukshm.linear, proc->ukshm.pages, proc->ukshm.kernel_pages);
    kfree(proc->ukshm.kernel_pages);
    proc->ukshm = (struct ukshm){0};
    return 0;
}

/* The kernel looks after its neighbour whenever a program that could reach it has ended. */
static void check_neighbour(const struct proc *proc)
{
    if (checksum(CHECKSUM_START, neighbour_bytes(), sizeof *kernel_neighbour) != neighbour_checksum)
        printk("%d: damage: the kernel's own packet queue at %p, right behind the shared buffer, was overwritten\n",
               proc->pid, (uint64_t)kernel_neighbour);
}

void ukshm_process_exit(struct proc *proc)
{
    bool shared = proc->ukshm.role == ROLE_BUFFER;
    if (shared)
        ukshm_unregister(proc);
    else if (proc->ukshm.role)
        end_role(proc, true);
    if (shared && switch_value(SWITCH_UKSHM_MAP) == UKSHM_MAP_KERNEL_RANGE)
        check_neighbour(proc);
}
