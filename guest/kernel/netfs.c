/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file of the network, as the kernel sees it: a handle that the driver gave, a page, and the one call about it
 * that may be under way. The call belongs to the file and not to the process that asked: a reader may be killed while
 * the driver has the page, and the answer must find something to come back to.
 *
 * The driver is asked one thing at a time, and who else wants something waits here. So the time it has for an answer
 * begins when it is called, and not while it is busy with somebody else.
 */
#include "netfs.h"
#include "cmdline.h"
#include "frame.h"
#include "proc.h"
#include "slab.h"
#include "trace.h"
#include "upcall.h"
#include "user_memory.h"
#include "vm.h"
#include "../include/upcall.h"

enum { DEADLINE_FACTOR = 20, HANDLE_MAX = INT32_MAX, ERROR_MAX = 4095, CLOSES_MAX = 3 };
static const uint64_t NO_HANDLE = ~0ull;

struct netfs_file {
    struct call call;           /* first: a call about a file is the file */
    bool busy;                  /* somebody works with it: one at a time */
    bool released;              /* nobody has it open: what is left is to tell the driver */
    bool is_open;               /* as far as the driver knows, or may know */
    uint8_t closes;             /* how often it was told that the file is closed */
    uint64_t driver;            /* which driver that is */
    uint64_t open_id;           /* the call that opened it, */
    uint64_t handle;            /* and what came of it */
    uint64_t physical;          /* the page; 0: given back */
    uint64_t start, length;     /* the bytes of the file that lie in it */
    int64_t result;             /* of the last call */
    struct netfs_file *next;    /* on unsent */
};

static uint64_t driver;                 /* counts registrations: a handle means nothing to another one */
static struct netfs_file *asked;        /* whose call, and page, are the driver's now; 0: nobody's */
static struct netfs_file *unsent;       /* released ones whose CLOSE waits for its turn */

static void end_file(struct netfs_file *file);

/* ---- the driver's answers ---- */

static int check_answer(struct call *call, uint64_t length, uint64_t verdict)
{
    int64_t result = (int64_t)verdict;
    if (result < 0)
        return result >= -ERROR_MAX && !length ? 0 : -EINVAL;
    if (call->operation == NETFS_READ)
        return !result && length <= PAGE_SIZE ? 0 : -EINVAL;
    uint64_t most = call->operation == NETFS_OPEN ? HANDLE_MAX : call->operation == NETFS_WRITE ? call->length : 0;
    uint64_t least = call->operation == NETFS_WRITE;
    return !length && verdict >= least && verdict <= most ? 0 : -EINVAL;
}

static int64_t result_of(enum call_end end, uint64_t verdict)
{
    if (end == CALL_ANSWERED)
        return (int64_t)verdict;
    return end == CALL_TIMED_OUT ? -ETIMEDOUT : -EIO;
}

/* What the driver knows of the file now. An OPEN that came too late may yet be done, a CLOSE not be done at all. */
static void note_answer(struct netfs_file *file, enum call_end end, uint64_t length)
{
    switch (file->call.operation) {
    case NETFS_OPEN:
        file->is_open = end == CALL_TIMED_OUT || file->result >= 0;
        file->handle = file->result >= 0 ? (uint64_t)file->result : NO_HANDLE;
        break;
    case NETFS_READ:
        file->start = file->call.argument[1];
        file->length = file->result < 0 ? 0 : length;
        break;
    case NETFS_CLOSE:
        file->is_open = end == CALL_TIMED_OUT && ++file->closes < CLOSES_MAX;
        break;
    }
}

/* The driver has time for somebody else. */
static void next_please(void)
{
    struct netfs_file *file = unsent;
    if (file) {
        unsent = file->next;
        end_file(file);
    }
    if (!asked)
        wake_up(&asked);
}

/* Called by whatever ends the call, the timer's interrupt among others: it never sleeps. */
OBSERVABLE static void netfs_answered(struct call *call, enum call_end end, uint64_t length, uint64_t verdict)
{
    struct netfs_file *file = (struct netfs_file *)call;
    asked = 0;
    file->result = result_of(end, verdict);
    note_answer(file, end, length);
    trace_netfs_done(call->operation, file->handle, file->result, length, file->physical / PAGE_SIZE);
    if (file->released)
        end_file(file);
    else
        wake_up(file);
    if (!asked)
        next_please();
}

/* ---- asking it ---- */

static uint64_t deadline_ticks(void)
{
    uint64_t number = switch_number_value(SWITCH_UKSHM_DEADLINE);
    bool is_off = switch_value(SWITCH_UKSHM_DEADLINE) == UKSHM_DEADLINE_OFF;
    return is_off || number > INT32_MAX ? 0 : number * DEADLINE_FACTOR;
}

/* length bytes of data lie in the page already. Nobody else's call is under way. */
static int submit(struct netfs_file *file, enum netfs_operation operation, uint64_t first, uint64_t offset,
                  uint32_t length)
{
    if (!upcall_listens(ROLE_NETFS))
        return -ENODEV;
    if (operation != NETFS_OPEN && file->driver != driver)
        return -EIO;                /* it was opened with another driver */
    file->driver = driver;
    file->length = 0;               /* the page is about to change hands */
    uint64_t ticks = deadline_ticks();
    file->call = (struct call){
        .role = ROLE_NETFS, .operation = operation, .physical = file->physical, .length = length,
        .argument = {first, offset, file->open_id, ticks}, .ticks = ticks,
        .done = netfs_answered, .check = check_answer,
    };
    int error = upcall_submit(&file->call);
    if (error)
        return error == -ESRCH ? -ENODEV : error;
    asked = file;
    if (operation == NETFS_OPEN)
        file->open_id = file->call.id;
    trace_netfs_call(current->pid, operation, first, offset, length);
    return 0;
}

