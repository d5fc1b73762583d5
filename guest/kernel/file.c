/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A descriptor is a number of one process, an open file what it stands for; several descriptors may share one. */
#include "file.h"
#include "device_files.h"
#include "frame.h"
#include "net/socket.h"
#include "netfs.h"
#include "proc.h"
#include "proc_files.h"
#include "user_memory.h"
#include "vm.h"

enum { STANDARD_FILES = 3, READ_MAX = PAGE_SIZE };

static struct open_file open_files[OPEN_FILES_MAX];

static bool reads(const struct open_file *file) { return file->flags != O_WRONLY; }
static bool writes(const struct open_file *file) { return file->flags != O_RDONLY; }

/* ---- names ---- */

static bool is_directory(const char *name)
{
    static const char *const directories[] = {"/", "/dev", "/dev/", "/net", "/net/", "/proc", "/proc/"};
    for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++)
        if (!strcmp(name, directories[i]))
            return true;
    return false;
}

static int find_device(const char *name, struct open_file *file)
{
    file->kind = FILE_DEVICE;
    file->device = device_find(name);
    if (!file->device)
        return -ENOENT;
    bool refused = (reads(file) && !device_reads(file->device)) || (writes(file) && !device_writes(file->device));
    return refused ? -EACCES : 0;
}

/* The text is what was true at the open: it does not change under its reader. */
OBSERVABLE static int find_text(const char *name, struct open_file *file)
{
    proc_text *text = proc_text_find(name);
    if (!text)
        return -ENOENT;
    if (writes(file))
        return -EACCES;
    uint64_t frame = frame_alloc(FRAME_KERNEL, current->pid, GFP_KERNEL);
    if (!frame)
        return -ENOMEM;
    file->kind = FILE_TEXT;
    file->contents = (struct file){direct_map(frame), text(direct_map(frame), PAGE_SIZE)};
    return 0;
}

static int find_in_archive(const char *name, struct open_file *file)
{
    file->kind = FILE_ARCHIVE;
    if (!cpio_find(name + (*name == '/'), &file->contents))
        return -ENOENT;
    return writes(file) ? -EACCES : 0;
}

static int find(const char *name, struct open_file *file)
{
    if (is_directory(name))
        return -EISDIR;
    if (!strncmp(name, "/dev/", 5))
        return find_device(name + 5, file);
    if (!strncmp(name, "/net/", 5)) {
        file->kind = FILE_NETWORK;
        return netfs_open(name + 5, file->flags, &file->network);
    }
    return !strncmp(name, "/proc/", 6) ? find_text(name + 6, file) : find_in_archive(name, file);
}

/* ---- open files ---- */

static void release(struct open_file *file)
{
    if (file->kind == FILE_TEXT)
        frame_free((uint64_t)file->contents.bytes - DIRECT_MAP);
    if (file->kind == FILE_SOCKET)
        socket_destroy(file->socket);
    if (file->kind == FILE_NETWORK)
        netfs_release(file->network);
    file->kind = FILE_UNUSED;
}

static struct open_file *get(struct open_file *file)
{
    if (file)
        file->references++;
    return file;
}

static void put(struct open_file *file)
{
    if (!--file->references)
        release(file);
}

static struct open_file *unused_file(void)
{
    for (int i = 0; i < OPEN_FILES_MAX; i++)
        if (open_files[i].kind == FILE_UNUSED)
            return &open_files[i];
    return 0;
}

static struct open_file *of_descriptor(uint64_t descriptor)
{
    return descriptor < FILES_MAX ? current->files[descriptor] : 0;
}

/* The lowest free descriptor for what was found; called when nothing can sleep any more. */
static int install(struct open_file *found)
{
    struct open_file *file = unused_file();
    int descriptor = 0;
    while (descriptor < FILES_MAX && current->files[descriptor])
        descriptor++;
    if (!file || descriptor == FILES_MAX) {
        release(found);
        return file ? -EMFILE : -ENFILE;
    }
    *file = *found;
    current->files[descriptor] = file;
    return descriptor;
}

OBSERVABLE int file_open(const char *name, uint64_t flags)
{
    if (flags > O_RDWR)
        return -EINVAL;
    struct open_file found = {.flags = (enum open_flags)flags, .references = 1};
    int error = find(name, &found);
    return error ? error : install(&found);
}

