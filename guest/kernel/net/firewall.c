/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nobody is asked yet. */
#include "firewall.h"
#include "hook.h"

bool firewall_wants(enum hook hook) { (void)hook; return false; }

void firewall_ask(struct packet *packet) { hook_verdict(packet, verdict_of(TARGET_ACCEPT, 0, 0, 0)); }
