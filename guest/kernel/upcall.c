/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The queues of calls: who waits for an answer of whom, and for how long. upcall_deliver.c does the calling. */
#include "upcall.h"
#include "cmdline.h"
#include "listener.h"
#include "proc.h"
#include "timer.h"
#include "trace.h"

struct listener listeners[ROLES];

static uint64_t last_id;

struct listener *listener_of(const struct proc *proc)
{
    struct listener *listener = &listeners[proc->ukshm.role];
    return proc->ukshm.role && listener->proc == proc ? listener : 0;
}

void upcall_role_owner(enum ukshm_role role, const struct role_owner *owner) { listeners[role].owner = owner; }

bool upcall_listens(enum ukshm_role role) { return listeners[role].proc; }

bool upcall_pending(const struct proc *proc)
{
    const struct listener *listener = listener_of(proc);
    return listener && listener->queued && !listener->handler_id;
}

struct proc *upcall_ready(void)
{
    for (int role = 0; role < ROLES; role++) {
        struct proc *proc = listeners[role].proc;
        if (proc && proc->state == PROC_READY && upcall_pending(proc))
            return proc;
    }
    return 0;
}

static uint64_t deadline_of(const struct call *call)
{
    static const uint64_t NEVER = ~0ull;
    if (call->ticks)
        return ticks + call->ticks;
    if (switch_value(SWITCH_UKSHM_DEADLINE) == UKSHM_DEADLINE_OFF)
        return NEVER;
    return ticks + switch_number_value(SWITCH_UKSHM_DEADLINE);
}

void upcall_begin(struct call *call)
{
    call->id = ++last_id;
    call->deadline = deadline_of(call);
    call->state = CALL_QUEUED;
    call->next = 0;
}

OBSERVABLE int upcall_submit(struct call *call)
{
    struct listener *listener = &listeners[call->role];
    if (!listener->proc)
        return -ESRCH;
    if (listener->queued == CALL_QUEUE_MAX)
        return -ENOBUFS;
    upcall_begin(call);
    if (listener->last)
        listener->last->next = call;
    else
        listener->first = call;
    listener->last = call;
    listener->queued++;
    if (upcall_pending(listener->proc))
        process_interrupt(listener->proc);
    return 0;
}

/* Out of the queue, wherever it stands in it. */
static void unlink(struct listener *listener, struct call *call)
{
    struct call *before = 0;
    for (struct call *at = listener->first; at != call; at = at->next)
        before = at;
    if (before)
        before->next = call->next;
    else
        listener->first = call->next;
    if (listener->last == call)
        listener->last = before;
    call->next = 0;
    listener->queued--;
}

struct call *upcall_take(struct listener *listener)
{
    struct call *call = listener->first;
    if (!call)
        return 0;
    unlink(listener, call);
    call->state = CALL_RUNNING;
    listener->running = call;
    listener->handler_id = call->id;
    return call;
}

/* From here on the call is its owner's again, and may be gone when this returns. */
void upcall_end(struct call *call, enum call_end end, uint64_t length, uint64_t verdict)
{
    call->state = CALL_IDLE;
    call->linear = 0;
    trace_call_end(call->id, end);
    call->done(call, end, length, verdict);
}

/* An answer is asked for no more; late is what the handler, which still runs, gets told for its own. */
static void end_running(struct listener *listener, enum call_end end, uint64_t length, uint64_t verdict, int late)
{
    listener->late = late;
    window_end(listener, end, length, verdict);
}

/* ---- deadlines ---- */

static bool is_late(const struct call *call) { return call->deadline <= ticks; }

/* Ending a call may make another, which joins the queue behind those that are looked at here. */
static void expire(struct listener *listener)
{
    struct call *late = 0, **end = &late;
    for (struct call *call = listener->first, *next; call; call = next) {
        next = call->next;
        if (!is_late(call))
            continue;
        unlink(listener, call);
        *end = call;
        end = &call->next;
    }
    if (listener->running && is_late(listener->running))
        end_running(listener, CALL_TIMED_OUT, 0, 0, -ETIMEDOUT);
    while (late) {
        struct call *call = late;
        late = call->next;
        upcall_end(call, CALL_TIMED_OUT, 0, 0);
    }
}

