/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is called for a role, and what it is busy with: shared by the files upcall*.c alone.
 *
 * running and handler_id differ when a call ends while its handler still runs (the deadline came, somebody else
 * answered): then running is 0 already, and the handler's own acknowledgement ends the handler and nothing else.
 */
#ifndef KERNEL_LISTENER_H
#define KERNEL_LISTENER_H

#include "trap.h"
#include "upcall.h"

/* A window in the program where a call's page is, or was until a moment ago. */
enum window_state {
    WINDOW_FREE,
    WINDOW_SHARED,           /* mapped; the page is the program's */
    WINDOW_EMPTY,            /* nothing is mapped there any more, but the addresses are not free yet */
    WINDOW_STALE,            /* ukshm.order=free_first: the page is somebody else's already, and still mapped */
    WINDOW_HELD,             /* ukshm.check=before_unmap: the call was answered, and its page is still mapped */
};

struct window {
    enum window_state state;
    struct proc *proc;
    uint64_t linear;        /* of the page */
    uint64_t physical;      /* what is mapped: the call's page, or with ukshm.page_exclusive=off a small object */
    uint32_t capacity;
    struct call *call;
    uint64_t length, verdict;       /* of WINDOW_HELD: the answer */
};

enum { ROLES = ROLE_NETFS + 1, WINDOWS = 8 };

struct listener {
    struct proc *proc;              /* who is registered; 0: nobody */
    const struct role_owner *owner;
    uint64_t handler, stack;
    struct call *first, *last;      /* waiting, the oldest first */
    uint32_t queued;
    struct call *running;           /* the program is asked about it now */
    uint64_t handler_id;            /* whose handler it is in; 0: in none */
    int late;                       /* what an acknowledgement comes to when the call has ended without it */
    bool returning;                 /* the handler has ended: the interrupted registers are next */
    struct window *window;            /* of the call that is running */
    struct window windows[WINDOWS];
    struct trap_frame interrupted;
};

extern struct listener listeners[ROLES];

struct listener *listener_of(const struct proc *proc);      /* 0: it is called for nothing */

/* upcall.c */
struct call *upcall_take(struct listener *listener);        /* the oldest call, which runs from now on, or 0 */

/* upcall_window.c: a window for the call that runs, and its page in it. 0; -ENOMEM; -EINTR: it has ended meanwhile. */
int window_share(struct listener *listener, struct call *call);      /* in the process itself: it may sleep */
void window_answered(struct listener *listener, uint64_t length, uint64_t verdict);  /* done follows, now or later */
void window_end(struct listener *listener, enum call_end end, uint64_t length, uint64_t verdict);
void windows_send(struct listener *listener);        /* what was answered while it stays mapped goes on its way */
void windows_settle(struct listener *listener);      /* that, and all else that was put off */
void windows_clean(struct listener *listener);       /* in the process itself: its addresses are free again */

#endif
