/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "console.h"
#include <stdarg.h>
#include "cpu.h"

enum {
    UART_DATA = 0x3f8, UART_FIFO = 0x3fa, UART_LINE_STATUS = 0x3fd,
    UART_TRANSMIT_EMPTY = 0x20, FIFO_ENABLE = 1, FIFO_BYTES = 16,
    EXIT_PORT = 0xf4,
};

static char line[1024];             /* what print() has put together and not yet sent; no line is that long */
static char *next = line;

static void send_line(void)
{
    const char *from = line;
    size_t length = (size_t)(next - line);
    next = line;
    while (length) {
        size_t count = length < FIFO_BYTES ? length : FIFO_BYTES;
        length -= count;
        while (!(inb(UART_LINE_STATUS) & UART_TRANSMIT_EMPTY)) {}
        __asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(UART_DATA) : "memory");
    }
}

static char *put_number(char *to, word value, word base, int digits)
{
    if (value >= base || digits > 1)
        to = put_number(to, value / base, base, digits - 1);
    *to = "0123456789abcdef"[value % base];
    return to + 1;
}

static char *put_string(char *to, const char *s, int width)
{
    char *end = to + width;
    while (*s)
        *to++ = *s++;
    while (to < end)
        *to++ = ' ';
    return to;
}

/* One conversion, `format` behind its '%'. Returns what follows it. */
static const char *put_conversion(char **to, const char *format, va_list *arguments)
{
    int width = 0;
    if (*format == '-')
        format++;
    for (; *format >= '0' && *format <= '9'; format++)
        width = 10 * width + (*format - '0');
    if (*format == 'l')
        format++;
    if (*format == 'd')
        *to = put_number(*to, (word)va_arg(*arguments, int), 10, 1);
    else if (*format == 'x')
        *to = put_number(*to, va_arg(*arguments, word), 16, width);
    else
        *to = put_string(*to, va_arg(*arguments, const char *), width);
    return format + 1;
}

void console_init(void)
{
    outb(UART_FIFO, FIFO_ENABLE);
}

void print(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *to = next;
    for (;;) {
        while (*format > '%')
            *to++ = *format++;
        if (!*format)
            break;
        if (*format == '%')
            format = put_conversion(&to, format + 1, &arguments);
        else
            *to++ = *format++;
    }
    va_end(arguments);
    next = to;
    if (to > line && to[-1] == '\n')
        send_line();
}

void print_string(const char *s, int width)
{
    next = put_string(next, s, width);
}

_Noreturn void end(int code)
{
    send_line();
    for (;;)
        __asm__ volatile("outl %0, %w1" : : "a"(code), "Nd"(EXIT_PORT));
}
