/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's printf. A message is put together first and written in one piece; what does not fit is left out. */
#include "kernel.h"

enum { MESSAGE_MAX = 256 };

struct text {
    char *to;
    size_t size, length;
};

static void put(struct text *out, char c)
{
    if (out->length < out->size)
        out->to[out->length++] = c;
}

static void put_string(struct text *out, const char *s)
{
    while (*s)
        put(out, *s++);
}

static void put_number(struct text *out, uint64_t value, unsigned base)
{
    char digits[20];
    int count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    while (count)
        put(out, digits[--count]);
}

/* An address: sixteen digits in groups of four, 0x0000_7f12_3456_7abc. */
static void put_address(struct text *out, uint64_t value)
{
    put_string(out, "0x");
    for (int shift = 60; shift >= 0; shift -= 4) {
        put(out, "0123456789abcdef"[value >> shift & 15]);
        if (shift && shift % 16 == 0)
            put(out, '_');
    }
}

static void format_text(struct text *out, const char *format, va_list arguments)
{
    for (; *format; format++) {
        if (*format != '%') {
            put(out, *format);
            continue;
        }
        bool is_long = *++format == 'l';
        if (is_long)
            format++;
        switch (*format) {
        case 's': put_string(out, va_arg(arguments, const char *)); break;
        case 'c': put(out, (char)va_arg(arguments, int)); break;
        case 'p': put_address(out, va_arg(arguments, uint64_t)); break;
        case 'u':
        case 'x': {
            uint64_t value = is_long ? va_arg(arguments, uint64_t) : va_arg(arguments, uint32_t);
            put_number(out, value, *format == 'x' ? 16 : 10);
            break;
        }
        case 'd': {
            int64_t value = is_long ? va_arg(arguments, int64_t) : va_arg(arguments, int32_t);
            if (value < 0)
                put(out, '-');
            put_number(out, value < 0 ? -(uint64_t)value : (uint64_t)value, 10);
            break;
        }
        case '\0': return;
        default: put(out, *format); break;
        }
    }
}

void printk(const char *format, ...)
{
    char message[MESSAGE_MAX];
    struct text out = {.to = message, .size = sizeof message};
    va_list arguments;
    va_start(arguments, format);
    format_text(&out, format, arguments);
    va_end(arguments);
    console_fresh_line();
    console_write(message, out.length);
}

size_t scnprintf(char *to, size_t size, const char *format, ...)
{
    if (!size)
        return 0;
    struct text out = {.to = to, .size = size - 1};
    va_list arguments;
    va_start(arguments, format);
    format_text(&out, format, arguments);
    va_end(arguments);
    to[out.length] = '\0';
    return out.length;
}

_Noreturn OBSERVABLE void panic(const char *format, ...)
{
    char message[MESSAGE_MAX];
    struct text out = {.to = message, .size = sizeof message};
    va_list arguments;
    va_start(arguments, format);
    put_string(&out, "0: kernel panic: ");
    format_text(&out, format, arguments);
    put(&out, '\n');
    va_end(arguments);
    console_fresh_line();
    console_write(message, out.length);
    end_guest(GUEST_PANICKED);
}
