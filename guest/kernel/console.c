/* SPDX-License-Identifier: GPL-2.0-or-later */
/* COM1, polled. The kernel is not preempted, so whatever one call writes stays together on the line. */
#include "cpu.h"
#include "kernel.h"

enum {
    COM1 = 0x3f8,
    UART_DATA = COM1, UART_INTERRUPT_ENABLE = COM1 + 1, UART_FIFO = COM1 + 2, UART_LINE = COM1 + 3,
    UART_MODEM = COM1 + 4, UART_LINE_STATUS = COM1 + 5,
    UART_DIVISOR_LATCH = 0x80, UART_8N1 = 0x03, UART_TRANSMIT_EMPTY = 0x20,
};

static bool line_is_open;           /* the last character written was no newline */

void console_init(void)
{
    outb(UART_INTERRUPT_ENABLE, 0);
    outb(UART_LINE, UART_DIVISOR_LATCH);
    outb(UART_DATA, 1);             /* 115200 baud */
    outb(UART_INTERRUPT_ENABLE, 0);
    outb(UART_LINE, UART_8N1);
    outb(UART_FIFO, 0x01);
    outb(UART_MODEM, 0x03);
}

void console_write(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        while (!(inb(UART_LINE_STATUS) & UART_TRANSMIT_EMPTY)) {}
        outb(UART_DATA, (uint8_t)text[i]);
    }
    if (length)
        line_is_open = text[length - 1] != '\n';
}

/* The kernel's own messages never continue a line that a program left open. */
void console_fresh_line(void)
{
    if (line_is_open)
        console_write("\n", 1);
}
