/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program can write to everything here at any time, indices and packets included; only not while the kernel runs,
 * for there is one CPU. So each word that it may have written is read once, and the kernel's own copies decide.
 *
 * A packet whose page is not the ring's gets one: its bytes are copied once, and the page stays with it, so that by and
 * by packets lie in the ring from the moment they are received. A few pages are kept for those that do not.
 */
#include "firewall_ring.h"
#include "firewall.h"
#include "firewall_queue.h"
#include "netdev.h"
#include "../../include/ring.h"
#include "../cmdline.h"
#include "../frame.h"
#include "../proc.h"
#include "../slab.h"
#include "../trace.h"
#include "../ukshm.h"
#include "../ukshm_memory.h"

enum { PAGES_LEAST = 2, NOT_IN_RING = 0, RESERVE = 8 };

static struct {
    struct ring *shared;                /* page 0, by the kernel's address; 0: there is no ring */
    uint64_t linear, pages;             /* in the program */
    uint64_t physical[UKSHM_MAX_PAGES];
    bool used[UKSHM_MAX_PAGES];         /* has a packet, in whatever state */
    uint64_t free;                      /* pages without one */
    uint32_t asked, handled;            /* the kernel's own; the shared ones only tell the program */
    uint64_t copies, refused;
} ring;

/* ---- pages ---- */

static uint64_t page_index(uint64_t physical)
{
    for (uint64_t i = 1; ring.shared && i < ring.pages; i++)
        if (ring.physical[i] == physical)
            return i;
    return NOT_IN_RING;
}

static uint64_t take_page(void)
{
    for (uint64_t i = 1; i < ring.pages; i++)
        if (!ring.used[i]) {
            ring.used[i] = true;
            ring.free--;
            return ring.physical[i];
        }
    return 0;
}

bool firewall_ring_return(uint64_t physical)
{
    uint64_t index = page_index(physical);
    if (index == NOT_IN_RING)
        return false;
    ring.used[index] = false;
    ring.free++;
    return true;
}

void firewall_ring_spare(struct packet *packet)
{
    uint64_t reserve = ring.pages / 2 < RESERVE ? ring.pages / 2 : RESERVE;
    if (!ring.shared || ring.free >= reserve || page_index(packet->physical) == NOT_IN_RING)
        return;
    uint64_t other = frame_alloc(FRAME_KERNEL, 0, GFP_ATOMIC);
    if (!other)
        return;
    firewall_ring_return(packet->physical);
    packet->physical = other;
}

/* The packet moves into a page of the ring, and gives its own back. */
static bool adopt(struct packet *packet)
{
    uint64_t page = take_page();
    if (!page)
        return false;
    memcpy((uint8_t *)direct_map(page) + packet->start, packet_bytes(packet), packet->length);
    frame_free(packet->physical);
    packet->physical = packet->call.physical = page;
    ring.shared->copies = ++ring.copies;
    return true;
}

/* ---- questions ---- */

static void ask(struct packet *packet, uint64_t index)
{
    uint64_t linear = ring.linear + index * PAGE_SIZE + packet->start;
    firewall_queue_tell(packet);
    ring.shared->questions[ring.asked % RING_ENTRIES] = firewall_question(packet, linear, PAGE_SIZE - packet->start);
    ring.shared->asked = ++ring.asked;
    trace_upcall(firewall_proc->pid, packet->call.id, ROLE_FIREWALL, packet->call.operation, linear, packet->length);
}

static uint32_t read_once(const uint32_t *word) { return *(const volatile uint32_t *)word; }

/* What the program says it has not taken yet: a lie costs nobody but itself. */
static uint32_t not_taken(void) { return ring.asked - read_once(&ring.shared->taken); }

