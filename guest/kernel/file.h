/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Open files and the descriptors of a process. The kernel has no file system: a name is a file of the archive ("NAME"
 * or "/NAME"), a text of the kernel ("/proc/NAME"), a device ("/dev/NAME"), or whatever a program makes of "/net/NAME".
 */
#ifndef KERNEL_FILE_H
#define KERNEL_FILE_H

#include "cpio.h"

enum { FILES_MAX = 16, OPEN_FILES_MAX = 64, FILE_NAME_MAX = 64 };

enum file_kind {
    FILE_UNUSED,
    FILE_ARCHIVE,
    FILE_TEXT,                      /* made when it was opened, in a frame of its own */
    FILE_DEVICE,
    FILE_SOCKET,                    /* for sendto and recvfrom; read and write have no address */
    FILE_NETWORK,                   /* served by a program: netfs.h */
};

struct device;
struct udp_socket;
struct netfs_file;

/* Shared by all descriptors that were made of one open: they have one position. */
struct open_file {
    enum file_kind kind;
    enum open_flags flags;
    int references;
    uint64_t position;
    struct file contents;           /* of FILE_ARCHIVE and FILE_TEXT */
    const struct device *device;    /* of FILE_DEVICE */
    struct udp_socket *socket;      /* of FILE_SOCKET */
    struct netfs_file *network;     /* of FILE_NETWORK */
};

struct proc;

/* Descriptors 0, 1 and 2 of a spawned process are its parent's; those of the first process are the console. */
void files_process_start(struct proc *proc, const struct proc *parent);
void files_share(struct proc *child, const struct proc *parent);     /* fork: all of them */
void files_process_exit(struct proc *proc);

/* The system calls, for the current process; 0 or more, or a negative error. */
int file_open(const char *name, uint64_t flags);
int file_close(uint64_t descriptor);
int64_t file_read(uint64_t descriptor, uint64_t to, uint64_t length);
int64_t file_write(uint64_t descriptor, uint64_t from, uint64_t length);

/* What mmap may map: 0; -EBADF, -EACCES if it is not open for reading, -ENODEV if it is no file of the archive. */
int file_of_descriptor(uint64_t descriptor, struct file *file);

/* A descriptor for a new socket, which is destroyed with it; a negative error: it is destroyed already. */
int file_open_socket(struct udp_socket *socket);

/* The socket of a descriptor: 0, -EBADF, or -ENOTSOCK. */
int file_socket(uint64_t descriptor, struct udp_socket **socket);

#endif
