/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One spelling for the registers of 32-bit and of 64-bit code; PUSH and POP need none. */
#ifndef ASM_H
#define ASM_H

#ifdef __x86_64__
#define AX %rax
#define BX %rbx
#define CX %rcx
#define DX %rdx
#define SI %rsi
#define DI %rdi
#define BP %rbp
#define SP %rsp
#define WORD 8
#define IRET iretq
#else
#define AX %eax
#define BX %ebx
#define CX %ecx
#define DX %edx
#define SI %esi
#define DI %edi
#define BP %ebp
#define SP %esp
#define WORD 4
#define IRET iretl
#endif

#endif
