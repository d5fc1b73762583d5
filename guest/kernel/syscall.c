/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The system calls: arguments out of the trap frame, checked here, then handed to the file that does the work. */
#include "file.h"
#include "net/firewall.h"
#include "net/socket.h"
#include "object.h"
#include "page.h"
#include "proc.h"
#include "slab.h"
#include "trap.h"
#include "ukshm.h"
#include "upcall.h"
#include "user_memory.h"

typedef int64_t system_call(const uint64_t argument[]);

static int64_t sys_exit(const uint64_t argument[])
{
    exit_process((int)argument[0] & 0xff, -1);
}

static int64_t sys_open(const uint64_t argument[])
{
    char name[FILE_NAME_MAX];
    int length = copy_string_from_user(name, argument[0], sizeof name);
    return length < 0 ? length : file_open(name, argument[1]);
}

static int64_t sys_write(const uint64_t argument[]) { return file_write(argument[0], argument[1], argument[2]); }
static int64_t sys_read(const uint64_t argument[]) { return file_read(argument[0], argument[1], argument[2]); }
static int64_t sys_close(const uint64_t argument[]) { return file_close(argument[0]); }

static int64_t sys_yield(const uint64_t argument[])
{
    (void)argument;
    schedule();
    return 0;
}

static int64_t sys_getpid(const uint64_t argument[])
{
    (void)argument;
    return current->pid;
}

static int64_t sys_setuid(const uint64_t argument[])
{
    if (argument[0] == (uint64_t)current->uid)
        return 0;
    if (current->uid != UID_ROOT)
        return -EPERM;
    if (argument[0] != UID_USER)
        return -EINVAL;
    current->uid = UID_USER;
    return 0;
}

static int read_arguments(struct arguments *arguments, uint64_t strings)
{
    char text[ARGUMENT_BYTES_MAX];
    for (uint64_t at = strings; at; at += sizeof(uint64_t)) {
        uint64_t string;
        int error = copy_from_user(&string, at, sizeof string);
        if (error || !string)
            return error;
        int length = copy_string_from_user(text, string, sizeof text);
        if (length == -EFAULT)
            return -EFAULT;
        if (length < 0 || arguments_add(arguments, text, (uint64_t)length))
            return -E2BIG;
    }
    return 0;
}

static int64_t sys_spawn(const uint64_t argument[])
{
    char name[PROC_NAME_MAX];
    int length = copy_string_from_user(name, argument[0], sizeof name);
    if (length < 0)
        return length;
    struct arguments *arguments = kmalloc(sizeof *arguments, GFP_KERNEL);
    if (!arguments)
        return -ENOMEM;
    arguments->count = arguments->length = 0;
    if (!argument[1])
        arguments_add(arguments, name, (uint64_t)length);
    int result = read_arguments(arguments, argument[1]);
    if (!result)
        result = process_create(name, arguments, current);
    kfree(arguments);
    return result;
}

static int64_t sys_wait(const uint64_t argument[])
{
    int status = 0;
    /* The pointer is tried before a child is collected, so that a wild one loses nothing. */
    if (argument[1] && copy_to_user(argument[1], &status, sizeof status))
        return -EFAULT;
    int pid = process_wait((int)argument[0], &status);
    if (pid > 0 && argument[1] && copy_to_user(argument[1], &status, sizeof status))
        return -EFAULT;
    return pid;
}

static int64_t sys_kill(const uint64_t argument[]) { return process_kill((int)argument[0]); }
static int64_t sys_sleep(const uint64_t argument[]) { return process_sleep(argument[0]); }

static uint64_t pages_of(uint64_t length) { return length / PAGE_SIZE + (length % PAGE_SIZE != 0); }

static bool is_protection(uint64_t word)
{
    /* x86 has no page that can be written or executed and not read. */
    return !(word & ~(uint64_t)(PROT_READ | PROT_WRITE | PROT_EXEC)) && (!word || word & PROT_READ);
}

/* Where the pages of a mapping come from, with a reference, in the area that will have it. */
static int find_object(struct area *area, uint64_t flags, uint64_t descriptor, uint64_t offset)
{
    struct file file;
    if (flags & MAP_FILE) {
        int error = file_of_descriptor(descriptor, &file);
        if (error)
            return error;
        if (offset % PAGE_SIZE || offset >= file.length)
            return -EINVAL;
        area->offset = offset / PAGE_SIZE;
        area->file_bytes = file.length - offset;
        area->object = object_of_file(&file);
    } else if (flags & MAP_SHARED) {
        area->object = object_of_memory(area_pages(area));
    }
    area->shared = flags & MAP_SHARED;
    return flags && !area->object ? -ENOMEM : 0;
}

