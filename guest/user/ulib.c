/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The library of the user programs: system calls, one line of output at a time, a few functions of <string.h>. */
#include "ulib.h"

long syscall6(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall" : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    return result;
}

_Noreturn void exit(int status)
{
    syscall6(SYS_exit, status, 0, 0, 0, 0, 0);
    __builtin_unreachable();
}

long write(int file, const void *buffer, size_t length)
{
    return syscall6(SYS_write, file, (long)buffer, (long)length, 0, 0, 0);
}

long read(int file, void *buffer, size_t length)
{
    return syscall6(SYS_read, file, (long)buffer, (long)length, 0, 0, 0);
}

int fork(void) { return (int)syscall6(SYS_fork, 0, 0, 0, 0, 0, 0); }
int open(const char *name, enum open_flags flags) { return (int)syscall6(SYS_open, (long)name, flags, 0, 0, 0, 0); }
int close(int file) { return (int)syscall6(SYS_close, file, 0, 0, 0, 0, 0); }
int setuid(enum uid uid) { return (int)syscall6(SYS_setuid, uid, 0, 0, 0, 0, 0); }
int yield(void) { return (int)syscall6(SYS_yield, 0, 0, 0, 0, 0, 0); }
int getpid(void) { return (int)syscall6(SYS_getpid, 0, 0, 0, 0, 0, 0); }
int wait(int pid, int *status) { return (int)syscall6(SYS_wait, pid, (long)status, 0, 0, 0, 0); }
int kill(int pid) { return (int)syscall6(SYS_kill, pid, 0, 0, 0, 0, 0); }
int sleep(unsigned long ticks) { return (int)syscall6(SYS_sleep, (long)ticks, 0, 0, 0, 0, 0); }

int spawn(const char *name, const char *const argv[])
{
    return (int)syscall6(SYS_spawn, (long)name, (long)argv, 0, 0, 0, 0);
}

void *mmap(size_t length, int protection)
{
    return (void *)syscall6(SYS_mmap, (long)length, protection, 0, 0, 0, 0);
}

void *mmap_file(int file, unsigned long offset, size_t length, int protection)
{
    return (void *)syscall6(SYS_mmap, (long)length, protection, MAP_FILE, file, (long)offset, 0);
}

void *mmap_shared(size_t length, int protection)
{
    return (void *)syscall6(SYS_mmap, (long)length, protection, MAP_SHARED, 0, 0, 0);
}

int mprotect(void *start, size_t length, int protection)
{
    return (int)syscall6(SYS_mprotect, (long)start, (long)length, protection, 0, 0, 0);
}

void *brk(void *end) { return (void *)syscall6(SYS_brk, (long)end, 0, 0, 0, 0, 0); }

int munmap(void *start, size_t length)
{
    return (int)syscall6(SYS_munmap, (long)start, (long)length, 0, 0, 0, 0);
}

void *ukshm_register(enum ukshm_role role, void *handler, void *stack, unsigned long max_pages, unsigned long version)
{
    return (void *)syscall6(SYS_ukshm_register, role, (long)handler, (long)stack, (long)max_pages, (long)version, 0);
}

long ukshm_ack(unsigned long id, unsigned long length, unsigned long verdict)
{
    return syscall6(SYS_ukshm_ack, (long)id, (long)length, (long)verdict, 0, 0, 0);
}

int socket(void) { return (int)syscall6(SYS_socket, 0, 0, 0, 0, 0, 0); }
int bind(int socket, unsigned port) { return (int)syscall6(SYS_bind, socket, port, 0, 0, 0, 0); }

long sendto(int socket, const void *buffer, size_t length, uint32_t address, unsigned port)
{
    return syscall6(SYS_sendto, socket, (long)buffer, (long)length, address, port, 0);
}

long recvfrom(int socket, void *buffer, size_t length, struct socket_address *from, unsigned long ticks)
{
    return syscall6(SYS_recvfrom, socket, (long)buffer, (long)length, (long)from, (long)ticks, 0);
}

int ukshm_unregister(void) { return (int)syscall6(SYS_ukshm_unregister, 0, 0, 0, 0, 0, 0); }

long pkt_recv(void *buffer, size_t length)
{
    return syscall6(SYS_pkt_recv, (long)buffer, (long)length, 0, 0, 0, 0);
}

