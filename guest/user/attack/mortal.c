/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A firewall, on whatever path is chosen, that lets packets pass until one has come to a hook, and then goes wrong:
 *   mortal fault|exit|killed|hang|lie|late HOOK      (0 PREROUTING ... 4 POSTROUTING)
 * Its parent looks on to the end, and has the kernel check its books.
 */
#include "attack.h"
#include "../../include/ring.h"

enum { TICKS_LATE = 150 };

static const char *mode;
static unsigned long hook;
static volatile int *has_come;          /* shared with the parent */

static bool is_mode(const char *name) { return !strcmp(mode, name); }

static void go_wrong(uint8_t *bytes, uint32_t length)
{
    if (is_mode("fault"))
        *(volatile uint8_t *)8 = 1;
    if (is_mode("exit"))
        exit(3);
    if (is_mode("lie"))
        memset(bytes, 0xff, length);
    if (is_mode("late"))
        sleep(TICKS_LATE);
    while (is_mode("hang") || is_mode("killed"))
        sleep(SLEEP_FOREVER);
}

static void judge(const struct upcall *upcall, uint8_t *bytes)
{
    if (upcall->operation != hook || *has_come)
        return;
    *has_come = 1;
    go_wrong(bytes, upcall->length);
}

OBSERVABLE static void handler(struct upcall *upcall)
{
    judge(upcall, (uint8_t *)upcall->address);
    ukshm_ack(upcall->id, upcall->length, ACCEPT);
}

static union {
    struct upcall upcall;
    uint8_t bytes[sizeof(struct upcall) + PAGE];
} received;

static void be_asked_by_copies(void)
{
    long count;
    while ((count = pkt_recv(&received, sizeof received)) > 0) {
        uint8_t *bytes = received.bytes + sizeof(struct upcall);
        judge(&received.upcall, bytes);
        pkt_verdict(received.upcall.id, ACCEPT, bytes, received.upcall.length);
    }
}

static void be_asked_by_ring(struct ring *ring)
{
    while (pkt_recv(0, 0) > 0)
        for (; ring->taken != ring->asked; ring->taken++) {
            const struct upcall question = ring->questions[ring->taken % RING_ENTRIES];
            judge(&question, (uint8_t *)question.address);
            ring->answers[ring->answered % RING_ENTRIES] = (struct ring_answer){question.id, question.length, ACCEPT};
            ring->answered++;
        }
}

static void be_the_firewall(void)
{
    struct ring *ring = ukshm_register(ROLE_FIREWALL, 0, 0, 16, UKSHM_VERSION);
    if (!is_error(ring)) {
        be_asked_by_ring(ring);
    } else if (pkt_recv(&received, 0) != -ENODEV) {
        be_asked_by_copies();
    } else {
        be_called_as(ROLE_FIREWALL, handler);
        for (;;)
            sleep(SLEEP_FOREVER);
    }
    exit(0);
}

int main(int argc, char **argv)
{
    int status = -1;
    mode = argc > 1 ? argv[1] : "fault";
    hook = argc > 2 ? to_number(argv[2]) : 0;
    has_come = mmap_shared(PAGE, PROT_READ | PROT_WRITE);
    int pid = fork();
    if (!pid)
        be_the_firewall();
    while (is_mode("killed") && !*has_come)
        sleep(1);
    if (is_mode("killed"))
        kill(pid);
    wait_for_the_end();
    kill(pid);
    wait(pid, &status);
    say("it has ended with status %d", status);
    say_what_was_dropped();
    say("the kernel's books: %ld", write(open("/dev/alloc", O_WRONLY), "self-check", 10));
    return 0;
}
