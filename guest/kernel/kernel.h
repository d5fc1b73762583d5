/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every file of the kernel may need: types, attributes, the C library's few functions, the console. */
#ifndef KERNEL_KERNEL_H
#define KERNEL_KERNEL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../include/syscall.h"
#include "layout.h"

/* Kept out of line under its own name: lessons stop at such functions and read their arguments. */
#define OBSERVABLE __attribute__((noinline, used))

/* string.c */
void *memset(void *to, int byte, size_t length);
void *memcpy(void *to, const void *from, size_t length);
int memcmp(const void *a, const void *b, size_t length);
size_t strlen(const char *text);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t length);

/* printk.c: %s %c %d %u %x, l before the last three, and %p, which takes an address as the number it is here. */
void printk(const char *format, ...);
/* The same into a buffer: at most size - 1 characters and a zero byte. How many characters it wrote. */
size_t scnprintf(char *to, size_t size, const char *format, ...);
_Noreturn void panic(const char *format, ...);

/* console.c */
void console_init(void);
void console_write(const char *text, size_t length);
void console_fresh_line(void);
void console_listen(void);          /* from here on what is typed is kept; after irq_init */
/* Waits until something was typed; takes it up to and including the first newline. Its length, or -EINTR. */
int64_t console_read(char *to, size_t size);

/* main.c */
enum guest_end { GUEST_ENDED = 0x10, GUEST_PANICKED = 0x11 };
void check_balance(void);
_Noreturn void end_guest(enum guest_end how);

#endif
