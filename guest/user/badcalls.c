/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System calls with wild arguments: each must come back with an error, and the kernel must not notice. */
#include "ulib.h"

static int failures;

static void expect_error(const char *what, long result, enum error_number wanted)
{
    bool right = result == -(long)wanted;
    say("%s: %ld, %s", what, result, right ? "as it must be" : "WRONG");
    failures += !right;
}

static long call(long number, long a, long b, long c, long d, long e)
{
    return syscall6(number, a, b, c, d, e, 0);
}

static const long KERNEL = (long)0xffffffff80100000, NONCANONICAL = (long)0x0000800000000000;
static const long UNMAPPED = 0x700000100000, LAST = (long)0x00007fffffffefff, HUGE = (long)0x7fffffffffffffff;

static void wild_numbers(void)
{
    expect_error("number too big", call(SYSCALL_COUNT, 0, 0, 0, 0, 0), ENOSYS);
    expect_error("number -1", call(-1, 0, 0, 0, 0, 0), ENOSYS);
    expect_error("number 2^32", call(1l << 32, 0, 0, 0, 0, 0), ENOSYS);
    expect_error("pkt_recv: not on this path", call(SYS_pkt_recv, 0, 0, 0, 0, 0), ENODEV);
}

static void wild_pointers(void)
{
    const long wild[] = {UNMAPPED};
    expect_error("write: null", call(SYS_write, 1, 0, 10, 0, 0), EFAULT);
    expect_error("write: kernel", call(SYS_write, 1, KERNEL, 10, 0, 0), EFAULT);
    expect_error("write: non-canonical", call(SYS_write, 1, NONCANONICAL, 10, 0, 0), EFAULT);
    expect_error("write: unmapped", call(SYS_write, 1, UNMAPPED, 10, 0, 0), EFAULT);
    expect_error("write: out of the user half", call(SYS_write, 1, LAST, 10, 0, 0), EFAULT);
    expect_error("write: huge", call(SYS_write, 1, UNMAPPED, HUGE, 0, 0), EFAULT);
    expect_error("write: wraps", call(SYS_write, 1, -1, -1, 0, 0), EFAULT);
    expect_error("write: no such file", call(SYS_write, 7, 0, 10, 0, 0), EBADF);
    expect_error("read: open for writing only", call(SYS_read, 1, 0, 10, 0, 0), EBADF);
    expect_error("spawn: null", call(SYS_spawn, 0, 0, 0, 0, 0), EFAULT);
    expect_error("spawn: kernel name", call(SYS_spawn, KERNEL, 0, 0, 0, 0), EFAULT);
    expect_error("spawn: kernel argv", call(SYS_spawn, (long)"hello", KERNEL, 0, 0, 0), EFAULT);
    expect_error("spawn: wild argv[0]", call(SYS_spawn, (long)"hello", (long)wild, 0, 0, 0), EFAULT);
    expect_error("spawn: long name", spawn("a-name-that-is-longer-than-any-program-has", 0), ENAMETOOLONG);
    expect_error("spawn: the archive's end", spawn("TRAILER!!!", 0), ENOENT);
    expect_error("wait: kernel", call(SYS_wait, -1, KERNEL, 0, 0, 0), EFAULT);
    expect_error("wait: read-only", call(SYS_wait, -1, (long)expect_error, 0, 0, 0), EFAULT);
    expect_error("wait: no child", call(SYS_wait, -1, 0, 0, 0, 0), ECHILD);
    expect_error("kill: nobody", call(SYS_kill, -1, 0, 0, 0, 0), ESRCH);
}

