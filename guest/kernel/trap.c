/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exceptions and interrupts. An exception in a program ends the program; one in the kernel ends the guest. */
#include "trap.h"
#include "cpu.h"
#include "fault.h"
#include "irq.h"
#include "proc.h"
#include "upcall.h"
#include "vm.h"

enum { RFLAGS_AC = 1 << 18 };

struct exception_entry { uint64_t instruction, fixup; };
extern const struct exception_entry exception_table_start[], exception_table_end[];

static const char *exception_name(uint64_t vector)
{
    static const char *const names[32] = {
        [0] = "divide error", [1] = "debug exception", [2] = "non-maskable interrupt", [3] = "breakpoint",
        [4] = "overflow", [5] = "bound range exceeded", [6] = "invalid opcode", [7] = "device not available",
        [8] = "double fault", [10] = "invalid TSS", [11] = "segment not present", [12] = "stack fault",
        [13] = "general protection fault", [14] = "page fault", [16] = "x87 error", [17] = "alignment check",
        [18] = "machine check", [19] = "SIMD exception", [21] = "control protection exception",
    };
    return vector < 32 && names[vector] ? names[vector] : "unknown exception";
}

/* Where the kernel goes on after a fault, or 0. A fetch astray is known by the call that led there. */
static uint64_t fixup_of(const struct trap_frame *frame)
{
    uint64_t rip = frame->rip < USER_TOP ? *(const uint64_t *)frame->rsp : frame->rip;
    for (const struct exception_entry *entry = exception_table_start; entry < exception_table_end; entry++)
        if (entry->instruction == rip)
            return entry->fixup;
    return 0;
}

static _Noreturn void kernel_exception(const struct trap_frame *frame)
{
    printk("0: rax %p rbx %p rcx %p rdx %p\n", frame->rax, frame->rbx, frame->rcx, frame->rdx);
    printk("0: rsi %p rdi %p rbp %p rsp %p\n", frame->rsi, frame->rdi, frame->rbp, frame->rsp);
    printk("0: r8  %p r9  %p r10 %p r11 %p\n", frame->r8, frame->r9, frame->r10, frame->r11);
    printk("0: r12 %p r13 %p r14 %p r15 %p\n", frame->r12, frame->r13, frame->r14, frame->r15);
    printk("0: cr2 %p cr3 %p rflags 0x%lx, process %d\n", read_cr2(), read_cr3(), frame->rflags, current->pid);
    panic("%s in the kernel, error code 0x%lx, rip %p", exception_name(frame->vector), frame->error, frame->rip);
}

/* SMEP and SMAP refuse the kernel a program's page whatever its entry says. */
static bool is_refused_to_kernel(const struct trap_frame *frame)
{
    return !from_user(frame) && frame->error & FAULT_P
           && (frame->error & FAULT_I || (smap_enabled && !(frame->rflags & RFLAGS_AC)));
}

static const char *refusal_name(uint64_t error, int result)
{
    if (result == -EIO)
        return "the swap area cannot be read";
    if (error & FAULT_RSVD)
        return "reserved bit set";
    return error & FAULT_P ? "protection" : "not present";
}

OBSERVABLE void page_fault(struct trap_frame *frame)
{
    uint64_t linear = read_cr2();
    uint64_t fixup = from_user(frame) ? 0 : fixup_of(frame);
    if (!from_user(frame) && !fixup)
        kernel_exception(frame);
    int result = -EFAULT;
    if (linear < USER_TOP && !is_refused_to_kernel(frame))
        result = handle_fault(current, linear, frame->error);
    if (result == -ENOMEM && !current->killed) {
        out_of_memory();
        result = current->killed ? -ENOMEM : 0;
    }
    if (!result)
        return;
    if (fixup) {
        frame->rip = fixup;
        return;
    }
    die_if_killed();
    printk("%d: killed: page fault at %p (%s, user, %s), rip %p\n", current->pid, linear,
           frame->error & FAULT_I ? "fetch" : frame->error & FAULT_W ? "write" : "read",
           refusal_name(frame->error, result), frame->rip);
    exit_process(STATUS_EXCEPTION + VECTOR_PAGE_FAULT, VECTOR_PAGE_FAULT);
}

static void exception(struct trap_frame *frame)
{
    if (frame->vector == VECTOR_PAGE_FAULT) {
        page_fault(frame);
        return;
    }
    if (!from_user(frame)) {
        /* A non-canonical address is #GP, not #PF, and a program may pass one to a system call. */
        uint64_t fixup = fixup_of(frame);
        if (!fixup)
            kernel_exception(frame);
        frame->rip = fixup;
        return;
    }
    printk("%d: killed: %s (error code 0x%lx), rip %p\n", current->pid, exception_name(frame->vector),
           frame->error, frame->rip);
    exit_process(STATUS_EXCEPTION + (int)frame->vector, (int)frame->vector);
}

OBSERVABLE void trap(struct trap_frame *frame)
{
    bool is_interrupt = frame->vector >= VECTOR_IRQ0;
    if (is_interrupt)
        interrupt((int)(frame->vector - VECTOR_IRQ0));
    else
        exception(frame);
    if (!from_user(frame))
        return;                     /* an interrupt of the idle loop goes back there */
    if (is_interrupt) {             /* the time slice is one tick */
        schedule();
        die_if_killed();
    }
    upcall_deliver(frame);
}
