/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A call's page in the program: mapped at a free place for the time of the call, and the kernel's own again behind it.
 * The order at the end is the point: the entry goes, then the TLB's copy of it, and only then is the page used for
 * anything else. Two switches turn it round, and one leaves the TLB out.
 *
 * A call may end at any time, in the timer's interrupt, while the process sleeps in the middle of a fault. So its areas
 * are changed by the process itself alone: a window whose page is gone keeps its addresses, without rights, for later.
 */
#include "cmdline.h"
#include "frame.h"
#include "listener.h"
#include "page.h"
#include "proc.h"
#include "trace.h"
#include "ukshm_memory.h"

static bool has_guard(void) { return switch_value(SWITCH_UKSHM_GUARD) == UKSHM_GUARD_ON; }

static struct window *window_in_state(struct listener *listener, enum window_state state)
{
    for (struct window *window = listener->windows; window < listener->windows + WINDOWS; window++)
        if (window->state == state)
            return window;
    return 0;
}

/* Addresses, and the tables for them. May sleep. */
static int find_addresses(struct proc *proc, uint64_t *linear)
{
    *linear = area_find_free(proc, 1 + has_guard());
    if (!*linear || area_add_anonymous(proc, *linear, 1, AREA_UKSHM, PROT_NONE))
        return -ENOMEM;
    int error = 0;
    if (has_guard())
        error = area_add_anonymous(proc, *linear + PAGE_SIZE, 1, AREA_GUARD, PROT_NONE);
    if (!error && walk(proc->root, *linear, 1, true, proc->pid))
        return 0;
    area_unmap(proc, *linear, 1, AREA_UKSHM);
    if (!error && has_guard())
        area_unmap(proc, *linear + PAGE_SIZE, 1, AREA_GUARD);
    return -ENOMEM;
}

/* Addresses that a call had before are taken again: they are the program's no more than others that are free. */
static struct window *find_window(struct listener *listener)
{
    uint64_t linear;
    struct window *window = window_in_state(listener, WINDOW_EMPTY), *unused = window_in_state(listener, WINDOW_FREE);
    if (!window && !unused) {
        windows_settle(listener);       /* what was put off cannot wait any more */
        window = window_in_state(listener, WINDOW_EMPTY);
    }
    if (window)
        return window;
    if (!unused || find_addresses(listener->proc, &linear))
        return 0;
    *unused = (struct window){.state = WINDOW_EMPTY, .proc = listener->proc, .linear = linear};
    return unused;
}

static void map(struct window *window, struct call *call)
{
    area_at(window->proc, window->linear)->protection = PROT_READ | PROT_WRITE;
    page_map(walk(window->proc->root, window->linear, 1, false, 0), window->physical & PTE_ADDRESS,
             PROT_READ | PROT_WRITE);
    frame_of(window->physical)->linear = window->linear;
    call->linear = window->linear + call->offset;
    if (window->physical % PAGE_SIZE)
        call->linear = window->linear + window->physical % PAGE_SIZE;
    trace_ukshm_map(window->proc->pid, window->linear, window->physical / PAGE_SIZE, 1);
}

OBSERVABLE int window_share(struct listener *listener, struct call *call)
{
    uint64_t id = call->id;
    struct window *window = find_window(listener);
    if (!window)
        return -ENOMEM;
    if (!listener->running || listener->running->id != id)
        return -EINTR;              /* it slept, and the deadline came first */
    window->physical = ukshm_page_share(call, listener->proc->pid, &window->capacity);
    if (!window->physical)
        return -ENOMEM;
    window->call = call;
    window->state = WINDOW_SHARED;
    listener->window = window;
    map(window, call);
    return 0;
}

/* ---- the end of sharing ---- */

/* After this the program does not reach the page; unless ukshm.invalidate=none left its way there in the TLB. */
static void unmap(struct window *window)
{
    trace_ukshm_unmap(window->proc->pid, window->linear, window->physical / PAGE_SIZE, 1);
    ukshm_unmap_page(window->proc, window->linear);
    area_at(window->proc, window->linear)->protection = PROT_NONE;
    window->state = WINDOW_EMPTY;
}

static void give_back(struct window *window, uint64_t length)
{
    ukshm_page_return(window->call, window->physical, length);
    if (switch_value(SWITCH_UKSHM_ORDER) == UKSHM_ORDER_FREE_FIRST)
        window->state = WINDOW_STALE; /* unmapped at the next tick, when the page is somebody else's by now */
}

static void finish(struct window *window, enum call_end end, uint64_t length, uint64_t verdict)
{
    struct call *call = window->call;
    if (switch_value(SWITCH_UKSHM_ORDER) == UKSHM_ORDER_UNMAP_FIRST)
        unmap(window);
    give_back(window, end == CALL_ANSWERED ? length : call->length);
    window->call = 0;
    upcall_end(call, end, length, verdict);
}

OBSERVABLE void window_end(struct listener *listener, enum call_end end, uint64_t length, uint64_t verdict)
{
    struct window *window = listener->window;
    struct call *call = listener->running;
    listener->window = 0;
    listener->running = 0;
    if (window)
        finish(window, end, length, verdict);
    else
        upcall_end(call, end, length, verdict);
}

void window_answered(struct listener *listener, uint64_t length, uint64_t verdict)
{
    struct window *window = listener->window;
    if (!window || switch_value(SWITCH_UKSHM_CHECK) == UKSHM_CHECK_AFTER_UNMAP) {
        window_end(listener, CALL_ANSWERED, length, verdict);
        return;
    }
    window->state = WINDOW_HELD;      /* the program runs on, and can still change what was found to be in order */
    window->length = length;
    window->verdict = verdict;
    listener->window = 0;
    listener->running = 0;
}

OBSERVABLE void windows_send(struct listener *listener)
{
    for (struct window *window; (window = window_in_state(listener, WINDOW_HELD));)
        finish(window, CALL_ANSWERED, window->length, window->verdict);
}

OBSERVABLE void windows_settle(struct listener *listener)
{
    for (struct window *window; (window = window_in_state(listener, WINDOW_STALE));)
        unmap(window);
    windows_send(listener);
}

void windows_clean(struct listener *listener)
{
    for (struct window *window; (window = window_in_state(listener, WINDOW_EMPTY)); window->state = WINDOW_FREE) {
        area_unmap(window->proc, window->linear, 1, AREA_UKSHM);
        if (has_guard())
            area_unmap(window->proc, window->linear + PAGE_SIZE, 1, AREA_GUARD);
    }
}
