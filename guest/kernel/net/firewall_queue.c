/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "firewall_queue.h"
#include "netdev.h"
#include "../proc.h"
#include "../timer.h"

struct proc *firewall_proc;

static struct call *first, *last;
static uint32_t waiting, told;

void firewall_queue_put(struct packet *packet)
{
    if (waiting == CALL_QUEUE_MAX) {
        packet_drop(packet, DROP_QUEUE_FULL);
        return;
    }
    upcall_begin(&packet->call);
    if (last)
        last->next = &packet->call;
    else
        first = &packet->call;
    last = &packet->call;
    waiting++;
    wake_up(net_devices);
}

struct packet *firewall_queue_next(void)
{
    struct call *call = first;
    while (call && call->state != CALL_QUEUED)
        call = call->next;
    return (struct packet *)call;
}

void firewall_queue_tell(struct packet *packet)
{
    packet->call.state = CALL_RUNNING;
    waiting--;
    told++;
}

uint32_t firewall_queue_told(void) { return told; }

struct packet *firewall_queue_find(uint64_t id)
{
    struct call *call = first;
    while (call && (call->id != id || call->state != CALL_RUNNING))
        call = call->next;
    return (struct packet *)call;
}

static void unlink(struct call *call)
{
    struct call *before = 0;
    for (struct call *at = first; at != call; at = at->next)
        before = at;
    if (before)
        before->next = call->next;
    else
        first = call->next;
    if (last == call)
        last = before;
    call->next = 0;
    waiting -= call->state == CALL_QUEUED;
    told -= call->state == CALL_RUNNING;
}

void firewall_queue_end(struct packet *packet, enum call_end end, uint64_t length, uint64_t verdict)
{
    unlink(&packet->call);
    upcall_end(&packet->call, end, length, verdict);
}

/* What ends goes on, and may come back as a question at the next hook: behind all that are looked at here. */
static void end_all(bool (*wanted)(const struct call *call), enum call_end end)
{
    struct call *ended = 0, **link = &ended;
    for (struct call *call = first, *next; call; call = next) {
        next = call->next;
        if (!wanted(call))
            continue;
        unlink(call);
        *link = call;
        link = &call->next;
    }
    while (ended) {
        struct call *call = ended;
        ended = call->next;
        upcall_end(call, end, 0, 0);
    }
}

static bool is_late(const struct call *call) { return call->deadline <= ticks && !((struct packet *)call)->is_pinned; }
static bool is_any(const struct call *call) { return call; }

void firewall_queue_expire(void) { end_all(is_late, CALL_TIMED_OUT); }
void firewall_queue_abandon(void) { end_all(is_any, CALL_ABANDONED); }
