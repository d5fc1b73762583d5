/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program's argument strings on their way from one address space to another. */
#ifndef KERNEL_ARGUMENTS_H
#define KERNEL_ARGUMENTS_H

#include "kernel.h"

enum { ARGUMENTS_MAX = 32, ARGUMENT_BYTES_MAX = 1024 };

struct arguments {
    uint32_t count;
    uint32_t length;                        /* bytes of text in use */
    char text[ARGUMENT_BYTES_MAX];          /* strings, each ended by a zero byte, one behind the other */
};

/* 0, or -E2BIG with nothing added. */
int arguments_add(struct arguments *arguments, const char *string, size_t length);

/* Writes argc, argv and the strings into the top page of a new stack; returns the stack pointer. */
uint64_t arguments_push(const struct arguments *arguments, uint8_t *page, uint64_t page_linear);

#endif
