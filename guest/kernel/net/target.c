/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target.h"
#include "ipv4.h"
#include "nat.h"
#include "reject.h"
#include "route.h"

enum {
    AT_PREROUTING = 1 << HOOK_PREROUTING, AT_INPUT = 1 << HOOK_INPUT, AT_FORWARD = 1 << HOOK_FORWARD,
    AT_OUTPUT = 1 << HOOK_OUTPUT, AT_POSTROUTING = 1 << HOOK_POSTROUTING,
    ANYWHERE = AT_PREROUTING | AT_INPUT | AT_FORWARD | AT_OUTPUT | AT_POSTROUTING,
};

static void accept(struct packet *packet, uint64_t verdict)
{
    (void)verdict;
    packet->okay(packet);
}

static void drop(struct packet *packet, uint64_t verdict)
{
    (void)verdict;
    packet_drop(packet, DROP_RULE);
}

/* The one named, or the one that it has not come from. */
static struct net_device *forward_card(const struct packet *packet, uint64_t verdict)
{
    unsigned number = verdict_detail(verdict);
    if (!number)
        number = packet->in && packet->in->number == INTERFACE_ETH0 ? INTERFACE_ETH1 : INTERFACE_ETH0;
    return net_device(number);
}

static bool forward_check(const struct packet *packet, uint64_t verdict)
{
    return forward_card(packet, verdict);
}

/* Before routing the word is noted, and there will be none; after it the way is changed. */
static void forward(struct packet *packet, uint64_t verdict)
{
    struct net_device *card = forward_card(packet, verdict);
    packet->detour = (uint8_t)(1 + card->number);
    if (packet->hook == HOOK_FORWARD)
        route_through(packet, card, ip_destination(packet_bytes(packet)));
    packet->okay(packet);
}

static const struct target_module targets[TARGETS] = {
    [TARGET_DROP] = {"DROP", ANYWHERE, 0, drop},
    [TARGET_ACCEPT] = {"ACCEPT", ANYWHERE, 0, accept},
    [TARGET_REJECT] = {"REJECT", AT_INPUT | AT_FORWARD | AT_OUTPUT, reject_check, reject},
    [TARGET_FORWARD] = {"FORWARD", AT_PREROUTING | AT_FORWARD, forward_check, forward},
    [TARGET_MASQUERADE] = {"MASQUERADE", AT_POSTROUTING, nat_check, nat_masquerade},
};

bool target_allows(const struct packet *packet, uint64_t verdict)
{
    unsigned number = verdict_target(verdict);
    return number < TARGETS && !(verdict >> 48) && targets[number].hooks & 1u << packet->hook
           && (!targets[number].check || targets[number].check(packet, verdict));
}

OBSERVABLE void target_apply(struct packet *packet, uint64_t verdict)
{
    targets[verdict_target(verdict)].apply(packet, verdict);
}
