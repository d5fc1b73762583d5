/* SPDX-License-Identifier: GPL-2.0-or-later */
/* COM1 and the debug exit. */
#ifndef CONSOLE_H
#define CONSOLE_H
#include "mode.h"

enum { EXIT_ORDERLY = 0x10, EXIT_PANIC = 0x11 };

void console_init(void);

/*
 * A line is sent when it is whole. %s and %-12s are a string, %d a small number, %lx a word in hex, %02lx one with at
 * least that many digits.
 */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void print_string(const char *s, int width);       /* as %s, quicker; blanks up to `width` */
_Noreturn void end(int code);

#endif
