/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A probe: one instruction in one ring, and what became of it. */
#ifndef PROBE_H
#define PROBE_H
#include "mode.h"

enum { ERROR_P = 1 << 0, ERROR_W = 1 << 1, ERROR_U = 1 << 2, ERROR_RSVD = 1 << 3, ERROR_I = 1 << 4, ERROR_PK = 1 << 5 };

/* The instructions of entry.S, in their order. */
enum instruction {
    READ, WRITE, FETCH, READ_STACK, READ_WORD, WRITE_WORD, LOAD_FS, INT,
    MOV_CR0, MOV_CR3, MOV_CR4, WRMSR, INVLPG, INVPCID, WRPKRU, RDPKRU,
};

struct probe {
    enum instruction instruction;
    int ring;
    word ax, cx, dx;                /* operands: see entry.S; AX is the address of an access */
    bool ac;                        /* EFLAGS.AC */
    bool high;                      /* ring 0 executes the probe at its address in the upper half */
};

struct outcome {
    int vector;                     /* VECTOR_DONE if nothing was refused */
    word error, cr2, ip;
    bool exact;                     /* IP was that of the instruction; of a refused fetch, its address */
    word ax;
};

struct outcome attempt(struct probe probe);

/* "ok", or what the handler was given: "#PF 07 PWU", "#GP 00". */
void print_outcome(const struct outcome *outcome);
const char *error_letters(word error);

#endif