static void wild_files(void)
{
    static char long_name[70];
    memset(long_name, 'x', sizeof long_name - 1);
    expect_error("open: null", call(SYS_open, 0, O_RDONLY, 0, 0, 0), EFAULT);
    expect_error("open: kernel", call(SYS_open, KERNEL, O_RDONLY, 0, 0, 0), EFAULT);
    expect_error("open: non-canonical", call(SYS_open, NONCANONICAL, O_RDONLY, 0, 0, 0), EFAULT);
    expect_error("open: out of the user half", call(SYS_open, LAST + 1, O_RDONLY, 0, 0, 0), EFAULT);
    expect_error("open: long name", call(SYS_open, (long)long_name, O_RDONLY, 0, 0, 0), ENAMETOOLONG);
    expect_error("open: strange flags", call(SYS_open, (long)"hello", 64, 0, 0, 0), EINVAL);
    expect_error("open: flags of 2^32", call(SYS_open, (long)"hello", 1l << 32, 0, 0, 0), EINVAL);
    expect_error("close: never opened", call(SYS_close, 9, 0, 0, 0, 0), EBADF);
    expect_error("close: -1", call(SYS_close, -1, 0, 0, 0, 0), EBADF);
    expect_error("close: 2^32", call(SYS_close, 1l << 32, 0, 0, 0, 0), EBADF);
    expect_error("read: descriptor 16", call(SYS_read, 16, 0, 10, 0, 0), EBADF);
    expect_error("read: descriptor 2^32", call(SYS_read, 1l << 32, 0, 10, 0, 0), EBADF);
    expect_error("read: the console, to null", call(SYS_read, 0, 0, 10, 0, 0), EFAULT);
    expect_error("read: the console, to the kernel", call(SYS_read, 0, KERNEL, 10, 0, 0), EFAULT);
    expect_error("read: the console, to text", call(SYS_read, 0, (long)expect_error, 10, 0, 0), EFAULT);
    int file = open("hello", O_RDONLY);
    expect_error("read: to null", call(SYS_read, file, 0, 10, 0, 0), EFAULT);
    expect_error("read: to the kernel", call(SYS_read, file, KERNEL, 10, 0, 0), EFAULT);
    expect_error("read: to my own text", call(SYS_read, file, (long)expect_error, 10, 0, 0), EFAULT);
    expect_error("read: huge", call(SYS_read, file, UNMAPPED, HUGE, 0, 0), EFAULT);
    expect_error("read: wraps", call(SYS_read, file, -1, -1, 0, 0), EFAULT);
    char magic = 0;
    if (read(file, &magic, 1) != 1 || magic != '\177')
        fail("a refused read moved the file's position");
    close(file);
}

static void wild_commands(void)
{
    static const char *const refused[] = {
        "", "reads", "read", "read ", "read zz", "read 0x", "read 1 2", "read 0x10000000000000000", "write 0x400000",
        "write 0x400000 0x100", "jump -1", "write-rodata 1", "read 0xffffffff80100000", "jump 0x0000800000000000",
        "a command that is longer than any command of the driver could ever be",
    };
    int driver = open("/dev/careless", O_WRONLY);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        expect_error(refused[i], write(driver, refused[i], strlen(refused[i])), EINVAL);
    expect_error("careless: null", call(SYS_write, driver, 0, 10, 0, 0), EFAULT);
    expect_error("careless: kernel", call(SYS_write, driver, KERNEL, 10, 0, 0), EFAULT);
    expect_error("read 0x0", write(driver, "read 0x0\n", 9), EFAULT);
    expect_error("write 0x0", write(driver, "write 0x0 0", 11), EFAULT);
    expect_error("jump 0x0", write(driver, "jump 0x0", 8), EFAULT);
    close(driver);
}

static void wild_users(void)
{
    expect_error("setuid: 7", call(SYS_setuid, 7, 0, 0, 0, 0), EINVAL);
    expect_error("setuid: -1", call(SYS_setuid, -1, 0, 0, 0, 0), EINVAL);
    expect_error("setuid: 2^32 + 1000", call(SYS_setuid, (1l << 32) + UID_USER, 0, 0, 0, 0), EINVAL);
}

