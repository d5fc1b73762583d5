/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What SMAP, SMEP, WP and XD are for: asks the careless driver for one mistake after the other, and runs code on its
 * own stack. With a protection off (cpu.smap=off, ...) the same line tells the damage.
 */
#include "ulib.h"

/* Tells its caller the CS it runs with: movl %cs, %eax; ret. The lowest two bits are the ring. */
static const unsigned char tell_ring[] = {0x8c, 0xc8, 0xc3};

enum { BEFORE = 77, AFTER = 88, RING = 3 };

static int driver;

static long ask(const char *command)
{
    return write(driver, command, strlen(command));
}

static long ask_about(const char *command, const void *place, const char *rest)
{
    char text[64];
    snprintf(text, sizeof text, "%s 0x%lx%s", command, (unsigned long)place, rest);
    return ask(text);
}

static void mistakes(unsigned char *page)
{
    *page = BEFORE;
    long result = ask_about("read", page, "");
    if (result == -EFAULT)
        say("SMAP: the kernel did not get my byte");
    else
        say("no SMAP: the kernel got my byte, %ld", result);

    ask_about("write", page, " 58");
    say(*page == BEFORE ? "SMAP: my byte is still %d" : "no SMAP: my byte is now %d", *page);

    memcpy(page, tell_ring, sizeof tell_ring);
    result = ask_about("jump", page, "");
    if (result == -EFAULT)
        say("SMEP: the kernel did not run my code");
    else
        say("no SMEP: my code ran in ring %ld", result & RING);

    result = ask("write-rodata");
    say(result == -EFAULT ? "WP: the kernel's constants are constant" : "no WP: the kernel wrote its own constants");
}

/* The array takes a page of its own, so that its address does not depend on what else lies on the stack. */
static int run_stack(void)
{
    unsigned char code[2 * PAGE];
    unsigned char *start = (unsigned char *)(((unsigned long)code + PAGE - 1) & ~(PAGE - 1ul));
    memcpy(start, tell_ring, sizeof tell_ring);
    int (*function)(void) = (int (*)(void))(unsigned long)start;
    __asm__ volatile("" : "+r"(function) : : "memory");
    return function() & RING;
}

int main(int argc, const char *argv[])
{
    int status = -1;
    if (argc > 1 && !strcmp(argv[1], "stack"))
        return run_stack();
    unsigned char *page = mmap(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
    driver = open("/dev/careless", O_WRONLY);
    if (is_error(page) || driver < 0)
        fail("careless: no memory or no driver");
    mistakes(page);
    int child = spawn("careless", (const char *const[]){"careless", "stack", 0});
    if (child < 0 || wait(child, &status) != child)
        fail("careless: no child");
    say(status == RING ? "no XD: code on the stack ran" : "XD: code on the stack did not run, status %d", status);
    return 0;
}
