/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a program starts: RSP points at argc, argv[0], ..., a null pointer. */
    .section .text.start, "ax"
    .globl _start
    .type _start, @function
_start:
    movq (%rsp), %rdi
    leaq 8(%rsp), %rsi
    xorl %ebp, %ebp
    andq $-16, %rsp
    call main
    movl %eax, %edi
    call exit
    .size _start, . - _start
