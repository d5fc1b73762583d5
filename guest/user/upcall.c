/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process that the kernel calls, and one that orders the calls at the laboratory, /dev/upcall, and tells how each
 * ended.
 *   upcall [MODE, default sum] [calls, default 2]
 * What the handler does: sum, double, fault, return, sleep, exit, never, late, touch, twice, child, length, verdict,
 * unregister, nested; killed: it is killed in the middle; spin: what it interrupts must not notice.
 * busy: others want the CPU too. register: what the kernel refuses to call.
 */
#include "ulib.h"
#include "../include/upcall.h"

enum { CALLS = 2, BYTES = 100, STACK = 2 * PAGE, DEADLINE = 20, SPINNERS = 3, LINE = 128, OVER = 1 << 20 };

static unsigned char stack[STACK] __attribute__((aligned(16)));
static const char *mode = "sum";
static volatile int *ready;             /* the two processes share it */
static unsigned long previous;          /* the call before */

static bool is_mode(const char *name) { return !strcmp(mode, name); }

static unsigned long sum_of(const struct upcall *upcall)
{
    const unsigned char *bytes = (const unsigned char *)upcall->address;
    unsigned long sum = 0;
    for (uint32_t i = 0; i < upcall->length; i++)
        sum += bytes[i];
    return sum;
}

/* What a careless handler may do before it answers. */
static void misbehave(struct upcall *upcall)
{
    if (is_mode("fault"))
        *(volatile unsigned char *)(upcall->address + PAGE) = 1;
    if (is_mode("exit"))
        exit(3);
    if (is_mode("sleep"))
        sleep(5);
    while (is_mode("never") || is_mode("killed"))
        sleep(SLEEP_FOREVER);
    if (is_mode("late") || is_mode("touch"))
        sleep(2 * DEADLINE);
    if (is_mode("touch"))
        *(volatile unsigned char *)upcall->address = 1;
    if (is_mode("twice") && previous)
        say("the answer to the call before, once more: %ld", ukshm_ack(previous, 0, 0));
    if (is_mode("length"))
        say("an answer longer than the page: %ld", ukshm_ack(upcall->id, upcall->capacity + 1ul, 0));
    if (is_mode("verdict"))
        say("an answer without sense: %ld", ukshm_ack(upcall->id, 0, OVER));
    if (is_mode("unregister"))
        say("taking the registration back in the middle: %d", ukshm_unregister());
}

static void answer_by_child(const struct upcall *upcall)
{
    int pid = fork();
    if (!pid) {
        say("the child answers: %ld", ukshm_ack(upcall->id, 0, 0));
        exit(0);
    }
    wait(pid, 0);
}

/* A call that the handler itself orders waits until this one is answered. */
static void order_another(const struct upcall *upcall)
{
    if (upcall->argument[0] >= 200)
        return;
    int lab = open("/dev/upcall", O_WRONLY);
    long id = write(lab, "call netfs 10 200", 17);
    close(lab);
    say("in the middle of call %lu I ordered call %ld", upcall->id, id);
}

static void act(struct upcall *upcall)
{
    misbehave(upcall);
    if (is_mode("child"))
        answer_by_child(upcall);
    if (is_mode("nested"))
        order_another(upcall);
    if (is_mode("double"))
        for (uint32_t i = 0; i < upcall->length; i++)
            ((unsigned char *)upcall->address)[i] *= 2;
}

OBSERVABLE static void handler(struct upcall *upcall)
{
    unsigned long sum = sum_of(upcall);
    if (is_mode("return"))
        return;
    if (*ready)                         /* the last call only ends the sleep */
        act(upcall);
    previous = upcall->id;
    fail("the answer was refused: %ld", ukshm_ack(upcall->id, upcall->length, sum));
}

/*
 * All registers and DF hold something while the kernel calls the handler, again and again, until *flag becomes 0. Not 0
 * if one of them is not what it was.
 */
unsigned long registers_changed(volatile int *flag);
__asm__(".text\n"
        "registers_changed:\n"
        "    pushq %rbx; pushq %rbp; pushq %r12; pushq %r13; pushq %r14; pushq %r15\n"
        "    movq $1, %rax; movq $2, %rbx; movq $3, %rcx; movq $4, %rdx; movq $5, %rsi; movq $6, %rbp\n"
        "    movq $8, %r8; movq $9, %r9; movq $10, %r10; movq $11, %r11; movq $12, %r12; movq $13, %r13\n"
        "    movq $14, %r14; movq $15, %r15\n"
        "    std\n"
        "1:  cmpl $0, (%rdi)\n"
        "    jne 1b\n"
        "    pushfq\n"
        "    cld\n"
        "    subq $1, %rax; subq $2, %rbx; subq $3, %rcx; subq $4, %rdx; subq $5, %rsi; subq $6, %rbp\n"
        "    subq $8, %r8; subq $9, %r9; subq $10, %r10; subq $11, %r11; subq $12, %r12; subq $13, %r13\n"
        "    subq $14, %r14; subq $15, %r15\n"
        "    orq %rbx, %rax; orq %rcx, %rax; orq %rdx, %rax; orq %rsi, %rax; orq %rbp, %rax; orq %r8, %rax\n"
        "    orq %r9, %rax; orq %r10, %rax; orq %r11, %rax; orq %r12, %rax; orq %r13, %rax; orq %r14, %rax\n"
        "    orq %r15, %rax\n"
        "    popq %rcx\n"
        "    notq %rcx\n"
        "    andq $0x400, %rcx\n"      /* DF is clear: that is a change too */
        "    orq %rcx, %rax\n"
        "    popq %r15; popq %r14; popq %r13; popq %r12; popq %rbp; popq %rbx\n"
        "    ret\n");

