/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The library of the user programs. */
#ifndef USER_ULIB_H
#define USER_ULIB_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../include/network.h"
#include "../include/syscall.h"

/* A function that lessons name: it keeps its own symbol. */
#define OBSERVABLE __attribute__((noinline, used))

/* System calls. A negative result is an error: the negative of an enum error_number. */
long syscall6(long number, long a, long b, long c, long d, long e, long f);
_Noreturn void exit(int status);
long write(int file, const void *buffer, size_t length);
long read(int file, void *buffer, size_t length);
int open(const char *name, enum open_flags flags);
int close(int file);
int setuid(enum uid uid);
int yield(void);
int getpid(void);
int spawn(const char *name, const char *const argv[]);
int fork(void);
int wait(int pid, int *status);
int kill(int pid);
int sleep(unsigned long ticks);
void *mmap(size_t length, int protection);      /* check with is_error */
void *mmap_file(int file, unsigned long offset, size_t length, int protection);     /* writes go to a copy */
void *mmap_shared(size_t length, int protection);      /* with the children that fork makes */
int munmap(void *start, size_t length);
int mprotect(void *start, size_t length, int protection);
void *brk(void *end);                           /* the end of the heap, moved there; 0 asks */
void *ukshm_register(enum ukshm_role role, void *handler, void *stack, unsigned long max_pages, unsigned long version);
long ukshm_ack(unsigned long id, unsigned long length, unsigned long verdict);
int ukshm_unregister(void);
long pkt_recv(void *buffer, size_t length);
long pkt_verdict(unsigned long id, unsigned long verdict, const void *buffer, size_t length);
int socket(void);                               /* for UDP */
int bind(int socket, unsigned port);
long sendto(int socket, const void *buffer, size_t length, uint32_t address, unsigned port);
long recvfrom(int socket, void *buffer, size_t length, struct socket_address *from, unsigned long ticks);

/* How a handler ends: it does not return if the answer is taken. The error, if not. */
struct upcall;
typedef void upcall_handler(struct upcall *upcall);

static inline bool is_error(const void *result) { return (unsigned long)result > -4096ul; }

/* One whole line, beginning with this process's number: "2: text". %s %c %d %u %x %p, and l before d, u, x. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same words into a buffer of at least one byte; how many characters it holds now. What does not fit is cut. */
int snprintf(char *to, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* One line without its newline, or as much of it as fits: its length, or an error. Waits for it on the console. */
long read_line(int file, char *line, size_t size);

/* say, then exit with status 1. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

void *memset(void *to, int byte, size_t length);
void *memcpy(void *to, const void *from, size_t length);
int memcmp(const void *a, const void *b, size_t length);
size_t strlen(const char *text);
int strcmp(const char *a, const char *b);
unsigned long to_number(const char *text);

enum { PAGE = 4096 };

#endif
