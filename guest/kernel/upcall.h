/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reverse syscall: the kernel calls a function of a program, hands it a page, and goes on. What comes back is an
 * acknowledgement, or nothing: then a deadline decides.
 *
 * A call waits in its role's queue; when the registered process is on its way to ring 3 the oldest is delivered: the
 * page mapped, the frame built on the upcall stack, the interrupted registers kept. One runs at a time, others wait.
 */
#ifndef KERNEL_UPCALL_H
#define KERNEL_UPCALL_H

#include "kernel.h"

struct proc;
struct trap_frame;

enum call_state { CALL_IDLE, CALL_QUEUED, CALL_RUNNING };

/* How a call ended. */
enum call_end {
    CALL_ANSWERED,          /* length and verdict are the program's */
    CALL_TIMED_OUT,         /* the deadline came first */
    CALL_ABANDONED,         /* the program died, or took its registration back */
};

/* Owned by whoever asks; untouched by others before upcall_submit and after done. */
struct call {
    enum ukshm_role role;
    uint32_t operation;
    uint64_t physical;      /* a page of its own to be shared for the time of the call; 0: none */
    uint32_t offset, length;    /* the data in it */
    uint64_t argument[4];
    uint64_t ticks;         /* until the deadline, from submit on; 0: what ukshm.deadline says */
    /* Called once, by whatever context ends it: never sleeps. The page is the kernel's own again. */
    void (*done)(struct call *call, enum call_end end, uint64_t length, uint64_t verdict);
    /* Asked before an answer is taken: do length and verdict make sense. 0, or a negative error for the program. */
    int (*check)(struct call *call, uint64_t length, uint64_t verdict);

    /* upcall.c's own; a call begins its life zeroed */
    enum call_state state;
    uint64_t id, deadline, linear;
    bool cleared;           /* the page holds its data and zeros: it was shared before, and only those wrote to it */
    struct call *next;
};

/* Whoever asks in the name of a role is told when it is given and taken. */
struct role_owner {
    void (*registered)(struct proc *proc);
    void (*ended)(bool died);       /* orderly, or with the program: all its calls have ended then */
};

void upcall_role_owner(enum ukshm_role role, const struct role_owner *owner);

/* Whether somebody is registered for the role. */
bool upcall_listens(enum ukshm_role role);

/* For who keeps a queue of its own: gives a call its number and its deadline; and ends it, telling its owner. */
void upcall_begin(struct call *call);
void upcall_end(struct call *call, enum call_end end, uint64_t length, uint64_t verdict);

/* Queues a call; also from an interrupt; never sleeps. 0; -ESRCH: nobody listens; -ENOBUFS: the queue is full. */
int upcall_submit(struct call *call);

/* On the way to ring 3: calls the handler, if there is something to ask and none is running. */
void upcall_deliver(struct trap_frame *frame);

/* A call waits for proc, and nothing keeps it from being delivered: it must not sleep now, and runs first. */
bool upcall_pending(const struct proc *proc);
struct proc *upcall_ready(void);        /* such a process that is ready to run, or 0 */
enum { CALL_QUEUE_MAX = 32 };           /* so many wait for one role */

void upcall_tick(void);                 /* the timer's: deadlines */
void upcall_transmitted(void);          /* a card's: ukshm.check=before_unmap sends at this moment, or at the next tick */

/* The system calls of a role with a handler; ukshm.c has looked at role, pages, version and privilege. */
int upcall_register(enum ukshm_role role, uint64_t handler, uint64_t stack);
int64_t upcall_ack(uint64_t id, uint64_t length, uint64_t verdict);
int upcall_unregister(struct proc *proc, bool died);

#endif