static void be_called(void)
{
    void *result = ukshm_register(ROLE_NETFS, handler, stack + STACK, 1, UKSHM_VERSION);
    if (is_error(result))
        fail("the kernel refused to call me (error %ld)", (long)result);
    *ready = 1;
    if (is_mode("spin"))
        say("registers that the handler changed under me: %s", registers_changed(ready) ? "SOME" : "none");
    while (*ready)
        sleep(SLEEP_FOREVER);           /* a call ends the sleep: -EINTR */
    exit(ukshm_unregister() ? 1 : 0);
}

/* ---- what is refused ---- */

static void refused(const char *what, enum ukshm_role role, unsigned long function, unsigned long top)
{
    void *result = ukshm_register(role, (void *)function, (void *)top, 1, UKSHM_VERSION);
    say("%s: %ld", what, (long)result);
    if (!is_error(result))
        ukshm_unregister();
}

static void try_nonsense(void)
{
    static const unsigned long KERNEL = 0xffffffff80100000, NOT_CANONICAL = 0x800000000000;
    unsigned long good = (unsigned long)handler, top = (unsigned long)stack + STACK;
    refused("a handler in the kernel", ROLE_FIREWALL, KERNEL, top);
    refused("a handler at no address", ROLE_FIREWALL, NOT_CANONICAL, top);
    refused("a handler in my data", ROLE_FIREWALL, (unsigned long)stack, top);
    refused("a handler where nothing is", ROLE_FIREWALL, 0x10000, top);
    refused("a stack in the kernel", ROLE_FIREWALL, good, KERNEL);
    refused("a stack in my code", ROLE_FIREWALL, good, good + 0x100);
    refused("a stack where nothing is", ROLE_FIREWALL, good, 0x20000);
    refused("a stack at 0", ROLE_FIREWALL, good, 0);
    refused("a stack that is crooked", ROLE_FIREWALL, good, top - 3);
    say("a first role: %ld", (long)ukshm_register(ROLE_NETFS, handler, stack + STACK, 1, UKSHM_VERSION));
    refused("a second role", ROLE_FIREWALL, good, top);
    int pid = fork();
    if (!pid) {
        refused("in the child: the parent's role", ROLE_NETFS, good, top);
        refused("in the child: another", ROLE_FIREWALL, good, top);
        setuid(UID_USER);
        refused("in the child: not as root", ROLE_FIREWALL, good, top);
        exit(0);
    }
    wait(pid, 0);
    say("back: %d, and once more: %d", ukshm_unregister(), ukshm_unregister());
}

/* ---- the one who orders ---- */

static void tell_results(int lab)
{
    char line[LINE];
    for (long count; (count = read(lab, line, LINE - 1)) > 0;) {
        line[count - 1] = '\0';
        say("%s", line);
    }
}

static void order_calls(int lab, unsigned long calls)
{
    char command[LINE];
    for (unsigned long i = 0; i < calls; i++) {
        int length = snprintf(command, sizeof command, "call netfs %d %lu %d", BYTES, i, DEADLINE);
        long id = write(lab, command, (size_t)length);
        if (id < 0)
            say("ordering a call: error %ld", id);
        if (is_mode("spin"))
            sleep(1);                   /* so that the next one comes as an interrupt */
    }
}

/* It is woken by a call, sees that it is not wanted any more, and goes in order; if it still listens. */
static int end_called_process(int lab, int pid)
{
    int status = -1;
    *ready = 0;
    if (is_mode("never"))
        kill(pid);
    else
        write(lab, "ask netfs", 9);
    wait(pid, &status);
    return status;
}

/* Children that never give up the CPU. */
static void start_spinners(int pids[SPINNERS])
{
    for (int i = 0; i < SPINNERS; i++)
        if (!(pids[i] = fork()))
            for (;;)
                ;
}

static void end_spinners(const int pids[SPINNERS])
{
    for (int i = 0; i < SPINNERS; i++) {
        kill(pids[i]);
        wait(pids[i], 0);
    }
}

/* Whether the kernel finds its books in order. */
static void check_books(void)
{
    int alloc = open("/dev/alloc", O_WRONLY);
    say("the kernel's books: %ld", write(alloc, "self-check", 10));
    close(alloc);
}

int main(int argc, const char *argv[])
{
    unsigned long calls = argc > 2 ? to_number(argv[2]) : CALLS;
    int spinners[SPINNERS];
    if (argc > 1)
        mode = argv[1];
    if (is_mode("register")) {
        try_nonsense();
        return 0;
    }
    ready = mmap_shared(PAGE, PROT_READ | PROT_WRITE);
    if (is_mode("busy"))
        start_spinners(spinners);       /* whose turn comes before the called process's */
    int pid = fork();
    if (!pid)
        be_called();
    while (!*ready)
        sleep(1);
    int lab = open("/dev/upcall", O_RDWR);
    order_calls(lab, calls);
    if (is_mode("killed")) {
        sleep(2);
        check_books();                  /* with a page shared */
        kill(pid);
    }
    tell_results(lab);
    if (is_mode("busy"))
        end_spinners(spinners);
    say("the called process ended with status %d", end_called_process(lab, pid));
    check_books();
    return 0;
}
