/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One packet, wherever it lies. */
#include "firewall.h"
#include "targets.h"

OBSERVABLE uint64_t judge(const struct upcall *about, uint8_t *bytes, bool *is_changed)
{
    struct packet_at_hand packet;
    packet_at_hand_read(&packet, bytes, about->length, about->argument[0], about->argument[1]);
    uint64_t verdict = rules_judge(&rules, (enum hook)about->operation, &packet.facts, run_user_target, &packet);
    *is_changed = packet.is_changed;
    return verdict;
}