static int64_t sys_mmap(const uint64_t argument[])
{
    uint64_t pages = pages_of(argument[0]), flags = argument[2];
    if (!pages || !is_protection(argument[1]))
        return -EINVAL;
    if (flags && flags != MAP_SHARED && flags != MAP_FILE)
        return -EINVAL;             /* a file is never written, so there is nothing to share */
    uint64_t start = pages > most_pages() ? 0 : area_find_free(current, pages);
    if (!start)
        return -ENOMEM;
    struct area area = {
        .start = start, .end = start + pages * PAGE_SIZE, .kind = AREA_MMAP, .protection = (enum protection)argument[1],
    };
    int error = find_object(&area, flags, argument[3], argument[4]);
    if (!error) {
        error = area_add(current, area);
        if (error && area.object)
            object_put(area.object);
    }
    return error ? error : (int64_t)start;
}

static int64_t sys_munmap(const uint64_t argument[])
{
    return area_unmap(current, argument[0], pages_of(argument[1]), AREA_MMAP);
}

static int64_t sys_mprotect(const uint64_t argument[])
{
    if (!is_protection(argument[2]))
        return -EINVAL;
    return area_protect(current, argument[0], pages_of(argument[1]), (enum protection)argument[2]);
}

static int64_t sys_brk(const uint64_t argument[]) { return area_set_break(current, argument[0]); }

static int64_t sys_ukshm_register(const uint64_t argument[])
{
    return ukshm_register(argument[0], argument[1], argument[2], argument[3], argument[4]);
}

/* Who has been told to end decides nothing any more: it is on its way to ring 3 only to find that out. */
static int64_t sys_ukshm_ack(const uint64_t argument[])
{
    return current->killed ? -EINTR : ukshm_ack(argument[0], argument[1], argument[2]);
}

static int64_t sys_ukshm_unregister(const uint64_t argument[])
{
    (void)argument;
    return ukshm_unregister(current);
}

static int64_t sys_pkt_recv(const uint64_t argument[])
{
    return current->killed ? -EINTR : firewall_receive(argument[0], argument[1]);
}

static int64_t sys_pkt_verdict(const uint64_t argument[])
{
    return current->killed ? -EINTR : firewall_verdict(argument[0], argument[1], argument[2], argument[3]);
}

static int64_t sys_socket(const uint64_t argument[])
{
    (void)argument;
    return socket_open();
}

static int64_t sys_bind(const uint64_t argument[]) { return socket_bind(argument[0], argument[1]); }

static int64_t sys_sendto(const uint64_t argument[])
{
    return socket_send(argument[0], argument[1], argument[2], argument[3], argument[4]);
}

static int64_t sys_recvfrom(const uint64_t argument[])
{
    return socket_receive(argument[0], argument[1], argument[2], argument[3], argument[4]);
}

/* What is not here yet answers -ENOSYS, like a number that never will be. */
static system_call *const system_calls[SYSCALL_COUNT] = {
    [SYS_exit] = sys_exit,
    [SYS_write] = sys_write,
    [SYS_read] = sys_read,
    [SYS_open] = sys_open,
    [SYS_close] = sys_close,
    [SYS_yield] = sys_yield,
    [SYS_getpid] = sys_getpid,
    [SYS_setuid] = sys_setuid,
    [SYS_spawn] = sys_spawn,
    [SYS_wait] = sys_wait,
    [SYS_kill] = sys_kill,
    [SYS_sleep] = sys_sleep,
    [SYS_mmap] = sys_mmap,
    [SYS_munmap] = sys_munmap,
    [SYS_mprotect] = sys_mprotect,
    [SYS_brk] = sys_brk,
    [SYS_ukshm_register] = sys_ukshm_register,
    [SYS_ukshm_ack] = sys_ukshm_ack,
    [SYS_ukshm_unregister] = sys_ukshm_unregister,
    [SYS_pkt_recv] = sys_pkt_recv,
    [SYS_pkt_verdict] = sys_pkt_verdict,
    [SYS_socket] = sys_socket,
    [SYS_bind] = sys_bind,
    [SYS_sendto] = sys_sendto,
    [SYS_recvfrom] = sys_recvfrom,
};

OBSERVABLE void syscall(struct trap_frame *frame)
{
    const uint64_t argument[6] = {frame->rdi, frame->rsi, frame->rdx, frame->r10, frame->r8, frame->r9};
    system_call *call = frame->rax < SYSCALL_COUNT ? system_calls[frame->rax] : 0;
    if (frame->rax == SYS_fork)     /* the one call that wants all registers */
        frame->rax = (uint64_t)(int64_t)process_fork(frame);
    else
        frame->rax = (uint64_t)(call ? call(argument) : -ENOSYS);
    die_if_killed();
    upcall_deliver(frame);
}
