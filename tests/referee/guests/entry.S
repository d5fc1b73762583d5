/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Into a probe, out of it, and the doors of the exceptions that it provokes. */
#include "asm.h"
#include "mode.h"

/*
 * enter_probe() starts the code that struct probe_entry names, in the ring that its CS says. The probe ends with an
 * exception of some kind, of which trap() takes note; leave_probe() then returns to enter_probe's caller.
 */
    .text
    .globl enter_probe, leave_probe
    .type enter_probe, @function
enter_probe:
    push BX
    push BP
#ifdef __x86_64__
    push %r12
    push %r13
    push %r14
    push %r15
#else
    push SI
    push DI
#endif
    mov SP, unwind_to
    push probe_entry + 4 * WORD     /* SS and SP; 32-bit IRET within ring 0 leaves these two on the stack */
    push probe_entry + 3 * WORD
    push probe_entry + 2 * WORD     /* flags */
    push probe_entry + 1 * WORD     /* CS */
    push probe_entry                /* IP */
    mov probe_entry + 5 * WORD, AX
    mov probe_entry + 6 * WORD, CX
    mov probe_entry + 7 * WORD, DX
    mov AX, BP
    IRET
    .size enter_probe, . - enter_probe

    .type leave_probe, @function
leave_probe:
    mov unwind_to, SP
#ifdef __x86_64__
    pop %r15
    pop %r14
    pop %r13
    pop %r12
#else
    pop DI
    pop SI
#endif
    pop BP
    pop BX
    ret
    .size leave_probe, . - leave_probe

/* 33 stubs of 16 bytes: those of the exceptions, and that of VECTOR_DONE. */
    .p2align 4
    .globl trap_stubs
    .type trap_stubs, @function
trap_stubs:
    .set vector, 0
    .rept 33
    .p2align 4
    .if vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21 && vector != 29 && vector != 30
    push $0                         /* in the place of an error code */
    .endif
    .if vector == 32
    push $VECTOR_DONE
    .else
    push $vector
    .endif
    jmp trap_entry
    .set vector, vector + 1
    .endr
    .size trap_stubs, . - trap_stubs

    .type trap_entry, @function
trap_entry:
    push AX
    push $2                         /* flags known: a probe's AC must not act here */
    popf
#ifdef __x86_64__
    mov SP, DI
#else
    push SP
#endif
    call trap                       /* does not return */
    .size trap_entry, . - trap_entry

    .bss
    .p2align 3
unwind_to:
    .skip WORD

/*
 * The probes. Each is one instruction that may be refused, then the INT that says it was not. They stand in a page of
 * their own, which is mapped twice: here for ring 0, and at USER_TEXT for ring 3. Operands come in AX (the same in BP),
 * CX and DX.
 */
    .section .probes, "ax"
    .p2align 12

    .macro PROBE name, instruction:vararg
    .globl probe_\name
    .type probe_\name, @function
probe_\name:
    \instruction
    int $VECTOR_DONE
    .size probe_\name, . - probe_\name
    .endm

    .globl probes
probes:
    PROBE read, movb (AX), %al
    PROBE write, movb $0xc3, (AX)           /* the byte that is there already: RET */
    PROBE fetch, call *AX
    PROBE read_stack, movb (BP), %al
    PROBE read_word, movw (AX), %ax
    PROBE write_word, movw %dx, (AX)
    PROBE load_fs, movw %ax, %fs
    PROBE int, nop                          /* its INT is what may be refused */
    PROBE mov_cr0, mov AX, %cr0
    PROBE mov_cr3, mov AX, %cr3
    PROBE mov_cr4, mov AX, %cr4
    PROBE wrmsr, wrmsr
    PROBE invlpg, invlpg (AX)
    PROBE invpcid, invpcid (DX), AX
    PROBE wrpkru, .byte 0x0f, 0x01, 0xef
    PROBE rdpkru, .byte 0x0f, 0x01, 0xee
    .p2align 12
