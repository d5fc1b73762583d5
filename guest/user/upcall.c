/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process that the kernel calls, and one that orders the calls at the laboratory, /dev/upcall, and tells how each
 * ended. What the handler does:
 *   upcall [sum|double|fault|return|sleep|exit|never|twice|child|length|verdict|nested|register] [calls, default 2]
 */
#include "ulib.h"
#include "../include/upcall.h"

enum { CALLS = 2, CALLS_MAX = 40, BYTES = 100, STACK = 2 * PAGE, DEADLINE = 20, LINE = 128, OVER = 1 << 20 };

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
    while (is_mode("never"))
        sleep(SLEEP_FOREVER);
    if (is_mode("late"))
        sleep(2 * DEADLINE);
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

OBSERVABLE static void handler(struct upcall *upcall)
{
    unsigned long sum = sum_of(upcall);
    if (is_mode("return"))
        return;
    misbehave(upcall);
    if (is_mode("child"))
        answer_by_child(upcall);
    if (is_mode("nested"))
        order_another(upcall);
    if (is_mode("double"))
        for (uint32_t i = 0; i < upcall->length; i++)
            ((unsigned char *)upcall->address)[i] *= 2;
    previous = upcall->id;
    fail("the answer was refused: %ld", ukshm_ack(upcall->id, upcall->length, sum));
}

static void be_called(void)
{
    void *result = ukshm_register(ROLE_NETFS, handler, stack + STACK, 1, UKSHM_VERSION);
    if (is_error(result))
        fail("the kernel refused to call me (error %ld)", (long)result);
    *ready = 1;
    while (*ready)
        sleep(SLEEP_FOREVER);           /* a call ends the sleep: -EINTR */
    exit(ukshm_unregister() ? 1 : 0);
}

static void tell_results(int lab)
{
    char line[LINE];
    for (long count; (count = read(lab, line, LINE - 1)) > 0;) {
        line[count - 1] = '\0';
        say("%s", line);
    }
}

int main(int argc, const char *argv[])
{
    unsigned long calls = argc > 2 ? to_number(argv[2]) : CALLS;
    char command[LINE];
    int status = -1;
    if (argc > 1)
        mode = argv[1];
    ready = mmap_shared(PAGE, PROT_READ | PROT_WRITE);
    int pid = fork();
    if (!pid)
        be_called();
    while (!*ready)
        sleep(1);
    int lab = open("/dev/upcall", O_RDWR);
    for (unsigned long i = 0; i < calls; i++) {
        int length = snprintf(command, sizeof command, "call netfs %d %lu %d", BYTES, i, DEADLINE);
        long id = write(lab, command, (size_t)length);
        if (id < 0)
            say("ordering a call: error %ld", id);
    }
    tell_results(lab);
    *ready = 0;
    kill(pid);
    wait(pid, &status);
    say("the called process ended with status %d", status);
    return 0;
}
