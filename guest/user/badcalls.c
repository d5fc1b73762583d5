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
    expect_error("open", call(SYS_open, 0, 0, 0, 0, 0), ENOSYS);
    expect_error("fork", call(SYS_fork, 0, 0, 0, 0, 0), ENOSYS);
    expect_error("ukshm_ack", call(SYS_ukshm_ack, 0, 0, 0, 0, 0), ENOSYS);
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
    expect_error("read: no such file", call(SYS_read, 1, 0, 10, 0, 0), EBADF);
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

static void wild_ranges(void)
{
    expect_error("mmap: nothing", call(SYS_mmap, 0, PROT_READ, 0, 0, 0), EINVAL);
    expect_error("mmap: huge", call(SYS_mmap, HUGE, PROT_READ, 0, 0, 0), ENOMEM);
    expect_error("mmap: all", call(SYS_mmap, -1, PROT_READ, 0, 0, 0), ENOMEM);
    expect_error("mmap: strange rights", call(SYS_mmap, PAGE, 64, 0, 0, 0), EINVAL);
    expect_error("munmap: unaligned", call(SYS_munmap, UNMAPPED + 1, PAGE, 0, 0, 0), EINVAL);
    expect_error("munmap: nothing", call(SYS_munmap, UNMAPPED, 0, 0, 0, 0), EINVAL);
    expect_error("munmap: kernel", call(SYS_munmap, KERNEL, PAGE, 0, 0, 0), EINVAL);
    expect_error("munmap: huge", call(SYS_munmap, 0, HUGE, 0, 0, 0), EINVAL);
    expect_error("munmap: my own text", call(SYS_munmap, 0x400000, PAGE, 0, 0, 0), EINVAL);
}

static void wild_registrations(void)
{
    expect_error("unregister: not registered", ukshm_unregister(), EINVAL);
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
    wild_ranges();
    wild_registrations();
    say("%d wrong", failures);
    return failures != 0;
}
