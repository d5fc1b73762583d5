/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the paths copy and ring refuse, said by a program that does everything wrong before it does it right: it lets
 * one packet after the other pass. firewall.path says which path it tries.
 */
#include "attack.h"
#include "../../include/ring.h"

static union {
    struct upcall upcall;
    unsigned char bytes[sizeof(struct upcall) + PAGE];
} received;

static const unsigned long KERNEL = 0xffffffff80100000;

/* ---- copy ---- */

static void answer_wrongly(void)
{
    unsigned long id = received.upcall.id;
    say("another id: %ld", pkt_verdict(id + 1, ACCEPT, 0, 0));
    say("a verdict without sense: %ld", pkt_verdict(id, 77, 0, 0));
    say("too many bytes: %ld", pkt_verdict(id, ACCEPT, &received, PAGE + 1));
    say("bytes of the kernel: %ld", pkt_verdict(id, ACCEPT, (void *)KERNEL, 40));
    int pid = fork();
    if (!pid) {
        say("my child answers: %ld", pkt_verdict(id, ACCEPT, 0, 0));
        say("my child asks: %ld", pkt_recv(&received, sizeof received));
        exit(0);
    }
    wait(pid, 0);
}

static void receive_wrongly(void)
{
    say("a buffer that is too small: %ld", pkt_recv(&received, sizeof(struct upcall)));
    say("a buffer in the kernel: %ld", pkt_recv((void *)KERNEL, PAGE));
}

static void copy_path(void)
{
    receive_wrongly();
    for (bool is_first = true; pkt_recv(&received, sizeof received) > 0; is_first = false) {
        if (is_first)
            answer_wrongly();
        long result = pkt_verdict(received.upcall.id, ACCEPT, 0, 0);
        if (is_first)
            say("the right answer: %ld, and once more: %ld", result, pkt_verdict(received.upcall.id, ACCEPT, 0, 0));
    }
}

/* ---- ring ---- */

static void put_answer(struct ring *ring, unsigned long id, unsigned long length, unsigned long verdict)
{
    ring->answers[ring->answered % RING_ENTRIES] = (struct ring_answer){id, length, verdict};
    ring->answered++;
}

static void misuse(struct ring *ring)
{
    const struct upcall question = ring->questions[0];
    ring->answered += 1000;
    say("a thousand answers: %ld", pkt_verdict(0, 0, 0, 0));
    ring->answered = ring->handled;
    ring->taken = ring->asked + 5;
    say("more taken than asked: %ld", pkt_verdict(0, 0, 0, 0));
    ring->taken = 0;
    ring->asked = 1u << 31;
    ring->handled = 12345;
    ring->copies = ~0ul;
    put_answer(ring, question.id + 1, 40, ACCEPT);
    put_answer(ring, question.id, PAGE, ACCEPT);
    put_answer(ring, question.id, question.length, 77);
    say("answers without sense: %ld, refused: %lu", pkt_verdict(0, 0, 0, 0), ring->refused);
    say("an id that is none of a ring: %ld", pkt_verdict(question.id, ACCEPT, 0, 0));
}

static void ring_path(void)
{
    struct ring *ring = ukshm_register(ROLE_FIREWALL, 0, 0, 16, UKSHM_VERSION);
    if (is_error(ring))
        fail("no ring: error %ld", (long)ring);
    say("a ring inside the ring: %ld", (long)ukshm_register(ROLE_FIREWALL, 0, 0, 16, UKSHM_VERSION));
    long count;
    for (bool is_first = true; (count = pkt_recv(0, 0)) > 0; is_first = false) {
        if (is_first)
            misuse(ring);
        for (; count--; ring->taken++) {
            const struct upcall *question = &ring->questions[ring->taken % RING_ENTRIES];
            put_answer(ring, question->id, question->length, ACCEPT);
        }
    }
    say("the end: %ld", count);
}

int main(void)
{
    say("a call without a path, or without being asked: %ld", pkt_verdict(1, ACCEPT, 0, 0));
    long result = pkt_recv(0, 0);
    if (result == -ENODEV)
        return 0;
    if (result == -EPERM)
        ring_path();
    else
        copy_path();
    say_what_was_dropped();
    return 0;
}
