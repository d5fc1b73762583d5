/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * long copy_user(void *to, const void *from, uint64_t length): 0, or -EFAULT.
 * The only place where the kernel touches a program's pages by the program's address. SMAP is lifted for
 * these instructions alone, and a fault at one of them ends at copy_user_failed instead of in a panic.
 */
    .text
    .globl copy_user
    .type copy_user, @function
copy_user:
    cmpb $0, smap_enabled           /* STAC is #UD on a CPU without SMAP */
    je 1f
    stac
1:  movq %rdx, %rcx
    shrq $3, %rcx
copy_user_quads:
    rep movsq
    movl %edx, %ecx
    andl $7, %ecx
copy_user_bytes:
    rep movsb
    xorl %eax, %eax
copy_user_end:
    cmpb $0, smap_enabled
    je 2f
    clac
2:  ret
copy_user_failed:
    movq $-14, %rax                 /* -EFAULT */
    jmp copy_user_end
    .size copy_user, . - copy_user

    .section .ex_table, "a"
    .quad copy_user_quads, copy_user_failed
    .quad copy_user_bytes, copy_user_failed
