/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The doors into the kernel and out of it. Every door builds the same struct trap_frame (trap.h), runs C on
 * the process's kernel stack, and leaves from that frame. Interrupts are off from door to door.
 */
#include "layout.h"

    .macro SAVE_REGISTERS
    pushq %rax
    pushq %rbx
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %rbp
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    .endm

    .macro RESTORE_REGISTERS
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rbp
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rbx
    popq %rax
    .endm

    .text
/* 48 stubs of 16 bytes: idt_init computes their addresses. Those without an error code push a zero. */
    .p2align 4
    .globl trap_stubs
    .type trap_stubs, @function
trap_stubs:
    .set vector, 0
    .rept 48
    .p2align 4
    .if vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21 && vector != 29 && vector != 30
    pushq $0
    .endif
    pushq $vector
    jmp trap_entry
    .set vector, vector + 1
    .endr
    .size trap_stubs, . - trap_stubs

    .globl trap_entry
    .type trap_entry, @function
trap_entry:
    testb $3, 24(%rsp)              /* CS of the interrupted code: from ring 3, take the kernel's GS */
    jz 1f
    swapgs
1:  SAVE_REGISTERS
    pushq $2                        /* RFLAGS known: a program's DF, AC and NT must not act here */
    popfq
    movq %rsp, %rdi
    call trap
    .size trap_entry, . - trap_entry

    .globl trap_return
    .type trap_return, @function
trap_return:                        /* also the first thing a new process does */
    testb $3, 144(%rsp)             /* CS */
    jz 1f
    swapgs
1:  RESTORE_REGISTERS
    addq $16, %rsp                  /* vector and error code */
    iretq
    .size trap_return, . - trap_return

/* SYSCALL loads CS and SS and masks RFLAGS; it does not switch the stack and leaves RIP in RCX, RFLAGS in R11. */
    .globl syscall_entry
    .type syscall_entry, @function
syscall_entry:
    swapgs
    movq %rsp, %gs:8                /* struct cpu: user_rsp */
    movq %gs:0, %rsp                /* struct cpu: kernel_rsp */
    pushq $USER_DATA
    pushq %gs:8
    pushq %r11
    pushq $USER_CODE
    pushq %rcx
    pushq $0
    pushq $256                      /* VECTOR_SYSCALL */
    SAVE_REGISTERS
    movq %rsp, %rdi
    call syscall
    cmpq $256, 120(%rsp)            /* the acknowledgement of a reverse syscall goes back to what it interrupted: */
    jne trap_return                 /* that may be any instruction, and no register of it may be lost */
    RESTORE_REGISTERS               /* RCX and R11 hold RIP and RFLAGS */
    movq 40(%rsp), %rsp             /* the program's RSP; nothing may touch the stack from here on */
    swapgs
    sysretq
    .size syscall_entry, . - syscall_entry
