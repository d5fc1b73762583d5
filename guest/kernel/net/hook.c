/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hook.h"
#include "firewall.h"
#include "ipv4.h"
#include "target.h"
#include "../cmdline.h"
#include "../trace.h"

OBSERVABLE void hook_run(enum hook hook, struct packet *packet, void (*okay)(struct packet *packet))
{
    packet->hook = (int)hook;
    packet->okay = okay;
    if (firewall_wants(hook))
        firewall_ask(packet);
    else
        okay(packet);
}

int hook_check_verdict(const struct packet *packet, uint64_t verdict)
{
    return target_allows(packet, verdict) ? 0 : -EINVAL;
}

/* A program has had it in its hands, and may have made it anything. */
bool hook_is_sound(const struct packet *packet)
{
    return !ipv4_check(packet) && get16(packet_bytes(packet) + IP_LENGTH) == packet->length
           && packet_bytes(packet)[IP_TTL];
}

static bool is_in_order(const struct packet *packet)
{
    return switch_value(SWITCH_FIREWALL_PATH) == FIREWALL_PATH_KERNEL || packet->is_checked || hook_is_sound(packet);
}

OBSERVABLE void hook_verdict(struct packet *packet, uint64_t verdict)
{
    trace_verdict(packet->id, packet->hook, verdict);
    if (!target_allows(packet, verdict))
        packet_drop(packet, DROP_RULE);     /* nonsense that nobody has refused is no reason to let it pass */
    else if (verdict_target(verdict) != TARGET_DROP && !is_in_order(packet))
        packet_drop(packet, DROP_CHANGED);
    else
        target_apply(packet, verdict);
}