int file_open_socket(struct udp_socket *socket)
{
    struct open_file found = {.kind = FILE_SOCKET, .flags = O_RDWR, .references = 1, .socket = socket};
    return install(&found);
}

OBSERVABLE int file_close(uint64_t descriptor)
{
    struct open_file *file = of_descriptor(descriptor);
    if (!file)
        return -EBADF;
    current->files[descriptor] = 0;
    bool is_last_writer = file->kind == FILE_NETWORK && writes(file) && file->references == 1;
    int error = is_last_writer ? netfs_close(file->network) : 0;
    put(file);
    return error;
}

/* ---- reading and writing ---- */

static int64_t read_contents(struct open_file *file, uint64_t to, uint64_t length)
{
    uint64_t at = file->position, left = file->contents.length - at, part = length < left ? length : left;
    if (copy_to_user(to, file->contents.bytes + at, part))
        return -EFAULT;
    file->position = at + part;     /* not +=: who shares the file may have read on while the copy slept */
    return (int64_t)part;
}

OBSERVABLE int64_t file_read(uint64_t descriptor, uint64_t to, uint64_t length)
{
    struct open_file *file = of_descriptor(descriptor);
    if (!file || !reads(file))
        return -EBADF;
    if (file->kind == FILE_SOCKET)
        return -EINVAL;
    if (length > READ_MAX && file->kind != FILE_DEVICE)     /* a device has a limit of its own */
        length = READ_MAX;          /* interrupts are off here: a long read is the caller's loop */
    /* It may sleep in here; the caller's own descriptor, which nobody else can close, keeps the file meanwhile. */
    if (file->kind == FILE_NETWORK)
        return netfs_read(file->network, &file->position, to, length);
    return file->kind == FILE_DEVICE ? device_read(file->device, to, length) : read_contents(file, to, length);
}

OBSERVABLE int64_t file_write(uint64_t descriptor, uint64_t from, uint64_t length)
{
    struct open_file *file = of_descriptor(descriptor);
    if (!file || !writes(file))
        return -EBADF;
    if (file->kind == FILE_SOCKET)
        return -EINVAL;
    if (file->kind == FILE_NETWORK)
        return netfs_write(file->network, &file->position, from, length);
    return device_write(file->device, from, length);        /* nothing else opens for writing */
}

int file_socket(uint64_t descriptor, struct udp_socket **socket)
{
    const struct open_file *file = of_descriptor(descriptor);
    if (!file || file->kind != FILE_SOCKET)
        return file ? -ENOTSOCK : -EBADF;
    *socket = file->socket;
    return 0;
}

int file_of_descriptor(uint64_t descriptor, struct file *contents)
{
    const struct open_file *file = of_descriptor(descriptor);
    if (!file)
        return -EBADF;
    if (!reads(file))
        return -EACCES;
    if (file->kind != FILE_ARCHIVE)
        return -ENODEV;
    *contents = file->contents;
    return 0;
}

/* ---- processes ---- */

static struct open_file *open_console(enum open_flags flags)
{
    struct open_file *file = unused_file();
    *file = (struct open_file){.kind = FILE_DEVICE, .flags = flags, .device = device_find("console")};
    return file;
}

void files_process_start(struct proc *proc, const struct proc *parent)
{
    memset(proc->files, 0, sizeof proc->files);
    if (!parent) {                  /* the first process: the table is empty */
        proc->files[0] = get(open_console(O_RDONLY));
        proc->files[1] = get(open_console(O_WRONLY));
        proc->files[2] = get(proc->files[1]);
        return;
    }
    for (int i = 0; i < STANDARD_FILES; i++)
        proc->files[i] = get(parent->files[i]);
}

void files_share(struct proc *child, const struct proc *parent)
{
    for (int i = 0; i < FILES_MAX; i++)
        child->files[i] = get(parent->files[i]);
}

void files_process_exit(struct proc *proc)
{
    for (int i = 0; i < FILES_MAX; i++) {
        if (proc->files[i])
            put(proc->files[i]);
        proc->files[i] = 0;
    }
}
