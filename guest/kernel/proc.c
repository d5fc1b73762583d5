/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Birth, death and the scheduler: round robin, one tick each. The kernel itself is never preempted. */
#include "proc.h"
#include "cpio.h"
#include "cpu.h"
#include "elf.h"
#include "fault.h"
#include "frame.h"
#include "timer.h"
#include "tlb.h"
#include "trace.h"
#include "trap.h"
#include "ukshm.h"
#include "upcall.h"
#include "vm.h"

enum { RFLAGS_IF = 1 << 9, RFLAGS_FIXED = 1 << 1 };

struct proc procs[PROC_MAX] = {[0] = {.pid = PID_IDLE, .name = "idle", .state = PROC_RUNNING}};
struct proc *current = &procs[0];
int procs_used = 1;

uint64_t atomic_sleeps;

static int last_pid;

static uint64_t kernel_stack_bottom(const struct proc *proc)
{
    uint64_t slot = (uint64_t)(proc - procs);
    return KERNEL_STACKS + slot * (KERNEL_STACK_PAGES + 1) * PAGE_SIZE + PAGE_SIZE;
}

static void kernel_stack_free(struct proc *proc)
{
    unmap_kernel_pages(kernel_stack_bottom(proc), KERNEL_STACK_PAGES, FREE_FRAMES);
}

static int kernel_stack_create(struct proc *proc)
{
    uint64_t bottom = kernel_stack_bottom(proc);
    for (uint64_t i = 0; i < KERNEL_STACK_PAGES; i++) {
        uint64_t frame = frame_alloc(FRAME_KERNEL, 0, GFP_KERNEL);
        if (!frame)
            return -ENOMEM;
        if (map_pages(kernel_root, bottom + i * PAGE_SIZE, frame, 1, PTE_RW | PTE_G | pte_xd, 0)) {
            frame_free(frame);
            return -ENOMEM;
        }
    }
    proc->kernel_stack = bottom + KERNEL_STACK_PAGES * PAGE_SIZE;
    return 0;
}

/* The stack of a process that has never run: the way out to ring 3 lies ready, below it the registers of a switch. */
static void prepare_first_run(struct proc *proc, const struct trap_frame *registers)
{
    struct trap_frame *frame = (struct trap_frame *)proc->kernel_stack - 1;
    *frame = *registers;
    uint64_t *context = (uint64_t *)frame - 7;
    memset(context, 0, 6 * sizeof *context);        /* callee-saved registers */
    context[6] = (uint64_t)trap_return;             /* where switch_context returns to */
    proc->context = (uint64_t)context;
}

static int user_stack_create(struct proc *proc, const struct arguments *arguments, uint64_t *user_rsp)
{
    uint64_t bottom = USER_TOP - USER_STACK_PAGES * PAGE_SIZE, top_page = USER_TOP - PAGE_SIZE;
    int error = area_add_anonymous(proc, bottom, USER_STACK_PAGES, AREA_STACK, PROT_READ | PROT_WRITE);
    if (!error)
        error = area_add_anonymous(proc, bottom - PAGE_SIZE, 1, AREA_GUARD, PROT_NONE);
    if (error)
        return error;
    uint64_t frame = page_for_writing(proc, top_page);
    if (!frame)
        return -ENOMEM;
    *user_rsp = arguments_push(arguments, direct_map(frame), top_page);
    return 0;
}

static struct proc *take_slot(void)
{
    for (int i = 1; i < PROC_MAX; i++) {
        if (procs[i].state != PROC_UNUSED)
            continue;
        if (i >= procs_used)
            procs_used = i + 1;
        return &procs[i];
    }
    return 0;
}

static void release_slot(struct proc *proc)
{
    *proc = (struct proc){.state = PROC_UNUSED};
    while (procs_used > 1 && procs[procs_used - 1].state == PROC_UNUSED)
        procs_used--;
}

/* Making a process may sleep, so its slot is taken and its number given before anything else. */
struct proc *process_begin(struct proc *parent, int *error)
{
    struct proc *proc = take_slot();
    *error = -EAGAIN;
    if (!proc)
        return 0;
    *proc = (struct proc){.pid = ++last_pid, .state = PROC_EMBRYO, .parent = parent};
    proc->uid = parent ? parent->uid : UID_ROOT;
    proc->root = new_root(proc->pid);
    *error = proc->root ? kernel_stack_create(proc) : -ENOMEM;
    if (!*error)
        return proc;
    process_abandon(proc);
    return 0;
}

void process_abandon(struct proc *proc)
{
    files_process_exit(proc);
    area_unmap_all(proc);
    if (proc->root)
        free_root(proc->root);
    kernel_stack_free(proc);
    release_slot(proc);
}

int process_start(struct proc *proc, const char *name, const struct trap_frame *frame)
{
    memcpy(proc->name, name, strlen(name));
    prepare_first_run(proc, frame);
    proc->state = PROC_READY;
    trace_process_start(proc->pid, proc->root, proc->name);
    return proc->pid;
}

OBSERVABLE int process_create(const char *name, const struct arguments *arguments, struct proc *parent)
{
    struct file file;
    struct trap_frame frame = {
        .cs = USER_CODE, .rflags = RFLAGS_IF | RFLAGS_FIXED, .ss = USER_DATA,
    };
    int error;
    if (!cpio_find(name, &file))
        return -ENOENT;
    if (strlen(name) >= PROC_NAME_MAX)
        return -ENAMETOOLONG;
    struct proc *proc = process_begin(parent, &error);
    if (!proc)
        return error;
    files_process_start(proc, parent);
    error = elf_load(proc, &file, &frame.rip);
    if (!error)
        error = user_stack_create(proc, arguments, &frame.rsp);
    if (!error)
        return process_start(proc, name, &frame);
    process_abandon(proc);
    return error;
}

