/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a program finds in /dev: the console, the two nothings, and the laboratories, which take a command. */
#include "device_files.h"
#include "alloc_lab.h"
#include "careless.h"
#include "net/netdev.h"
#include "net/firewall.h"
#include "upcall_lab.h"
#include "user_memory.h"

enum { PIECE = 256, WRITE_MAX = PAGE_SIZE };

static int64_t read_console(uint64_t to, uint64_t length)
{
    char piece[PIECE] = {0};
    if (length > sizeof piece)
        length = sizeof piece;
    /* The buffer is tried before anything is taken, so that a wild pointer neither waits nor loses a line. */
    if (copy_to_user(to, piece, length))
        return -EFAULT;
    int64_t count = length ? console_read(piece, length) : 0;
    return count > 0 && copy_to_user(to, piece, (uint64_t)count) ? -EFAULT : count;
}

static int64_t write_console(uint64_t from, uint64_t length)
{
    char piece[PIECE];
    uint64_t written = 0;
    if (length > WRITE_MAX)
        length = WRITE_MAX;         /* interrupts are off here: a long write is the caller's loop */
    while (written < length) {
        uint64_t part = length - written < sizeof piece ? length - written : sizeof piece;
        if (copy_from_user(piece, from + written, part))
            return written ? (int64_t)written : -EFAULT;
        console_write(piece, part);
        written += part;
    }
    return (int64_t)written;
}

static int64_t read_nothing(uint64_t to, uint64_t length)
{
    (void)to, (void)length;
    return 0;
}

static int64_t write_nowhere(uint64_t from, uint64_t length)
{
    (void)from;
    return (int64_t)(length & INT64_MAX);       /* all of it, however much; an error is negative */
}

static int64_t read_zeros(uint64_t to, uint64_t length)
{
    static const uint8_t zeros[PIECE];
    if (length > sizeof zeros)
        length = sizeof zeros;
    return copy_to_user(to, zeros, length) ? -EFAULT : (int64_t)length;
}

/* Ends like a file when the network has ended: nothing comes any more, and nothing is under way. */
static int64_t read_link(uint64_t to, uint64_t length)
{
    (void)to, (void)length;
    return net_wait_until_over();
}

static const struct device devices[] = {
    {.name = "null", .read = read_nothing, .write = write_nowhere},
    {.name = "zero", .read = read_zeros, .write = write_nowhere},
    {.name = "console", .read = read_console, .write = write_console},
    {.name = "careless", .command = careless_command},
    {.name = "link", .read = read_link},
    {.name = "alloc", .command = alloc_lab},
    {.name = "firewall", .read = firewall_rules_read, .write = firewall_rules_write},
    {.name = "upcall", .read = upcall_lab_read, .command = upcall_lab},
};

const struct device *device_find(const char *name)
{
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++)
        if (!strcmp(devices[i].name, name))
            return &devices[i];
    return 0;
}

bool device_reads(const struct device *device) { return device->read; }
bool device_writes(const struct device *device) { return device->write || device->command; }

int64_t device_read(const struct device *device, uint64_t to, uint64_t length)
{
    return device->read(to, length);
}

int64_t device_write(const struct device *device, uint64_t from, uint64_t length)
{
    char text[COMMAND_MAX];
    if (device->write)
        return device->write(from, length);
    if (length >= sizeof text)
        return -EINVAL;
    if (copy_from_user(text, from, length))
        return -EFAULT;
    text[length] = '\0';
    if (length && text[length - 1] == '\n')
        text[length - 1] = '\0';
    return device->command(text);
}
