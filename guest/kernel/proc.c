/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Birth, death and the scheduler: round robin, one tick each. The kernel itself is never preempted. */
#include "proc.h"
#include "cpio.h"
#include "cpu.h"
#include "elf.h"
#include "frame.h"
#include "timer.h"
#include "trace.h"
#include "trap.h"
#include "ukshm.h"
#include "vm.h"

enum { RFLAGS_IF = 1 << 9, RFLAGS_FIXED = 1 << 1 };

struct proc procs[PROC_MAX] = {[0] = {.pid = PID_IDLE, .name = "idle", .state = PROC_RUNNING}};
struct proc *current = &procs[0];

static int last_pid;

static int kernel_stack_create(struct proc *proc)
{
    uint64_t slot = (uint64_t)(proc - procs);
    uint64_t bottom = KERNEL_STACKS + slot * (KERNEL_STACK_PAGES + 1) * PAGE_SIZE + PAGE_SIZE;
    for (uint64_t i = 0; i < KERNEL_STACK_PAGES; i++) {
        uint64_t at = bottom + i * PAGE_SIZE;
        const uint64_t *entry = walk(kernel_root, at, 1, false, 0);
        if (entry && *entry & PTE_P)
            continue;               /* an earlier process in this slot left it, or an attempt that failed half-way */
        uint64_t frame = frame_alloc(FRAME_KERNEL, 0, GFP_KERNEL);
        if (!frame)
            return -ENOMEM;
        if (map_pages(kernel_root, at, frame, 1, PTE_RW | PTE_G | pte_xd, 0)) {
            frame_free(frame);
            return -ENOMEM;
        }
    }
    proc->kernel_stack = bottom + KERNEL_STACK_PAGES * PAGE_SIZE;
    return 0;
}

/* The stack of a process that has never run: the way out to ring 3 lies ready, below it the registers of a switch. */
static void prepare_first_run(struct proc *proc, uint64_t entry, uint64_t user_rsp)
{
    struct trap_frame *frame = (struct trap_frame *)proc->kernel_stack - 1;
    *frame = (struct trap_frame){
        .rip = entry, .cs = USER_CODE, .rflags = RFLAGS_IF | RFLAGS_FIXED, .rsp = user_rsp, .ss = USER_DATA,
    };
    uint64_t *context = (uint64_t *)frame - 7;
    memset(context, 0, 6 * sizeof *context);        /* callee-saved registers */
    context[6] = (uint64_t)trap_return;             /* where switch_context returns to */
    proc->context = (uint64_t)context;
}

static int user_stack_create(struct proc *proc, const struct arguments *arguments, uint64_t *user_rsp)
{
    uint64_t bottom = USER_TOP - USER_STACK_PAGES * PAGE_SIZE;
    int error = area_map(proc, bottom, USER_STACK_PAGES, AREA_STACK, PROT_READ | PROT_WRITE);
    if (!error)
        error = area_add(proc, bottom - PAGE_SIZE, 1, AREA_GUARD, PROT_NONE);
    if (error)
        return error;
    uint64_t top_page = USER_TOP - PAGE_SIZE;
    *user_rsp = arguments_push(arguments, direct_map(*walk(proc->root, top_page, 1, false, 0) & PTE_ADDRESS), top_page);
    return 0;
}

static struct proc *unused_slot(void)
{
    for (int i = 1; i < PROC_MAX; i++)
        if (procs[i].state == PROC_UNUSED)
            return &procs[i];
    return 0;
}

OBSERVABLE int process_create(const char *name, const struct arguments *arguments, struct proc *parent)
{
    struct file file;
    struct proc *proc = unused_slot();
    uint64_t entry, user_rsp;
    if (!cpio_find(name, &file))
        return -ENOENT;
    if (strlen(name) >= PROC_NAME_MAX)
        return -ENAMETOOLONG;
    if (!proc)
        return -EAGAIN;

    proc->pid = last_pid + 1;
    proc->root = new_root(proc->pid);
    int error = proc->root ? elf_load(proc, &file, &entry) : -ENOMEM;
    if (!error)
        error = user_stack_create(proc, arguments, &user_rsp);
    if (!error)
        error = kernel_stack_create(proc);
    if (error) {
        area_unmap_all(proc);
        if (proc->root)
            free_root(proc->root);
        return error;
    }
    last_pid++;
    memset(proc->name, 0, sizeof proc->name);
    memcpy(proc->name, name, strlen(name));
    proc->parent = parent;
    proc->uid = parent ? parent->uid : UID_ROOT;
    files_process_start(proc, parent);
    proc->killed = false;
    proc->ukshm = (struct ukshm){0};
    prepare_first_run(proc, entry, user_rsp);
    proc->state = PROC_READY;
    trace_process_start(proc->pid, proc->root, proc->name);
    return proc->pid;
}

