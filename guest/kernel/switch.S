/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * void switch_context(uint64_t *save_rsp, uint64_t load_rsp)
 * A process that is not running is a kernel stack with its callee-saved registers on top: C expects no more.
 */
    .text
    .globl switch_context
    .type switch_context, @function
switch_context:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret
    .size switch_context, . - switch_context
