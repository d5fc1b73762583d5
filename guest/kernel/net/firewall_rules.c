/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The baseline: the rules are in the kernel, root's program only brings them, and packets are judged where they are.
 * What is written to /dev/firewall is a whole rule set and takes the place of the one before, in one piece; what is
 * read is the set with its counters. The rules stay when the program has gone.
 */
#include "firewall.h"
#include "netdev.h"
#include "../device_files.h"
#include "../proc.h"
#include "../slab.h"
#include "../trace.h"
#include "../user_memory.h"
#include "../../common/rules.h"

static struct rule_set rules;       /* magic 0: nobody has brought any, and everything passes */

bool firewall_rules_want(enum hook hook)
{
    return rules.magic && rules_has_hook(&rules, hook);
}

OBSERVABLE uint64_t firewall_rules_judge(struct packet *packet)
{
    struct packet_facts facts;
    rules_read_packet(&facts, packet_bytes(packet), packet->length, packet->in ? (uint8_t)packet->in->number : 0,
                      packet->out ? (uint8_t)packet->out->number : 0);
    return rules_judge(&rules, (enum hook)packet->hook, &facts, 0, 0);
}

/* A user-defined target is code of a program, which nobody calls from here. */
static bool has_user_targets(const struct rule_set *set)
{
    for (unsigned i = 0; i < set->rule_count; i++)
        if (set->rules[i].action == ACTION_USER)
            return true;
    return false;
}

/* Nothing sleeps from here on, and no interrupt judges by half a set. */
OBSERVABLE static int64_t install(const struct rule_set *set, uint64_t length)
{
    if (rules_check(set, length) || has_user_targets(set))
        return -EINVAL;
    memcpy(&rules, set, length);
    trace_firewall_rules(current->pid, set->chain_count, set->rule_count);
    return (int64_t)length;
}

int64_t firewall_rules_write(uint64_t from, uint64_t length)
{
    if (current->uid != UID_ROOT)
        return -EPERM;
    if (length == sizeof(uint32_t))
        return firewall_set_hooks(from);
    if (!length || length > sizeof rules)
        return -EINVAL;
    struct rule_set *set = kmalloc(sizeof *set, GFP_KERNEL);
    if (!set)
        return -ENOMEM;
    memset(set, 0, sizeof *set);        /* rules_check may look where the program has written nothing */
    int64_t result = copy_from_user(set, from, length) ? -EFAULT : install(set, length);
    kfree(set);
    return result;
}

int64_t firewall_rules_read(uint64_t to, uint64_t length)
{
    if (current->uid != UID_ROOT)
        return -EPERM;
    uint64_t bytes = rules.magic ? rules_bytes(&rules) : 0;
    if (length > bytes)
        length = bytes;
    return copy_to_user(to, &rules, length) ? -EFAULT : (int64_t)length;
}