static struct proc *next_ready(void)
{
    long start = current - procs;
    for (int i = 1; i <= PROC_MAX; i++) {
        struct proc *proc = &procs[(start + i) % PROC_MAX];
        if (proc->state == PROC_READY && proc != &procs[0])
            return proc;
    }
    return &procs[0];
}

/* Gives the CPU to the next ready process; comes back when the caller's turn comes again. */
OBSERVABLE void schedule(void)
{
    struct proc *previous = current;
    if (previous->state == PROC_RUNNING)
        previous->state = PROC_READY;
    struct proc *next = next_ready();
    next->state = PROC_RUNNING;
    if (next == previous)
        return;
    current = next;
    trace_switch(previous->pid, next->pid);
    cpu_set_kernel_stack(next->kernel_stack);
    write_cr3(next->root);
    switch_context(&previous->context, next->context);
}

/* The idle process is kmain itself, on the boot stack. */
_Noreturn void idle(void)
{
    procs[0].root = kernel_root;
    for (;;) {
        schedule();
        wait_for_interrupt();
    }
}

void wake_sleepers(void)
{
    for (int i = 1; i < PROC_MAX; i++)
        if (procs[i].state == PROC_SLEEPING && procs[i].wake_tick <= ticks)
            procs[i].state = PROC_READY;
}

static void block(enum proc_state state)
{
    current->state = state;
    schedule();
}

void sleep_on(const void *channel)
{
    current->channel = channel;
    block(PROC_BLOCKED);
    current->channel = 0;
}

bool sleep_on_interruptible(const void *channel)
{
    if (current->killed)
        return false;
    current->channel = channel;
    block(PROC_WAITING);
    current->channel = 0;
    return !current->killed;
}

void wake_up(const void *channel)
{
    for (int i = 1; i < PROC_MAX; i++)
        if (procs[i].channel == channel && (procs[i].state == PROC_BLOCKED || procs[i].state == PROC_WAITING))
            procs[i].state = PROC_READY;
}

OBSERVABLE _Noreturn void exit_process(int status, int vector)
{
    struct proc *proc = current;
    trace_process_exit(proc->pid, status, vector);
    ukshm_process_exit(proc);
    files_process_exit(proc);
    area_unmap_all(proc);
    write_cr3(kernel_root);         /* before its tables go: the CPU may walk them at any time */
    free_root(proc->root);
    proc->root = kernel_root;

    if (proc->pid == PID_INIT) {
        if (vector >= 0)
            panic("init was killed");
        trace_program_exit(status);     /* init's own status is that of the program it was given */
        end_guest(GUEST_ENDED);
    }
    for (int i = 1; i < PROC_MAX; i++)
        if (procs[i].state != PROC_UNUSED && procs[i].parent == proc)
            procs[i].parent = &procs[1];        /* init collects orphans */
    wake_up(&procs[1]);
    wake_up(proc->parent);
    proc->status = status;
    block(PROC_ZOMBIE);
    panic("process %d ran after its end", proc->pid);
}

void die_if_killed(void)
{
    if (current->killed) {
        printk("%d: killed by another process\n", current->pid);
        exit_process(STATUS_KILLED, -1);
    }
}

int process_wait(int pid, int *status)
{
    for (;;) {
        bool has_child = false;
        for (int i = 1; i < PROC_MAX; i++) {
            struct proc *child = &procs[i];
            if (child->state == PROC_UNUSED || child->parent != current || (pid != -1 && child->pid != pid))
                continue;
            has_child = true;
            if (child->state == PROC_ZOMBIE) {
                *status = child->status;
                child->state = PROC_UNUSED;
                return child->pid;
            }
        }
        if (!has_child)
            return -ECHILD;
        if (!sleep_on_interruptible(current))
            return -EINTR;
    }
}

int process_kill(int pid)
{
    for (int i = 1; i < PROC_MAX; i++) {
        struct proc *proc = &procs[i];
        if (proc->state == PROC_UNUSED || proc->state == PROC_ZOMBIE || proc->pid != pid)
            continue;
        if (pid == PID_INIT || (current->uid != UID_ROOT && current->uid != proc->uid))
            return -EPERM;
        proc->killed = true;
        if (proc->state != PROC_RUNNING && proc->state != PROC_BLOCKED)
            proc->state = PROC_READY;
        return 0;
    }
    return -ESRCH;
}

int process_sleep(uint64_t duration)
{
    current->wake_tick = ticks + duration;
    if (current->killed)
        return -EINTR;              /* before it ran for the first time: nobody would wake it again */
    if (duration == SLEEP_FOREVER || current->wake_tick < ticks)
        block(PROC_PAUSED);
    else if (duration)
        block(PROC_SLEEPING);
    return current->killed ? -EINTR : 0;
}
