/* SPDX-License-Identifier: GPL-2.0-or-later */
.section .note.pvh, "a", @note
.balign 4
.long 4, 4, 18
.asciz "Xen"
.long boot32
.section .boot, "ax"
.code32
.globl boot32
boot32:
    hlt
    jmp boot32
.text
.code64
.globl start
start:
    jmp kernel_main