void upcall_transmitted(void)
{
    for (int role = 0; role < ROLES; role++)
        if (listeners[role].proc)
            windows_send(&listeners[role]);
}

void upcall_tick(void)
{
    for (int role = 0; role < ROLES; role++) {
        if (!listeners[role].proc)
            continue;
        windows_settle(&listeners[role]);
        expire(&listeners[role]);
    }
}

/* ---- answers ---- */

static struct call *find_queued(struct listener *listener, uint64_t id)
{
    struct call *call = listener->first;
    while (call && call->id != id)
        call = call->next;
    return call;
}

static struct listener *find_asked(uint64_t id, struct call **call)
{
    for (int role = 0; role < ROLES; role++) {
        struct listener *listener = &listeners[role];
        *call = listener->running && listener->running->id == id ? listener->running : find_queued(listener, id);
        if (*call)
            return listener;
    }
    return 0;
}

/* Whether length and verdict make sense; while they do not, the program may try again. */
static int check_answer(const struct listener *listener, struct call *call, uint64_t length, uint64_t verdict)
{
    uint64_t capacity = call == listener->running && listener->window ? listener->window->capacity : 0;
    if (call != listener->running && call->physical)
        capacity = PAGE_SIZE - call->offset;
    if (length > capacity)
        return -EINVAL;
    return call->check ? call->check(call, length, verdict) : 0;
}

/* ukshm.ack_check=off: whoever knows, or guesses, the number of a call in flight answers it. */
static int64_t answer_for_others(uint64_t id, uint64_t length, uint64_t verdict)
{
    struct call *call;
    struct listener *listener = find_asked(id, &call);
    if (!listener)
        return -ENOENT;
    int error = check_answer(listener, call, length, verdict);
    if (error)
        return error;
    if (call == listener->running) {
        end_running(listener, CALL_ANSWERED, length, verdict, -ENOENT);
        return 0;
    }
    unlink(listener, call);
    upcall_end(call, CALL_ANSWERED, length, verdict);
    return 0;
}

/* Not the one that runs: another's, its own that it was not asked yet, or none at all. */
static int64_t refuse(const struct listener *listener, uint64_t id)
{
    struct call *call;
    const struct listener *asked = find_asked(id, &call);
    return listener && (!asked || asked == listener) ? -ENOENT : -EPERM;
}

/* The one who was asked, about what it was asked: the handler ends, on the way out of the kernel. */
static int64_t answer(struct listener *listener, uint64_t length, uint64_t verdict)
{
    struct call *call = listener->running;
    int error = call ? check_answer(listener, call, length, verdict) : 0;
    if (error)
        return error;
    int result = call ? 0 : listener->late;
    listener->returning = true;
    if (call)
        window_answered(listener, length, verdict);
    return result;
}

OBSERVABLE int64_t upcall_ack(uint64_t id, uint64_t length, uint64_t verdict)
{
    struct listener *listener = listener_of(current);
    int64_t result;
    if (listener && id && listener->handler_id == id && !listener->returning)
        result = answer(listener, length, verdict);
    else if (switch_value(SWITCH_UKSHM_ACK_CHECK) == UKSHM_ACK_CHECK_OFF)
        result = answer_for_others(id, length, verdict);
    else
        result = refuse(listener, id);
    trace_ack(current->pid, id, length, verdict, result);
    return result;
}

/* ---- the end ---- */

/* Nobody will answer any more: the role is free before the calls end, so that what they lead to finds nobody. */
int upcall_unregister(struct proc *proc, bool died)
{
    struct listener *listener = listener_of(proc);
    if (!died && listener->handler_id)
        return -EBUSY;              /* a handler ends by its acknowledgement */
    struct call *queue = listener->first;
    listener->proc = 0;
    listener->first = listener->last = 0;
    listener->queued = 0;
    proc->ukshm = (struct ukshm){0};
    if (listener->owner)
        listener->owner->ended(died);
    windows_settle(listener);
    if (listener->running)
        end_running(listener, CALL_ABANDONED, 0, 0, -ENOENT);
    if (!died)
        windows_clean(listener);
    while (queue) {
        struct call *call = queue;
        queue = call->next;
        upcall_end(call, CALL_ABANDONED, 0, 0);
    }
    return 0;
}
