/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The system calls: arguments out of the trap frame, checked here, then handed to the file that does the work. */
#include "file.h"
#include "frame.h"
#include "proc.h"
#include "trap.h"
#include "ukshm.h"
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

static int64_t sys_spawn(const uint64_t argument[])
{
    static struct arguments arguments;      /* too big for the stack; nothing here can be interrupted */
    char text[ARGUMENT_BYTES_MAX], name[PROC_NAME_MAX];
    int length = copy_string_from_user(name, argument[0], sizeof name);
    if (length < 0)
        return length;
    arguments = (struct arguments){0};
    if (!argument[1])
        arguments_add(&arguments, name, (uint64_t)length);
    for (uint64_t at = argument[1]; at; at += sizeof(uint64_t)) {
        uint64_t string;
        int error = copy_from_user(&string, at, sizeof string);
        if (error)
            return error;
        if (!string)
            break;
        length = copy_string_from_user(text, string, sizeof text);
        if (length >= 0)
            error = arguments_add(&arguments, text, (uint64_t)length);
        if (length < 0 || error)
            return length == -EFAULT ? -EFAULT : -E2BIG;
    }
    return process_create(name, &arguments, current);
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

static int64_t sys_mmap(const uint64_t argument[])
{
    uint64_t length = argument[0], pages = length / PAGE_SIZE + (length % PAGE_SIZE != 0);
    uint64_t protection = argument[1];
    if (!length || protection & ~(uint64_t)(PROT_READ | PROT_WRITE | PROT_EXEC) || !(protection & PROT_READ))
        return -EINVAL;
    if (pages > free_frames)
        return -ENOMEM;
    uint64_t start = area_find_free(current, pages);
    int error = start ? area_map(current, start, pages, AREA_MMAP, (enum protection)protection) : -ENOMEM;
    return error ? error : (int64_t)start;
}

static int64_t sys_munmap(const uint64_t argument[])
{
    uint64_t length = argument[1];
    return area_unmap(current, argument[0], length / PAGE_SIZE + (length % PAGE_SIZE != 0), AREA_MMAP);
}

static int64_t sys_ukshm_register(const uint64_t argument[])
{
    return ukshm_register(argument[0], argument[1], argument[2], argument[3], argument[4]);
}

static int64_t sys_ukshm_unregister(const uint64_t argument[])
{
    (void)argument;
    return ukshm_unregister(current);
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
    [SYS_ukshm_register] = sys_ukshm_register,
    [SYS_ukshm_unregister] = sys_ukshm_unregister,
};

OBSERVABLE void syscall(struct trap_frame *frame)
{
    const uint64_t argument[6] = {frame->rdi, frame->rsi, frame->rdx, frame->r10, frame->r8, frame->r9};
    system_call *call = frame->rax < SYSCALL_COUNT ? system_calls[frame->rax] : 0;
    frame->rax = (uint64_t)(call ? call(argument) : -ENOSYS);
    die_if_killed();
}