/* Whoever the kernel is about to call comes first, so that it is called now and not when its turn comes. */
static struct proc *next_ready(void)
{
    struct proc *proc = upcall_ready();
    if (proc)
        return proc;
    proc = current;
    for (int i = 0; i < procs_used; i++) {
        if (++proc >= procs + procs_used)
            proc = &procs[0];
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
    load_root(next);
    switch_context(&previous->context, next->context);
}

/* The idle process is kmain itself, on the boot stack. */
_Noreturn void idle(void)
{
    for (;;) {
        schedule();
        wait_for_interrupt();
    }
}

void wake_sleepers(void)
{
    for (int i = 1; i < procs_used; i++)
        if (procs[i].state == PROC_SLEEPING && procs[i].wake_tick <= ticks)
            procs[i].state = PROC_READY;
}

void atomic_enter(void) { current->atomic_depth++; }
void atomic_leave(void) { current->atomic_depth--; }

static void check_may_sleep(void)
{
    if (!current->atomic_depth)
        return;
    atomic_sleeps++;
    printk("%d: bug: slept where the kernel must not sleep\n", current->pid);
    trace_slept_in_atomic(current->pid);
}

static void block(enum proc_state state)
{
    check_may_sleep();
    current->state = state;
    schedule();
}

void sleep_on(const void *channel)
{
    current->channel = channel;
    block(PROC_BLOCKED);
    current->channel = 0;
}

/* Its way to ring 3 is wanted for something: to die there, or to be called. */
static bool is_wanted(const struct proc *proc) { return proc->killed || upcall_pending(proc); }

bool sleep_on_interruptible(const void *channel)
{
    if (is_wanted(current))
        return false;
    current->channel = channel;
    block(PROC_WAITING);
    current->channel = 0;
    return !is_wanted(current);
}

bool sleep_on_until(const void *channel, uint64_t tick)
{
    if (is_wanted(current))
        return false;
    current->channel = channel;
    current->wake_tick = tick;
    block(PROC_SLEEPING);
    current->channel = 0;
    return !is_wanted(current);
}

void wake_up(const void *channel)
{
    for (int i = 1; i < procs_used; i++)
        if (procs[i].channel == channel && (procs[i].state == PROC_BLOCKED || procs[i].state == PROC_WAITING
                                            || procs[i].state == PROC_SLEEPING))
            procs[i].state = PROC_READY;
}

OBSERVABLE _Noreturn void exit_process(int status, int vector)
{
    struct proc *proc = current;
    trace_process_exit(proc->pid, status, vector);
    ukshm_process_exit(proc);
    files_process_exit(proc);
    area_unmap_all(proc);
    uint64_t root = proc->root;
    proc->root = kernel_root;
    load_root(&procs[0]);           /* before its tables go: the CPU may walk them at any time */
    invalidate_space(proc);         /* the next process in this slot has the same tag */
    free_root(root);

    if (proc->pid == PID_INIT) {
        if (vector >= 0)
            panic("init was killed");
        check_balance();
        trace_program_exit(status);     /* init's own status is that of the program it was given */
        end_guest(GUEST_ENDED);
    }
    for (int i = 1; i < procs_used; i++)
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
        printk(current->killed == KILLED_OUT_OF_MEMORY ? "%d: killed: out of memory\n"
                                                       : "%d: killed by another process\n", current->pid);
        exit_process(STATUS_KILLED, -1);
    }
}

int process_wait(int pid, int *status)
{
    for (;;) {
        bool has_child = false;
        for (int i = 1; i < procs_used; i++) {
            struct proc *child = &procs[i];
            if (child->state == PROC_UNUSED || child->state == PROC_EMBRYO || child->parent != current
                || (pid != -1 && child->pid != pid))
                continue;
            has_child = true;
            if (child->state == PROC_ZOMBIE) {
                int ended = child->pid;
                *status = child->status;
                kernel_stack_free(child);
                release_slot(child);
                return ended;
            }
        }
        if (!has_child)
            return -ECHILD;
        if (!sleep_on_interruptible(current))
            return -EINTR;
    }
}

void process_interrupt(struct proc *proc)
{
    if (proc->state == PROC_SLEEPING || proc->state == PROC_PAUSED || proc->state == PROC_WAITING)
        proc->state = PROC_READY;
}

void process_mark_killed(struct proc *proc, enum kill_reason reason)
{
    if (!proc->killed)
        proc->killed = reason;
    process_interrupt(proc);
}

int process_kill(int pid)
{
    for (int i = 1; i < procs_used; i++) {
        struct proc *proc = &procs[i];
        if (proc->state == PROC_UNUSED || proc->state == PROC_EMBRYO || proc->state == PROC_ZOMBIE
            || proc->pid != pid)
            continue;
        if (pid == PID_INIT || (current->uid != UID_ROOT && current->uid != proc->uid))
            return -EPERM;
        process_mark_killed(proc, KILLED_BY_PROCESS);
        return 0;
    }
    return -ESRCH;
}

int process_sleep(uint64_t duration)
{
    bool for_ever = duration == SLEEP_FOREVER || ticks + duration < ticks;
    current->wake_tick = for_ever ? SLEEP_FOREVER : ticks + duration;
    if (is_wanted(current))
        return -EINTR;              /* nobody would wake it again */
    if (duration)
        block(for_ever ? PROC_PAUSED : PROC_SLEEPING);
    return current->wake_tick > ticks ? -EINTR : 0;
}
