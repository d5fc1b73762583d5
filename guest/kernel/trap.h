/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What entry.S leaves on the kernel stack, and the numbers it comes with. */
#ifndef KERNEL_TRAP_H
#define KERNEL_TRAP_H

#include "kernel.h"

struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error;                 /* pushed by the stub, or by the CPU */
    uint64_t rip, cs, rflags, rsp, ss;      /* pushed by the CPU, or by entry.S for a SYSCALL */
};

/* The error code of a page fault. */
enum { FAULT_P = 1 << 0, FAULT_W = 1 << 1, FAULT_U = 1 << 2, FAULT_RSVD = 1 << 3, FAULT_I = 1 << 4 };

enum {
    VECTOR_BREAKPOINT = 3, VECTOR_DOUBLE_FAULT = 8, VECTOR_PAGE_FAULT = 14, VECTOR_IRQ0 = 32, VECTOR_SYSCALL = 256,
};

/* entry.S */
extern uint8_t trap_stubs[];
void trap_entry(void);
void trap_return(void);
void syscall_entry(void);

/* Called by entry.S. */
void trap(struct trap_frame *frame);
void syscall(struct trap_frame *frame);

static inline bool from_user(const struct trap_frame *frame) { return frame->cs & 3; }

#endif
