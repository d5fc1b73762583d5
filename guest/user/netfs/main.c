/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network file system in ring 3: names that begin with /net/ are files of a TFTP server.
 *
 *     netfs [server=ADDRESS[:PORT]] /net/NAME...             prints these files
 *     netfs [server=ADDRESS[:PORT]] with PROGRAM ARGUMENT... serves them while PROGRAM runs
 *
 * The kernel calls serve() whenever a process opens, reads, writes or closes such a file: a reverse syscall, with the
 * page to fill. Whatever this program was doing is interrupted; all it does is wait for the other program to end.
 */
#include "../../include/upcall.h"
#include "tftp.h"

enum { FILES = 8, STACK_BYTES = 16384, DEFAULT_SERVER = 192 << 24 | 0 << 16 | 2 << 8 | 2, WORDS_MAX = 16 };

/* What the kernel's handles stand for: places in this table. */
static struct open_file {
    uint64_t open_id;           /* the call that opened it; 0: free */
    struct transfer transfer;
} files[FILES];

static uint8_t stack[STACK_BYTES] __attribute__((aligned(16)));

static struct open_file *file_of(uint64_t open_id)
{
    for (int i = 0; i < FILES; i++)
        if (files[i].open_id == open_id)
            return &files[i];
    return 0;
}

OBSERVABLE long netfs_open(const struct upcall *upcall)
{
    struct open_file *file = file_of(0);
    uint64_t flags = upcall->argument[0];
    char name[TFTP_NAME_MAX];
    if (!file)
        return -ENFILE;
    if (flags == O_RDWR)
        return -EINVAL;         /* TFTP moves a file in one direction */
    if (upcall->length >= sizeof name)
        return -ENAMETOOLONG;
    memcpy(name, (const char *)upcall->address, upcall->length);
    name[upcall->length] = '\0';
    int error = tftp_open(&file->transfer, name, flags == O_RDONLY);
    if (error)
        return error;
    file->open_id = upcall->id;
    return file - files;
}

OBSERVABLE long netfs_read(const struct upcall *upcall)
{
    struct open_file *file = file_of(upcall->argument[2]);
    if (!file || !file->transfer.is_read)
        return -EBADF;
    return tftp_read(&file->transfer, upcall->argument[1], (uint8_t *)upcall->address, upcall->capacity);
}

OBSERVABLE long netfs_write(const struct upcall *upcall)
{
    struct open_file *file = file_of(upcall->argument[2]);
    if (!file || file->transfer.is_read)
        return -EBADF;
    return tftp_write(&file->transfer, upcall->argument[1], (const uint8_t *)upcall->address, upcall->length);
}

OBSERVABLE long netfs_close(const struct upcall *upcall)
{
    struct open_file *file = file_of(upcall->argument[2]);
    if (!file)
        return -EBADF;
    file->open_id = 0;
    return tftp_close(&file->transfer);
}

/* The kernel calls this. It does not return: its acknowledgement is the way back. */
OBSERVABLE void serve(const struct upcall *upcall)
{
    static long (*const operations[])(const struct upcall *upcall) = {
        [NETFS_OPEN] = netfs_open, [NETFS_READ] = netfs_read, [NETFS_WRITE] = netfs_write, [NETFS_CLOSE] = netfs_close,
    };
    tftp_hurry(upcall->argument[3]);
    long result = upcall->operation <= NETFS_CLOSE ? operations[upcall->operation](upcall) : -ENOSYS;
    if (upcall->operation == NETFS_READ && result >= 0)
        ukshm_ack(upcall->id, (unsigned long)result, 0);
    else
        ukshm_ack(upcall->id, 0, (unsigned long)result);
    fail("netfs: the kernel does not take the answer %ld to operation %u", result, upcall->operation);
}

/* A number up to most at *text, which goes behind it; false if there is none. */
static bool take_number(const char **text, unsigned long most, unsigned long *number)
{
    const char *start = *text;
    *number = to_number(start);
    while (**text >= '0' && **text <= '9')
        ++*text;
    return *text != start && *text - start <= 5 && *number <= most;
}

static bool take_server(const char *text)
{
    uint32_t address = 0;
    unsigned long number;
    for (int i = 0; i < 4; i++) {
        if ((i && *text++ != '.') || !take_number(&text, 255, &number))
            return false;
        address = address << 8 | (uint32_t)number;
    }
    tftp_server = (struct tftp_server){address, TFTP_PORT};
    if (*text != ':')
        return !*text;
    text++;
    if (!take_number(&text, 65535, &number) || *text || !number)
        return false;
    tftp_server.port = (uint16_t)number;
    return true;
}

static bool begins_with(const char *text, const char *word) { return !memcmp(text, word, strlen(word)); }

/* The program that reads, and its status. A wait that was interrupted by a call goes on. */
static int run(const char *const words[])
{
    int status = 0, result, pid = spawn(words[0], words);
    if (pid < 0)
        fail("netfs: the program '%s' could not be started (error %d)", words[0], pid);
    do
        result = wait(pid, &status);
    while (result == -EINTR);
    return result == pid ? status : 1;
}

int main(int argc, const char *argv[])
{
    const char *words[WORDS_MAX + 2] = {"cat"};
    int first = 1, count = 1;
    tftp_server = (struct tftp_server){DEFAULT_SERVER, TFTP_PORT};
    if (first < argc && strlen(argv[first]) > 7 && begins_with(argv[first], "server=")) {
        if (!take_server(argv[first] + 7))
            fail("netfs: '%s': give server=ADDRESS or server=ADDRESS:PORT, as in server=192.0.2.2:69", argv[first]);
        first++;
    }
    if (first < argc && !strcmp(argv[first], "with"))
        first++, count = 0;
    if (first == argc)
        fail("netfs: give the files to print, as in /net/hello.txt, or: with PROGRAM ARGUMENT...");
    while (first < argc && count < WORDS_MAX)
        words[count++] = argv[first++];
    long error = (long)ukshm_register(ROLE_NETFS, serve, stack + sizeof stack, 1, UKSHM_VERSION);
    if (error < 0)
        fail("netfs: the kernel does not register it (error %ld)", error);
    int status = run(words);
    ukshm_unregister();
    return status;
}
