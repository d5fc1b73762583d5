/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Only the kernel path is asked yet. */
#include "firewall.h"
#include "hook.h"
#include "../cmdline.h"

bool firewall_wants(enum hook hook)
{
    return switch_value(SWITCH_FIREWALL_PATH) == FIREWALL_PATH_KERNEL && firewall_rules_want(hook);
}

void firewall_ask(struct packet *packet) { hook_verdict(packet, firewall_rules_judge(packet)); }