static void wild_ranges(void)
{
    expect_error("mmap: nothing", call(SYS_mmap, 0, PROT_READ, 0, 0, 0), EINVAL);
    expect_error("mmap: huge", call(SYS_mmap, HUGE, PROT_READ, 0, 0, 0), ENOMEM);
    expect_error("mmap: all", call(SYS_mmap, -1, PROT_READ, 0, 0, 0), ENOMEM);
    expect_error("mmap: strange rights", call(SYS_mmap, PAGE, 64, 0, 0, 0), EINVAL);
    expect_error("mmap: strange flags", call(SYS_mmap, PAGE, PROT_READ, 64, 0, 0), EINVAL);
    expect_error("mmap: a file, shared", call(SYS_mmap, PAGE, PROT_READ, MAP_SHARED | MAP_FILE, 0, 0), EINVAL);
    expect_error("mmap: shared and huge", call(SYS_mmap, 1l << 40, PROT_READ, MAP_SHARED, 0, 0), ENOMEM);
    expect_error("mmap: no such file", call(SYS_mmap, PAGE, PROT_READ, MAP_FILE, 99, 0), EBADF);
    expect_error("mmap: the console", call(SYS_mmap, PAGE, PROT_READ, MAP_FILE, 0, 0), ENODEV);
    expect_error("mprotect: unaligned", call(SYS_mprotect, 0x400001, PAGE, PROT_READ, 0, 0), EINVAL);
    expect_error("mprotect: nothing there", call(SYS_mprotect, UNMAPPED, PAGE, PROT_READ, 0, 0), ENOMEM);
    expect_error("mprotect: kernel", call(SYS_mprotect, KERNEL, PAGE, PROT_READ, 0, 0), EINVAL);
    expect_error("mprotect: huge", call(SYS_mprotect, 0x400000, HUGE, PROT_READ, 0, 0), EINVAL);
    expect_error("mprotect: strange rights", call(SYS_mprotect, 0x400000, PAGE, 64, 0, 0), EINVAL);
    expect_error("mprotect: the stack's guard", call(SYS_mprotect, 0x7fffffff6000, PAGE, PROT_READ, 0, 0), EACCES);
    expect_error("brk: below the heap", call(SYS_brk, PAGE, 0, 0, 0, 0), EINVAL);
    expect_error("brk: kernel", call(SYS_brk, KERNEL, 0, 0, 0, 0), EINVAL);
    expect_error("brk: huge", call(SYS_brk, 1l << 45, 0, 0, 0, 0), ENOMEM);
    expect_error("munmap: unaligned", call(SYS_munmap, UNMAPPED + 1, PAGE, 0, 0, 0), EINVAL);
    expect_error("munmap: nothing", call(SYS_munmap, UNMAPPED, 0, 0, 0, 0), EINVAL);
    expect_error("munmap: kernel", call(SYS_munmap, KERNEL, PAGE, 0, 0, 0), EINVAL);
    expect_error("munmap: huge", call(SYS_munmap, 0, HUGE, 0, 0, 0), EINVAL);
    expect_error("munmap: my own text", call(SYS_munmap, 0x400000, PAGE, 0, 0, 0), EINVAL);
}

static void wild_registrations(void)
{
    expect_error("unregister: not registered", ukshm_unregister(), EINVAL);
    expect_error("ack: not registered", call(SYS_ukshm_ack, 0, 0, 0, 0, 0), EINVAL);
    expect_error("register: no role", call(SYS_ukshm_register, 0, 0, 0, 1, 1), EINVAL);
    expect_error("register: role 99", call(SYS_ukshm_register, 99, 0, 0, 1, 1), EINVAL);
    expect_error("register: no pages", call(SYS_ukshm_register, ROLE_BUFFER, 0, 0, 0, 1), EINVAL);
    expect_error("register: too many pages", call(SYS_ukshm_register, ROLE_BUFFER, 0, 0, 65, 1), EINVAL);
    expect_error("register: version 2", call(SYS_ukshm_register, ROLE_BUFFER, 0, 0, 1, 2), EINVAL);
    expect_error("register: kernel handler", call(SYS_ukshm_register, ROLE_FIREWALL, KERNEL, 0, 1, 1), EFAULT);
    expect_error("register: kernel stack", call(SYS_ukshm_register, ROLE_FIREWALL, 0, KERNEL, 1, 1), EFAULT);
    expect_error("register: buffer with a handler", call(SYS_ukshm_register, ROLE_BUFFER, 0x400000, 0, 1, 1), EINVAL);
    unsigned char *window = ukshm_register(ROLE_BUFFER, 0, 0, 2, UKSHM_VERSION);
    if (is_error(window))
        fail("a good registration was refused");
    expect_error("register: twice", call(SYS_ukshm_register, ROLE_BUFFER, 0, 0, 1, 1), EBUSY);
    expect_error("ack: more than the window", call(SYS_ukshm_ack, 0, 2 * PAGE + 1, 0, 0, 0), EINVAL);
    expect_error("ack: huge", call(SYS_ukshm_ack, 0, -1, 0, 0, 0), EINVAL);
    expect_error("ack: of something else", call(SYS_ukshm_ack, 1, PAGE, 0, 0, 0), EINVAL);
    expect_error("mprotect: the window", call(SYS_mprotect, (long)window, PAGE, PROT_READ, 0, 0), EACCES);
    expect_error("munmap: the window", munmap(window, PAGE), EINVAL);
    window[2 * PAGE - 1] = 1;
    if (ukshm_unregister())
        fail("a good unregistration was refused");
    expect_error("write: from the window that was", call(SYS_write, 1, (long)window, 1, 0, 0), EFAULT);
}

int main(void)
{
    wild_numbers();
    wild_pointers();
    wild_files();
    wild_commands();
    wild_users();
    wild_ranges();
    wild_registrations();
    say("%d wrong", failures);
    return failures != 0;
}