long pkt_verdict(unsigned long id, unsigned long verdict, const void *buffer, size_t length)
{
    return syscall6(SYS_pkt_verdict, (long)id, (long)verdict, (long)buffer, (long)length, 0, 0);
}

/* One byte a call, so that nothing behind the newline is taken from whoever reads next. */
long read_line(int file, char *line, size_t size)
{
    size_t length = 0;
    for (char c; length < size - 1; line[length++] = c) {
        long count = read(file, &c, 1);
        if (count < 0)
            return count;
        if (!count || c == '\n')
            break;
    }
    line[length] = '\0';
    return (long)length;
}

struct line {
    char *to;
    size_t size, length;
};

static void put(struct line *line, char c)
{
    if (line->length < line->size)
        line->to[line->length++] = c;
}

static void put_string(struct line *line, const char *text)
{
    while (*text)
        put(line, *text++);
}

static void put_number(struct line *line, unsigned long value, unsigned base)
{
    char digits[20];
    int count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    while (count)
        put(line, digits[--count]);
}

static void put_signed(struct line *line, long value)
{
    if (value < 0)
        put(line, '-');
    put_number(line, value < 0 ? -(unsigned long)value : (unsigned long)value, 10);
}

static void put_address(struct line *line, unsigned long value)
{
    put_string(line, "0x");
    for (int shift = 60; shift >= 0; shift -= 4) {
        put(line, "0123456789abcdef"[value >> shift & 15]);
        if (shift && shift % 16 == 0)
            put(line, '_');
    }
}

static void put_list(struct line *line, const char *format, va_list arguments)
{
    for (; *format; format++) {
        if (*format != '%') {
            put(line, *format);
            continue;
        }
        bool is_long = *++format == 'l';
        if (is_long)
            format++;
        switch (*format) {
        case 's': put_string(line, va_arg(arguments, const char *)); break;
        case 'c': put(line, (char)va_arg(arguments, int)); break;
        case 'p': put_address(line, va_arg(arguments, unsigned long)); break;
        case 'd': put_signed(line, is_long ? va_arg(arguments, long) : va_arg(arguments, int)); break;
        case 'u':
        case 'x': {
            unsigned long value = is_long ? va_arg(arguments, unsigned long) : va_arg(arguments, unsigned);
            put_number(line, value, *format == 'x' ? 16 : 10);
            break;
        }
        case '\0': format--; break;
        default: put(line, *format); break;
        }
    }
}

static void say_list(const char *format, va_list arguments)
{
    char bytes[256];
    struct line line = {.to = bytes, .size = sizeof bytes - 1};         /* one place is kept for the newline */
    put_signed(&line, getpid());
    put_string(&line, ": ");
    put_list(&line, format, arguments);
    bytes[line.length++] = '\n';
    write(1, bytes, line.length);
}

int snprintf(char *to, size_t size, const char *format, ...)
{
    struct line line = {.to = to, .size = size - 1};
    va_list arguments;
    va_start(arguments, format);
    put_list(&line, format, arguments);
    va_end(arguments);
    to[line.length] = '\0';
    return (int)line.length;
}

void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_list(format, arguments);
    va_end(arguments);
}

_Noreturn void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_list(format, arguments);
    va_end(arguments);
    exit(1);
}

void *memset(void *to, int byte, size_t length)
{
    unsigned char *at = to;
    while (length--)
        *at++ = (unsigned char)byte;
    return to;
}

void *memcpy(void *to, const void *from, size_t length)
{
    unsigned char *at = to;
    const unsigned char *source = from;
    while (length--)
        *at++ = *source++;
    return to;
}

int memcmp(const void *a, const void *b, size_t length)
{
    const unsigned char *x = a, *y = b;
    for (size_t i = 0; i < length; i++)
        if (x[i] != y[i])
            return x[i] - y[i];
    return 0;
}

size_t strlen(const char *text)
{
    size_t length = 0;
    while (text[length])
        length++;
    return length;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (unsigned char)*a - (unsigned char)*b;
}

/* A decimal number; anything else ends it. */
unsigned long to_number(const char *text)
{
    unsigned long value = 0;
    while (*text >= '0' && *text <= '9')
        value = value * 10 + (unsigned long)(*text++ - '0');
    return value;
}
