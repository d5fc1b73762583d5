/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What careless.c does wrong, instruction by instruction. The exception table makes a refusal a result: for a load
 * and a store it names the instruction, for the call the place it would have come back to (trap.c).
 *   int64_t careless_load(uint64_t linear)                     the byte, or -EFAULT
 *   int64_t careless_store(uint64_t linear, uint8_t value)     0, or -EFAULT
 *   int64_t careless_call(uint64_t linear)                     what the function returns, or -EFAULT
 */
    .text
    .globl careless_load
    .type careless_load, @function
careless_load:
    movzbl (%rdi), %eax
    ret
    .size careless_load, . - careless_load

    .globl careless_store
    .type careless_store, @function
careless_store:
    movb %sil, (%rdi)
    xorl %eax, %eax
    ret
careless_refused:
    movq $-14, %rax                 /* -EFAULT */
    ret
    .size careless_store, . - careless_store

    .globl careless_call
    .type careless_call, @function
careless_call:
    callq *%rdi
careless_call_end:
    ret
careless_call_refused:
    addq $8, %rsp                   /* the return address of the call that led nowhere */
    jmp careless_refused
    .size careless_call, . - careless_call

    .section .ex_table, "a"
    .quad careless_load, careless_refused
    .quad careless_store, careless_refused
    .quad careless_call_end, careless_call_refused
