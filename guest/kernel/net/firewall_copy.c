/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two copies, two system calls, and whoever asks waits: the page never leaves the kernel. A copy may sleep in a fault
 * of the program; the packet is pinned meanwhile, so that no deadline takes its page away.
 */
#include "firewall_copy.h"
#include "firewall.h"
#include "firewall_queue.h"
#include "netdev.h"
#include "../cmdline.h"
#include "../proc.h"
#include "../trace.h"
#include "../user_memory.h"

static int wait_for_packet(struct packet **packet)
{
    while (!(*packet = firewall_queue_next())) {
        if (net_is_over())
            return 0;
        if (!sleep_on_interruptible(net_devices))
            return -EINTR;
    }
    return 0;
}

static int hand_over(struct packet *packet, uint64_t buffer)
{
    uint64_t bytes = buffer + sizeof(struct upcall);
    struct upcall question = firewall_question(packet, bytes, PAGE_SIZE - packet->start);
    int error = copy_to_user(buffer, &question, sizeof question);
    return error ? error : copy_to_user(bytes, packet_bytes(packet), packet->length);
}

OBSERVABLE int64_t firewall_copy_receive(uint64_t buffer, uint64_t length)
{
    struct packet *packet;
    int error = firewall_proc == current ? 0 : firewall_begin();
    if (!error)
        error = wait_for_packet(&packet);
    if (error || !packet)
        return error;
    uint32_t bytes = packet->length;
    if (length < sizeof(struct upcall) + bytes)
        return -EMSGSIZE;
    packet->is_pinned = true;
    error = hand_over(packet, buffer);
    packet->is_pinned = false;
    if (error)
        return error;               /* it waits on, for a better buffer */
    firewall_queue_tell(packet);
    trace_upcall(current->pid, packet->call.id, ROLE_FIREWALL, packet->call.operation, buffer + sizeof(struct upcall),
                 bytes);
    return (int64_t)(sizeof(struct upcall) + bytes);
}

static bool may_answer(void)
{
    return current == firewall_proc || switch_value(SWITCH_UKSHM_ACK_CHECK) == UKSHM_ACK_CHECK_OFF;
}

static int take_back(struct packet *packet, uint64_t buffer, uint64_t length)
{
    packet->is_pinned = true;
    int error = copy_from_user(packet_bytes(packet), buffer, length);
    packet->is_pinned = false;
    return error;
}

static int64_t answer(uint64_t id, uint64_t verdict, uint64_t buffer, uint64_t length)
{
    if (!may_answer())
        return -EPERM;
    struct packet *packet = firewall_queue_find(id);
    if (!packet || packet->is_pinned)
        return -ENOENT;
    if (!buffer)
        length = packet->length;
    if (length > PAGE_SIZE - packet->start)
        return -EINVAL;
    int error = packet->call.check(&packet->call, length, verdict);
    if (!error && buffer)
        error = take_back(packet, buffer, length);
    if (!error)
        firewall_queue_end(packet, CALL_ANSWERED, length, verdict);
    return error;
}

OBSERVABLE int64_t firewall_copy_verdict(uint64_t id, uint64_t verdict, uint64_t buffer, uint64_t length)
{
    int64_t result = answer(id, verdict, buffer, length);
    trace_ack(current->pid, id, length, verdict, result);
    return result;
}
