/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes and the scheduler. The emulator reads procs and current by their debug information. */
#ifndef KERNEL_PROC_H
#define KERNEL_PROC_H

#include "area.h"
#include "arguments.h"
#include "file.h"

enum proc_state {
    PROC_UNUSED,
    PROC_EMBRYO,            /* being made: has an address space already, but never ran */
    PROC_READY,             /* runs when its turn comes */
    PROC_RUNNING,
    PROC_SLEEPING,          /* until wake_tick */
    PROC_PAUSED,            /* for ever: only kill ends it */
    PROC_WAITING,           /* for what channel stands for: a child to end, a character; kill ends it */
    PROC_BLOCKED,           /* the same, but not even kill wakes it: for a disk */
    PROC_ZOMBIE,            /* ended, its status not yet collected; holds no memory but its kernel stack */
};

/* Who told it to end. It does, on its way back to ring 3. */
enum kill_reason { NOT_KILLED, KILLED_BY_PROCESS, KILLED_OUT_OF_MEMORY };

enum { PROC_MAX = 32, PROC_NAME_MAX = 32, PID_IDLE = 0, PID_INIT = 1 };

/* A registration with the UKSHM interface. role 0: none. */
struct ukshm {
    enum ukshm_role role;
    uint64_t linear;                /* in the process; of a BUFFER or a ring */
    uint64_t pages;
    uint64_t *kernel_pages;         /* the kernel's own pointers: the physical address of each page, as first shared */
};

struct trap_frame;

struct proc {
    int pid;
    char name[PROC_NAME_MAX];
    enum proc_state state;
    uint64_t root;                  /* physical address of its PML4: CR3 */
    struct proc *parent;
    enum uid uid;
    int status;                     /* of a zombie */
    enum kill_reason killed;
    uint64_t wake_tick;
    const void *channel;            /* the address of what it waits for */
    int atomic_depth;               /* it may not sleep now */
    uint64_t kernel_stack;          /* the top */
    uint64_t context;               /* RSP of switch_context while it does not run */
    struct ukshm ukshm;
    uint64_t heap_start, heap_end;  /* what brk moves */
    struct open_file *files[FILES_MAX];     /* by descriptor */
    int area_count;
    struct area areas[AREAS_MAX];
};

extern struct proc procs[PROC_MAX]; /* procs[0] is the idle process */
extern struct proc *current;
extern int procs_used;             /* the slots from here on are all PROC_UNUSED */

int process_create(const char *name, const struct arguments *arguments, struct proc *parent);

/* The steps of making one, shared by process_create and fork. A slot with a root and a kernel stack, or 0 and why. */
struct proc *process_begin(struct proc *parent, int *error);
void process_abandon(struct proc *proc);                    /* everything back */
int process_start(struct proc *proc, const char *name, const struct trap_frame *frame);     /* its pid */
_Noreturn void exit_process(int status, int vector);
void die_if_killed(void);
void schedule(void);
_Noreturn void idle(void);
void wake_sleepers(void);
void process_interrupt(struct proc *proc);      /* ends a sleep that is not for a disk; the sleeper gets -EINTR */
void process_mark_killed(struct proc *proc, enum kill_reason reason);

/*
 * Waiting, by the address of what is waited for. wake_up makes all ready that wait there; each looks again whether
 * what it wants has come. Only a process may sleep: never an interrupt, never the idle process.
 * The second kind gives up when the process is killed or is to be called (upcall.h): false, and the caller goes home
 * with -EINTR.
 */
void sleep_on(const void *channel);
bool sleep_on_interruptible(const void *channel);
bool sleep_on_until(const void *channel, uint64_t tick);        /* the second kind, with an end */
void wake_up(const void *channel);

/*
 * Between the two the process must not sleep, because others would meet half a change: what it allocates there it
 * allocates with GFP_ATOMIC. Sleeping all the same is a bug, which is told and counted, and not prevented.
 */
void atomic_enter(void);
void atomic_leave(void);
extern uint64_t atomic_sleeps;

/* The system calls; 0 or more, or a negative error. */
int process_wait(int pid, int *status);
int process_kill(int pid);
int process_sleep(uint64_t duration);
int process_fork(const struct trap_frame *frame);           /* fork.c */

/* switch.S */
void switch_context(uint64_t *save_rsp, uint64_t load_rsp);

#endif