OBSERVABLE static int64_t netfs_ask(struct netfs_file *file, enum netfs_operation operation, uint64_t first,
                                    uint64_t offset, uint32_t length)
{
    while (asked)
        if (!sleep_on_interruptible(&asked))
            return -EINTR;
    int error = submit(file, operation, first, offset, length);
    if (error) {
        next_please();              /* whoever else was woken may have better luck */
        return error;
    }
    while (asked == file)
        if (!sleep_on_interruptible(file))
            return -EINTR;          /* the call goes on: who comes next meets its end */
    return file->result;
}

/* One at a time, and not while a call is under way that somebody gave up. */
static int take(struct netfs_file *file)
{
    if (current->ukshm.role == ROLE_NETFS)
        return -EDEADLK;            /* it would wait for itself */
    while (file->busy || asked == file)
        if (!sleep_on_interruptible(file))
            return -EINTR;
    file->busy = true;
    return 0;
}

static int64_t give(struct netfs_file *file, int64_t result)
{
    file->busy = false;
    wake_up(file);
    return result;
}

/* ---- files ---- */

/* Ends what nobody has open: by a last call, now or when its turn comes, or at once if there is nobody to tell. */
static void end_file(struct netfs_file *file)
{
    if (file->physical)
        frame_free(file->physical);
    file->physical = 0;
    int error = -ENODEV;
    if (file->is_open)
        error = asked ? -EBUSY : submit(file, NETFS_CLOSE, file->handle, 0, 0);
    if (error == -EBUSY || error == -ENOBUFS) {
        file->next = unsent;
        unsent = file;
    } else if (error) {
        kfree(file);
    }
}

static struct netfs_file *make_file(void)
{
    struct netfs_file *file = kmalloc(sizeof *file, GFP_KERNEL);
    if (!file)
        return 0;
    *file = (struct netfs_file){.handle = NO_HANDLE};
    file->physical = frame_alloc(FRAME_KERNEL, current->pid, GFP_KERNEL | GFP_ZERO);
    if (file->physical)
        return file;
    kfree(file);
    return 0;
}

OBSERVABLE int netfs_open(const char *name, enum open_flags flags, struct netfs_file **opened)
{
    if (current->ukshm.role == ROLE_NETFS)
        return -EDEADLK;
    if (!upcall_listens(ROLE_NETFS))
        return -ENODEV;
    struct netfs_file *file = make_file();
    if (!file)
        return -ENOMEM;
    memcpy(direct_map(file->physical), name, strlen(name));
    int64_t result = netfs_ask(file, NETFS_OPEN, flags, 0, (uint32_t)strlen(name));
    if (result >= 0)
        *opened = file;
    else
        netfs_release(file);
    return result < 0 ? (int)result : 0;
}

/* Whether the byte is in the page. */
static bool holds(const struct netfs_file *file, uint64_t position)
{
    return position >= file->start && position - file->start < file->length;
}

static int64_t read_page(struct netfs_file *file, uint64_t position, uint64_t to, uint64_t length)
{
    int64_t result = holds(file, position) ? 0 : netfs_ask(file, NETFS_READ, file->handle, position, 0);
    if (result < 0)
        return result;
    uint64_t at = position - file->start, left = file->length - at, part = length < left ? length : left;
    return copy_to_user(to, (uint8_t *)direct_map(file->physical) + at, part) ? -EFAULT : (int64_t)part;
}

OBSERVABLE int64_t netfs_read(struct netfs_file *file, uint64_t *position, uint64_t to, uint64_t length)
{
    int64_t result = length ? take(file) : 0;
    if (result || !length)
        return result;
    result = read_page(file, *position, to, length);
    if (result > 0)
        *position += (uint64_t)result;
    return give(file, result);
}

static int64_t write_page(struct netfs_file *file, uint64_t position, uint64_t from, uint64_t length)
{
    uint64_t part = length < PAGE_SIZE ? length : PAGE_SIZE;
    file->length = 0;
    if (copy_from_user(direct_map(file->physical), from, part))
        return -EFAULT;
    return netfs_ask(file, NETFS_WRITE, file->handle, position, (uint32_t)part);
}

OBSERVABLE int64_t netfs_write(struct netfs_file *file, uint64_t *position, uint64_t from, uint64_t length)
{
    int64_t result = length ? take(file) : 0;
    if (result || !length)
        return result;
    result = write_page(file, *position, from, length);
    if (result > 0)
        *position += (uint64_t)result;
    return give(file, result);
}

OBSERVABLE int netfs_close(struct netfs_file *file)
{
    int error = take(file);
    return error ? error : (int)give(file, netfs_ask(file, NETFS_CLOSE, file->handle, 0, 0));
}

OBSERVABLE void netfs_release(struct netfs_file *file)
{
    file->released = true;
    if (asked != file)
        end_file(file);
}

/* ---- drivers ---- */

static void driver_registered(struct proc *proc)
{
    (void)proc;
    driver++;
}

/* What it had open is open nowhere any more. The call that is under way ends after this. */
static void driver_ended(bool died)
{
    (void)died;
    for (struct netfs_file *file; (file = unsent);) {
        unsent = file->next;
        file->is_open = false;
        end_file(file);
    }
    wake_up(&asked);
}

void netfs_init(void)
{
    static const struct role_owner owner = {.registered = driver_registered, .ended = driver_ended};
    upcall_role_owner(ROLE_NETFS, &owner);
}
