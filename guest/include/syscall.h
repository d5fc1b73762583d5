/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contract between the kernel and its programs: numbers, errors, small words.
 * Number in RAX, arguments in RDI RSI RDX R10 R8 R9, result in RAX; RCX and R11 are lost.
 * A result from -4095 to -1 is an error, the negative of an enum error_number.
 */
#ifndef GUEST_SYSCALL_H
#define GUEST_SYSCALL_H

enum syscall_number {
    SYS_exit,               /* (status) */
    SYS_write,              /* (file, buffer, length) -> bytes written; up to 256 for the console stay together */
    SYS_read,               /* (file, buffer, length) -> bytes read; 0 is the end, the console waits instead */
    SYS_open,               /* (name, enum open_flags) -> the lowest free descriptor */
    SYS_close,              /* (file) */
    SYS_yield,              /* () */
    SYS_getpid,             /* () -> pid */
    SYS_setuid,             /* (enum uid) */
    SYS_spawn,              /* (name, argv or 0) -> pid of the new process */
    SYS_fork,               /* () -> pid of the child, 0 in the child */
    SYS_wait,               /* (pid or -1, int *status or 0) -> pid of the child that ended */
    SYS_kill,               /* (pid) */
    SYS_sleep,              /* (ticks of a millisecond, or SLEEP_FOREVER) */
    SYS_mmap,               /* (length, enum protection, enum map_flags, file, offset) -> address */
    SYS_munmap,             /* (address, length) */
    SYS_mprotect,           /* (address, length, enum protection) */
    SYS_brk,                /* (address, or 0 to ask) -> end of the heap */
    SYS_ukshm_register,     /* (role, handler, stack, max_pages, version) -> address, for a BUFFER */
    SYS_ukshm_ack,          /* (id, length, verdict) -> for a BUFFER (0, length, 0) the checksum of its bytes */
    SYS_ukshm_unregister,   /* () */
    SYS_pkt_recv,           /* (buffer, length) -> bytes of struct upcall and packet; of a ring (0, 0): questions */
    SYS_pkt_verdict,        /* (id, verdict, buffer or 0, length); of a ring (0, 0, 0, 0) */
    SYS_socket,             /* () -> descriptor of a socket for UDP */
    SYS_bind,               /* (socket, port) */
    SYS_sendto,             /* (socket, buffer, length, address, port) -> length */
    SYS_recvfrom,           /* (socket, buffer, length, struct socket_address *from or 0, ticks) -> bytes; of a datagram
                               that is longer the rest is lost. ticks: 0 does not wait, SLEEP_FOREVER until the
                               network is over (-ENETDOWN) */
    SYSCALL_COUNT
};

/* The numbers are Linux's, so that they are the ones a reader knows. */
enum error_number {
    EPERM = 1, ENOENT = 2, ESRCH = 3, EINTR = 4, EIO = 5, E2BIG = 7, ENOEXEC = 8, EBADF = 9, ECHILD = 10,
    EAGAIN = 11, ENOMEM = 12, EACCES = 13, EFAULT = 14, EBUSY = 16, ENODEV = 19, EISDIR = 21, EINVAL = 22,
    ENFILE = 23, EMFILE = 24, ENOSPC = 28, EDEADLK = 35, ENAMETOOLONG = 36, ENOSYS = 38, ENOTSOCK = 88, EMSGSIZE = 90,
    EADDRINUSE = 98, ENETDOWN = 100, ENETUNREACH = 101, ENOBUFS = 105, ETIMEDOUT = 110, ECONNREFUSED = 111,
    EHOSTUNREACH = 113,
};

enum open_flags { O_RDONLY = 0, O_WRONLY = 1, O_RDWR = 2 };

/* Root may become the one other user; nobody may come back. */
enum uid { UID_ROOT = 0, UID_USER = 1000 };

enum protection { PROT_NONE = 0, PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4 };

/* A file is mapped privately: writes go to a copy. Shared memory is shared with the children that fork makes. */
enum map_flags { MAP_PRIVATE = 0, MAP_SHARED = 1, MAP_FILE = 2 };

enum ukshm_role { ROLE_BUFFER = 1, ROLE_FIREWALL = 2, ROLE_NETFS = 3 };

enum { UKSHM_VERSION = 1, UKSHM_MAX_PAGES = 64 };

/* The status of a process that did not end by exit(): 128 + vector for an exception, this for kill() and for the
 * kernel that is out of memory. */
enum { STATUS_EXCEPTION = 128, STATUS_KILLED = 137 };

static const unsigned long SLEEP_FOREVER = ~0ul;

#endif
