/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the PVH entry (32-bit protected mode, paging off, EBX = start_info) to C in the higher half. */
#include "layout.h"

#define PHYSICAL(symbol) (symbol - KERNEL_BASE)

/* The loader finds the entry point in this note. Its segment must be aligned to 4: with 8 QEMU does not see it. */
    .section .note.pvh, "a", @note
    .p2align 2
    .long 4                         /* size of the name */
    .long 8                         /* size of the value */
    .long 18                        /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .quad PHYSICAL(_start)

    .section .text.boot, "ax"
    .code32
    .globl _start
    .type _start, @function
_start:
    cli
    cld

    /*
     * One PDPT and one page directory serve three views of the first GiB, in 2M pages: identity (this code),
     * the direct map (vm.c builds the real tables through it) and the kernel image. The loader zeroed .bss.
     */
    movl $PHYSICAL(boot_pdpt) + 3, %eax
    movl %eax, PHYSICAL(boot_pml4)                                      /* identity */
    movl %eax, PHYSICAL(boot_pml4) + 8 * ((DIRECT_MAP >> 39) & 511)
    movl %eax, PHYSICAL(boot_pml4) + 8 * 511
    movl $PHYSICAL(boot_pd) + 3, %eax
    movl %eax, PHYSICAL(boot_pdpt)
    movl %eax, PHYSICAL(boot_pdpt) + 8 * 510
    movl $PHYSICAL(boot_pd), %edi
    movl $0x83, %eax                                                    /* P, R/W, PS */
1:  movl %eax, (%edi)
    addl $8, %edi
    addl $0x200000, %eax
    cmpl $RAM_LIMIT + 0x83, %eax
    jne 1b

    movl %cr4, %eax
    orl $0x20, %eax                 /* PAE */
    movl %eax, %cr4
    movl $PHYSICAL(boot_pml4), %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx          /* IA32_EFER */
    rdmsr
    orl $0x100, %eax                /* LME */
    wrmsr
    movl %cr0, %eax
    orl $0x80000000, %eax           /* PG: long mode is active from here on, still in compatibility mode */
    movl %eax, %cr0
    lgdt PHYSICAL(boot_gdt_pointer)
    ljmp $KERNEL_CODE, $PHYSICAL(long_mode)

    .code64
long_mode:
    movabsq $higher_half, %rax
    jmp *%rax
higher_half:
    movl $KERNEL_DATA, %eax
    movl %eax, %ss
    xorl %eax, %eax                 /* null is enough for the others in 64-bit mode, and IRETQ to ring 3 keeps it */
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    movq $boot_stack_top, %rsp
    xorl %ebp, %ebp
    movl %ebx, %edi                 /* start_info, physical; the upper half becomes zero */
    call kmain
1:  hlt                             /* kmain does not return */
    jmp 1b
    .size _start, . - _start

    .p2align 3
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff        /* 64-bit code, ring 0 */
    .quad 0x00cf93000000ffff        /* data, ring 0 */
boot_gdt_pointer:
    .word boot_gdt_pointer - boot_gdt - 1
    .long PHYSICAL(boot_gdt)

    .section .bss.page, "aw", @nobits
    .p2align 12
boot_pml4:
    .skip PAGE_SIZE
boot_pdpt:
    .skip PAGE_SIZE
boot_pd:
    .skip PAGE_SIZE
    .globl boot_stack_guard, boot_stack_top
boot_stack_guard:                   /* vm_init leaves this page out, so an overflow is a fault */
    .skip PAGE_SIZE
    .skip KERNEL_STACK_PAGES * PAGE_SIZE
boot_stack_top:
