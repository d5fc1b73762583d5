/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The four ways to the same verdicts: the kernel has the rules, or asks, by a copy, by a reverse syscall, by a ring. */
#include "firewall.h"
#include "../../include/ring.h"

enum { UPCALL_STACK = 4 * PAGE };

/* ---- the end ---- */

/* Reading /dev/link waits until nothing comes any more; a reverse syscall ends the wait, and it begins again. */
static void wait_for_the_end(void)
{
    int link = open("/dev/link", O_RDONLY);
    char nothing;
    while (read(link, &nothing, sizeof nothing) == -EINTR)
        ;
    close(link);
}

/* The kernel need not ask where there is no rule. That is all it learns of them. */
static void ask_where_rules_are(void)
{
    uint32_t hooks = 0;
    for (int hook = 0; hook < HOOKS; hook++)
        hooks |= (uint32_t)rules_has_hook(&rules, (enum hook)hook) << hook;
    int device = open("/dev/firewall", O_WRONLY);
    long result = device < 0 ? device : write(device, &hooks, sizeof hooks);
    if (result < 0)
        fail("firewall: the kernel does not hear at which hooks to ask (error %ld)", result);
    close(device);
}

/* ---- kernel ---- */

static bool has_user_targets(void)
{
    for (unsigned i = 0; i < rules.rule_count; i++)
        if (rules.rules[i].action == ACTION_USER) {
            say("firewall: line %u: '%s' is a target of this program, and with firewall.path=kernel it is not asked; "
                "choose copy, ukshm or ring", rules.rules[i].line, target_name(&rules, &rules.rules[i]));
            return true;
        }
    return false;
}

/* The rules go down, and come back with what was counted. */
static void run_in_kernel(void)
{
    if (has_user_targets())
        exit(2);
    int device = open("/dev/firewall", O_RDWR);
    long result = device < 0 ? device : write(device, &rules, rules_bytes(&rules));
    if (result < 0)
        fail("firewall: the kernel does not take the rules (error %ld)", result);
    wait_for_the_end();
    result = read(device, &rules, sizeof rules);
    if (result < 0)
        fail("firewall: the kernel does not give the counters (error %ld)", result);
}

/* ---- ukshm ---- */

static uint8_t upcall_stack[UPCALL_STACK] __attribute__((aligned(16)));

/* What the kernel calls. The acknowledgement does not come back, unless it was refused. */
OBSERVABLE static void firewall_handler(const struct upcall *upcall)
{
    bool is_changed;
    uint64_t verdict = judge(upcall, (uint8_t *)upcall->address, &is_changed);
    long error = ukshm_ack(upcall->id, upcall->length, verdict);
    fail("firewall: the acknowledgement was refused (error %ld)", error);
}

static void run_with_upcalls(void)
{
    void *stack_end = upcall_stack + sizeof upcall_stack;
    void *result = ukshm_register(ROLE_FIREWALL, firewall_handler, stack_end, 1, UKSHM_VERSION);
    if (is_error(result))
        fail("firewall: the kernel does not register it (error %ld)", (long)result);
    wait_for_the_end();
    ukshm_unregister();
}

/* ---- copy ---- */

enum { PACKET_MAX = PAGE };

static union {
    struct upcall upcall;
    uint8_t bytes[sizeof(struct upcall) + PACKET_MAX];
} received;

/* Until nothing comes any more. What was not changed need not travel back. */
static void run_with_copies(void)
{
    long count;
    bool is_changed;
    while ((count = pkt_recv(&received, sizeof received)) > 0 || count == -EINTR) {
        if (count < 0)
            continue;
        uint8_t *bytes = (uint8_t *)received.upcall.address;
        uint64_t verdict = judge(&received.upcall, bytes, &is_changed);
        pkt_verdict(received.upcall.id, verdict, is_changed ? bytes : 0, received.upcall.length);
    }
    if (count < 0)
        fail("firewall: the kernel gives it no packets (error %ld)", count);
    ukshm_unregister();
}

/* ---- ring ---- */

static void answer_question(struct ring *ring)
{
    bool is_changed;
    const struct upcall *question = &ring->questions[ring->taken % RING_ENTRIES];
    uint64_t verdict = judge(question, (uint8_t *)question->address, &is_changed);
    ring->answers[ring->answered % RING_ENTRIES] = (struct ring_answer){question->id, question->length, verdict};
    __atomic_store_n(&ring->taken, ring->taken + 1, __ATOMIC_RELEASE);
    __atomic_store_n(&ring->answered, ring->answered + 1, __ATOMIC_RELEASE);
}

/* All questions that are there are answered before the kernel is asked for more. */
static void run_with_ring(void)
{
    struct ring *ring = ukshm_register(ROLE_FIREWALL, 0, 0, UKSHM_MAX_PAGES, UKSHM_VERSION);
    long count;
    if (is_error(ring))
        fail("firewall: the kernel gives it no ring (error %ld)", (long)ring);
    while ((count = pkt_recv(0, 0)) > 0 || count == -EINTR)
        while (ring->taken != __atomic_load_n(&ring->asked, __ATOMIC_ACQUIRE))
            answer_question(ring);
    if (count < 0)
        fail("firewall: the kernel does not take its answers (error %ld)", count);
    ukshm_unregister();
}

/* ---- which ---- */

/* The value of a switch, out of /proc/switches: a line is its name, a space, and the value. */
static void read_switch(const char *name, char *value, size_t size)
{
    char line[80];
    size_t length = strlen(name);
    int file = open("/proc/switches", O_RDONLY);
    *value = '\0';
    while (read_line(file, line, sizeof line) > 0)
        if (!memcmp(line, name, length) && line[length] == ' ')
            snprintf(value, size, "%s", line + length + 1);
    close(file);
}

static const struct { const char *name; void (*run)(void); } paths[] = {
    {"kernel", run_in_kernel},
    {"copy", run_with_copies},
    {"ukshm", run_with_upcalls},
    {"ring", run_with_ring},
};

void run_firewall(void)
{
    char path[16];
    read_switch("firewall.path", path, sizeof path);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (!strcmp(paths[i].name, path)) {
            if (paths[i].run != run_in_kernel)
                ask_where_rules_are();
            paths[i].run();
            return;
        }
    fail("firewall: firewall.path is %s, which this program does not know", path);
}
