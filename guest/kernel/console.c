/* SPDX-License-Identifier: GPL-2.0-or-later */
/* COM1. Output is polled: the kernel is not preempted, so whatever one call writes stays together on the line. */
#include "cpu.h"
#include "irq.h"
#include "proc.h"

enum {
    COM1 = 0x3f8,
    UART_DATA = COM1, UART_INTERRUPT_ENABLE = COM1 + 1, UART_FIFO = COM1 + 2, UART_LINE = COM1 + 3,
    UART_MODEM = COM1 + 4, UART_LINE_STATUS = COM1 + 5,
    UART_DIVISOR_LATCH = 0x80, UART_8N1 = 0x03, UART_DATA_READY = 0x01, UART_TRANSMIT_EMPTY = 0x20,
    UART_INTERRUPT_RECEIVED = 0x01,
    IRQ_COM1 = 4, INPUT_MAX = 512,
};

static bool line_is_open;           /* the last character written was no newline */

static char input[INPUT_MAX];       /* what was typed and not yet read: a ring; both counts only grow */
static uint32_t input_read, input_typed;

static bool input_is_full(void) { return input_typed - input_read == INPUT_MAX; }

void console_init(void)
{
    outb(UART_INTERRUPT_ENABLE, 0);
    outb(UART_LINE, UART_DIVISOR_LATCH);
    outb(UART_DATA, 1);             /* 115200 baud */
    outb(UART_INTERRUPT_ENABLE, 0);
    outb(UART_LINE, UART_8N1);
    outb(UART_FIFO, 0);             /* turning the FIFO on would drop what was typed before now */
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

/* With the ring full the rest stays where it comes from, and the line is not asked again until there is room. */
static void receive(void)
{
    while (!input_is_full() && inb(UART_LINE_STATUS) & UART_DATA_READY)
        input[input_typed++ % INPUT_MAX] = (char)inb(UART_DATA);
    if (input_is_full())
        outb(UART_INTERRUPT_ENABLE, 0);
    wake_up(input);
}

void console_listen(void)
{
    irq_register(IRQ_COM1, receive);
    outb(UART_INTERRUPT_ENABLE, UART_INTERRUPT_RECEIVED);
}

OBSERVABLE int64_t console_read(char *to, size_t size)
{
    size_t count = 0;
    while (input_read == input_typed)
        if (!sleep_on_interruptible(input))
            return -EINTR;
    bool was_full = input_is_full();
    while (count < size && input_read != input_typed && (!count || to[count - 1] != '\n'))
        to[count++] = input[input_read++ % INPUT_MAX];
    if (was_full)
        outb(UART_INTERRUPT_ENABLE, UART_INTERRUPT_RECEIVED);
    return (int64_t)count;
}