void firewall_ring_fill(void)
{
    struct packet *packet;
    while (ring.shared && firewall_queue_told() < RING_ENTRIES && not_taken() < RING_ENTRIES
           && (packet = firewall_queue_next())) {
        if (page_index(packet->physical) == NOT_IN_RING && !adopt(packet))
            return;                     /* until a page of the ring is free again, or the deadline comes */
        ask(packet, page_index(packet->physical));
    }
}

/* ---- answers ---- */

static int take_in(const struct ring_answer *answer)
{
    struct packet *packet = firewall_queue_find(answer->id);
    if (!packet)
        return -ENOENT;
    if (answer->length > PAGE_SIZE - packet->start)
        return -EINVAL;
    int error = packet->call.check(&packet->call, answer->length, answer->verdict);
    if (!error)
        firewall_queue_end(packet, CALL_ANSWERED, answer->length, answer->verdict);
    return error;
}

OBSERVABLE static int take_all_in(void)
{
    uint32_t count = read_once(&ring.shared->answered) - ring.handled;
    if (count > RING_ENTRIES) {
        ring.shared->refused = ++ring.refused;
        ring.shared->handled = ring.handled;
        return -EINVAL;                 /* no such number of answers can be there: the program may mend its index */
    }
    while (count--) {
        struct ring_answer answer;
        memcpy(&answer, &ring.shared->answers[ring.handled++ % RING_ENTRIES], sizeof answer);
        int error = take_in(&answer);
        ring.refused += error != 0;
        trace_ack(current->pid, answer.id, answer.length, answer.verdict, error);
    }
    ring.shared->handled = ring.handled;
    ring.shared->refused = ring.refused;
    firewall_ring_fill();
    return 0;
}

OBSERVABLE int64_t firewall_ring_receive(uint64_t buffer, uint64_t length)
{
    if (current != firewall_proc)
        return -EPERM;
    int error = buffer || length ? -EINVAL : take_all_in();
    while (!error && !not_taken()) {
        if (net_is_over())
            return 0;
        if (!sleep_on_interruptible(net_devices))
            error = -EINTR;
    }
    return error ? error : not_taken();
}

OBSERVABLE int64_t firewall_ring_verdict(uint64_t id, uint64_t verdict, uint64_t buffer, uint64_t length)
{
    if (current != firewall_proc)
        return -EPERM;
    return id || verdict || buffer || length ? -EINVAL : take_all_in();
}

/* ---- beginning and end ---- */

OBSERVABLE int64_t firewall_ring_register(uint64_t pages)
{
    uint64_t *physical = ring.physical;
    if (pages < PAGES_LEAST || switch_value(SWITCH_UKSHM_PAGE_EXCLUSIVE) == UKSHM_PAGE_EXCLUSIVE_OFF
        || switch_value(SWITCH_UKSHM_MAP) == UKSHM_MAP_KERNEL_RANGE)
        return -EINVAL;                 /* a ring is made of whole pages of its own */
    if (firewall_proc || current->ukshm.role || ring.pages)
        return -EBUSY;
    ring.pages = pages;                 /* from here on the places are taken, though mapping may sleep */
    int64_t linear = ukshm_map(current, pages, physical);
    int error = linear < 0 ? (int)linear : firewall_begin();
    if (error) {
        ring.pages = 0;
        return error;
    }
    for (uint64_t i = 0; i < pages; i++)
        frame_of(physical[i])->flags |= FRAME_SWAP_EXEMPT;
    memset(ring.used, 0, sizeof ring.used);
    ring.linear = (uint64_t)linear;
    ring.asked = ring.handled = 0;
    ring.copies = ring.refused = 0;
    ring.free = pages - 1;
    ring.shared = direct_map(physical[0]);
    memset(ring.shared, 0, PAGE_SIZE);
    return linear;
}

void firewall_ring_end(struct proc *proc)
{
    bool used[UKSHM_MAX_PAGES];
    memcpy(used, ring.used, sizeof used);
    ring.shared = 0;
    ukshm_unmap_but(proc, ring.linear, ring.pages, ring.physical, used);
    ring.pages = 0;
}
