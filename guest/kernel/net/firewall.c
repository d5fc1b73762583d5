/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is asked about packets, and what passes when nobody answers. */
#include "firewall.h"
#include "firewall_copy.h"
#include "firewall_queue.h"
#include "firewall_ring.h"
#include "hook.h"
#include "netdev.h"
#include "../cmdline.h"
#include "../proc.h"
#include "../user_memory.h"

enum { ALL_HOOKS = (1 << HOOKS) - 1 };

enum firewall_state firewall_state;

static uint32_t asked_hooks = ALL_HOOKS;    /* of a program that lives */

bool firewall_has_path(int path) { return switch_value(SWITCH_FIREWALL_PATH) == path; }

static bool lets_pass(void) { return switch_value(SWITCH_FIREWALL_DEAD) == FIREWALL_DEAD_ALLOW; }

bool firewall_wants(enum hook hook)
{
    if (firewall_has_path(FIREWALL_PATH_KERNEL))
        return firewall_rules_want(hook);
    if (firewall_state == FIREWALL_ALIVE)
        return asked_hooks & 1u << hook;
    return firewall_state == FIREWALL_DEAD && !lets_pass();
}

int64_t firewall_set_hooks(uint64_t from)
{
    uint32_t hooks;
    if (copy_from_user(&hooks, from, sizeof hooks))
        return -EFAULT;
    if (hooks & ~(uint32_t)ALL_HOOKS)
        return -EINVAL;
    asked_hooks = hooks;
    return sizeof hooks;
}

/* ---- the answer ---- */

/* Nobody has looked at it to the end, so the policy does. */
static void apply_policy(struct packet *packet, enum drop_reason reason)
{
    if (lets_pass())
        hook_verdict(packet, verdict_of(TARGET_ACCEPT, 0, 0, 0));
    else
        packet_drop(packet, reason);
}

static void answered(struct packet *packet, uint64_t length, uint64_t verdict)
{
    packet->length = (uint32_t)length;
    if (packet->is_checked && !packet->is_sound && verdict_target(verdict) != TARGET_DROP)
        packet_drop(packet, DROP_CHANGED);
    else
        hook_verdict(packet, verdict);
}

static void done(struct call *call, enum call_end end, uint64_t length, uint64_t verdict)
{
    struct packet *packet = (struct packet *)call;
    if (end == CALL_ANSWERED)
        answered(packet, length, verdict);
    else
        apply_policy(packet, end == CALL_TIMED_OUT ? DROP_DEADLINE : DROP_DEAD);
}

/* With ukshm.check=before_unmap this is where the packet is looked at; otherwise when it is the kernel's again. */
static int check(struct call *call, uint64_t length, uint64_t verdict)
{
    struct packet *packet = (struct packet *)call;
    uint32_t was = packet->length;
    if (switch_value(SWITCH_UKSHM_CHECK) == UKSHM_CHECK_BEFORE_UNMAP && firewall_has_path(FIREWALL_PATH_UKSHM)) {
        packet->length = (uint32_t)length;
        packet->is_checked = true;
        packet->is_sound = hook_is_sound(packet);
        packet->length = was;
    }
    return hook_check_verdict(packet, verdict);
}

/* ---- the question ---- */

struct upcall firewall_question(const struct packet *packet, uint64_t linear, uint32_t capacity)
{
    const struct call *call = &packet->call;
    return (struct upcall){
        .id = call->id, .role = ROLE_FIREWALL, .operation = call->operation, .address = linear,
        .length = packet->length, .capacity = capacity,
        .argument = {call->argument[0], call->argument[1], call->argument[2], call->argument[3]},
    };
}

static enum interface number_of(const struct net_device *card) { return card ? card->number : INTERFACE_NONE; }

static void prepare(struct packet *packet)
{
    bool cleared = packet->call.cleared;
    packet->is_checked = false;
    packet->call = (struct call){
        .role = ROLE_FIREWALL, .operation = (uint32_t)packet->hook, .physical = packet->physical,
        .offset = packet->start, .length = packet->length, .done = done, .check = check, .cleared = cleared,
        .argument = {number_of(packet->in), number_of(packet->out), packet->time},
    };
}

OBSERVABLE void firewall_ask(struct packet *packet)
{
    if (firewall_has_path(FIREWALL_PATH_KERNEL)) {
        hook_verdict(packet, firewall_rules_judge(packet));
        return;
    }
    if (firewall_state != FIREWALL_ALIVE) {
        apply_policy(packet, DROP_DEAD);
        return;
    }
    prepare(packet);
    if (!firewall_has_path(FIREWALL_PATH_UKSHM)) {
        firewall_queue_put(packet);
        if (firewall_has_path(FIREWALL_PATH_RING))
            firewall_ring_fill();
        return;
    }
    int error = upcall_submit(&packet->call);
    if (error)
        packet_drop(packet, error == -ENOBUFS ? DROP_QUEUE_FULL : DROP_DEAD);
}

/* ---- who is asked ---- */

static void registered(struct proc *proc)
{
    (void)proc;
    if (firewall_has_path(FIREWALL_PATH_UKSHM))
        firewall_state = FIREWALL_ALIVE;
}

/* The next program is asked everywhere again, unless it says otherwise. */
static void set_ended(bool died)
{
    firewall_state = died ? FIREWALL_DEAD : FIREWALL_NONE;
    asked_hooks = ALL_HOOKS;
}

static void ended(bool died)
{
    if (firewall_has_path(FIREWALL_PATH_UKSHM))
        set_ended(died);
}

void firewall_init(void)
{
    static const struct role_owner owner = {registered, ended};
    upcall_role_owner(ROLE_FIREWALL, &owner);
}

int firewall_begin(void)
{
    if (current->uid != UID_ROOT && switch_value(SWITCH_UKSHM_PRIVILEGED) == UKSHM_PRIVILEGED_ON)
        return -EPERM;
    if (firewall_proc || current->ukshm.role)
        return -EBUSY;
    firewall_proc = current;
    firewall_state = FIREWALL_ALIVE;
    current->ukshm.role = ROLE_FIREWALL;
    return 0;
}

void firewall_leave(struct proc *proc, bool died)
{
    firewall_proc = 0;
    set_ended(died);
    firewall_queue_abandon();
    if (firewall_has_path(FIREWALL_PATH_RING))
        firewall_ring_end(proc);
    proc->ukshm = (struct ukshm){0};
}

void firewall_tick(void) { firewall_queue_expire(); }

int64_t firewall_receive(uint64_t buffer, uint64_t length)
{
    if (firewall_has_path(FIREWALL_PATH_COPY))
        return firewall_copy_receive(buffer, length);
    return firewall_has_path(FIREWALL_PATH_RING) ? firewall_ring_receive(buffer, length) : -ENODEV;
}

int64_t firewall_verdict(uint64_t id, uint64_t verdict, uint64_t buffer, uint64_t length)
{
    if (firewall_has_path(FIREWALL_PATH_COPY))
        return firewall_copy_verdict(id, verdict, buffer, length);
    return firewall_has_path(FIREWALL_PATH_RING) ? firewall_ring_verdict(id, verdict, buffer, length) : -ENODEV;
}
