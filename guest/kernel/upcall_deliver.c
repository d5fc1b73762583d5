/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The calling itself, on a process's way to ring 3: its registers are put aside, and what it returns to is the handler,
 * on the handler's stack, with a struct upcall there to read:
 *
 *   stack ->  | struct upcall |   <- RDI
 *             | 0             |   <- RSP: a handler that returns, instead of answering, returns to nowhere
 */
#include "upcall.h"
#include "area.h"
#include "../include/upcall.h"
#include "listener.h"
#include "proc.h"
#include "trace.h"
#include "user_memory.h"
#include "vm.h"

enum { RFLAGS_IF = 1 << 9, RFLAGS_FIXED = 1 << 1, STACK_ALIGNMENT = 16 };

struct upcall_frame {
    uint64_t return_address;
    struct upcall upcall;
};

static uint64_t frame_address(const struct listener *listener)
{
    /* As behind a call instruction: RSP + 8 is aligned. */
    return ((listener->stack - sizeof(struct upcall)) & ~(uint64_t)(STACK_ALIGNMENT - 1)) - sizeof(uint64_t);
}

/* ---- registration ---- */

static bool may_be_called(uint64_t handler)
{
    const struct area *area = area_at(current, handler);
    return area && area->kind != AREA_GUARD && area->protection & PROT_EXEC;
}

static bool may_be_stack(uint64_t from, uint64_t to)
{
    const struct area *area = area_at(current, from);
    return area && to <= area->end && area->protection & PROT_WRITE
           && area->kind != AREA_UKSHM && area->kind != AREA_KERNEL_RANGE;
}

OBSERVABLE int upcall_register(enum ukshm_role role, uint64_t handler, uint64_t stack)
{
    struct listener *listener = &listeners[role];
    if (!may_be_called(handler) || stack < PAGE_SIZE)
        return -EFAULT;
    if (!may_be_stack(stack - sizeof(struct upcall_frame) - STACK_ALIGNMENT, stack))
        return -EFAULT;
    if (listener->proc || current->ukshm.role)
        return -EBUSY;
    *listener = (struct listener){
        .proc = current, .owner = listener->owner, .handler = handler, .stack = stack,
    };
    current->ukshm = (struct ukshm){.role = role};
    if (listener->owner)
        listener->owner->registered(current);
    return 0;
}

/* ---- delivery ---- */

static int push_frame(const struct listener *listener, const struct call *call)
{
    struct upcall_frame frame = {.upcall = {
        .id = call->id, .role = call->role, .operation = call->operation, .address = call->linear,
        .length = call->length, .capacity = listener->window ? listener->window->capacity : 0,
    }};
    memcpy(frame.upcall.argument, call->argument, sizeof frame.upcall.argument);
    return copy_to_user(frame_address(listener), &frame, sizeof frame);
}

static void enter(const struct listener *listener, struct trap_frame *frame)
{
    uint64_t rsp = frame_address(listener);
    *frame = (struct trap_frame){
        .rip = listener->handler, .cs = USER_CODE, .rflags = RFLAGS_IF | RFLAGS_FIXED, .rsp = rsp, .ss = USER_DATA,
        .rdi = rsp + sizeof(uint64_t), .vector = frame->vector,
        .rcx = listener->handler, .r11 = RFLAGS_IF | RFLAGS_FIXED,      /* SYSRET takes them from here */
    };
}

static _Noreturn void no_stack(const struct listener *listener)
{
    die_if_killed();
    printk("%d: killed: no stack for a reverse syscall at %p\n", current->pid, frame_address(listener));
    exit_process(STATUS_EXCEPTION + VECTOR_PAGE_FAULT, VECTOR_PAGE_FAULT);
}

/* The oldest call, whose page is there and whose frame lies ready. Both may take time, and a deadline may come. */
static bool prepare(struct listener *listener)
{
    struct call *call;
    while ((call = upcall_take(listener))) {
        uint64_t id = call->id;
        int error = call->physical ? window_share(listener, call) : 0;
        if (error && error != -EINTR)
            window_end(listener, CALL_ABANDONED, 0, 0);      /* no room, or ukshm.limit: it cannot be asked */
        if (!error && push_frame(listener, call))
            no_stack(listener);
        if (listener->running && listener->running->id == id) {
            trace_upcall(current->pid, id, call->role, call->operation, call->linear, call->length);
            return true;
        }
    }
    listener->handler_id = 0;
    return false;
}

OBSERVABLE void upcall_deliver(struct trap_frame *frame)
{
    struct listener *listener = listener_of(current);
    bool returning = listener && listener->returning;
    if (!returning && !upcall_pending(current))
        return;
    if (!returning)
        listener->interrupted = *frame;
    listener->returning = false;
    if (prepare(listener))
        enter(listener, frame);
    else if (returning)
        *frame = listener->interrupted;
    die_if_killed();
}
