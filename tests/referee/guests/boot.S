/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the PVH entry (32-bit protected mode, paging off, EBX = start_info) to main. A 32-bit guest gets there with
 * paging still off. 64-bit code has no such choice: its boot tables map the first 2 MiB one to one.
 */
#include "mode.h"

    .section .note.pvh, "a", @note
    .p2align 2
    .long 4                         /* size of the name */
    .long 8                         /* size of the value */
    .long 18                        /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long _start, 0

    .text
    .code32
    .globl _start
    .type _start, @function
_start:
    cli
    cld
    lgdt gdt_pointer
    movl $boot_stack_top, %esp
#if LEVELS >= 4
    movl %cr4, %eax
    orl $0x20, %eax                 /* PAE */
#if LEVELS == 5
    orl $0x1000, %eax               /* LA57: only now, for it cannot change in long mode */
    movl $boot_tables, %edi
    leal 4096 + 3(%edi), %edx
    movl %edx, (%edi)               /* PML5E */
#endif
    movl %eax, %cr4
    movl $boot_pml4, %edi
    leal 4096 + 3(%edi), %edx
    movl %edx, (%edi)               /* PML4E */
    leal 8192 + 3(%edi), %edx
    movl %edx, 4096(%edi)           /* PDPTE */
    movl $0x83, 8192(%edi)          /* PDE: P, R/W, PS; frame 0 */
    movl $boot_tables, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx          /* IA32_EFER */
    rdmsr
    orl $0x100, %eax                /* LME */
    wrmsr
    movl %cr0, %eax
    orl $0x80000000, %eax           /* PG */
    movl %eax, %cr0
#endif
    ljmp $KERNEL_CODE, $flat

#if LEVELS >= 4
    .code64
flat:
    movl $KERNEL_DATA, %eax
    movl %eax, %ss
    movl %ebx, %edi                 /* start_info */
    call main
#else
flat:
    movl $KERNEL_DATA, %eax
    movl %eax, %ss
    movl $USER_DATA, %eax           /* flat as well, and an IRET to ring 3 leaves it as it is */
    movl %eax, %ds
    movl %eax, %es
    pushl %ebx                      /* start_info */
    call main
#endif
1:  hlt                             /* main does not return */
    jmp 1b
    .size _start, . - _start

    .section .rodata
    .p2align 3
    .globl gdt_pointer
gdt_pointer:
    .word 9 * 8 - 1
    .long gdt

    .section .bss
    .p2align 12
#if LEVELS >= 4
boot_tables:
#if LEVELS == 5
    .skip 4096
#endif
boot_pml4:
    .skip 3 * 4096
#endif
    .skip 8192
boot_stack_top:
