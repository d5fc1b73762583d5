/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a rule set is one: what the kernel asks of a set that a program hands it, and a program of its rule file. */
#include "rules.h"

/* ---- targets and hooks ---- */

static const uint8_t hooks_of_target[TARGETS] = {
    [TARGET_DROP] = 0xff,
    [TARGET_ACCEPT] = 0xff,
    [TARGET_REJECT] = 1 << HOOK_INPUT | 1 << HOOK_FORWARD | 1 << HOOK_OUTPUT,
    [TARGET_FORWARD] = 1 << HOOK_PREROUTING | 1 << HOOK_FORWARD,
    [TARGET_MASQUERADE] = 1 << HOOK_POSTROUTING,
};

bool rules_target_fits(enum target target, enum hook hook)
{
    return target < TARGETS && hook < HOOKS && hooks_of_target[target] >> hook & 1;
}

static bool is_reject_code(unsigned code)
{
    return code <= REJECT_PORT_UNREACHABLE || code == REJECT_NET_PROHIBITED || code == REJECT_HOST_PROHIBITED
           || code == REJECT_ADMIN_PROHIBITED;
}

static bool is_verdict(uint64_t verdict)
{
    unsigned detail = verdict_detail(verdict), lowest = verdict_lowest_port(verdict);
    bool has_ports = lowest || verdict_highest_port(verdict);
    if (verdict >> 48 || lowest > verdict_highest_port(verdict))
        return false;
    switch (verdict_target(verdict)) {
    case TARGET_DROP:
    case TARGET_ACCEPT: return !detail && !has_ports;
    case TARGET_REJECT: return is_reject_code(detail) && !has_ports;
    case TARGET_FORWARD: return detail < INTERFACES && !has_ports;
    case TARGET_MASQUERADE: return !detail && (lowest || !has_ports);
    default: return false;
    }
}

/* ---- rules and chains, one by one ---- */

static bool needs(const struct rule *rule, uint32_t matches, uint8_t protocol)
{
    return !(rule->matches & matches)
           || (rule->matches & ~rule->inverted & MATCH_PROTOCOL && rule->protocol == protocol);
}

static bool is_card(uint8_t card) { return (card && card < INTERFACES) || card == CARD_ANY; }

static const char *check_matches(const struct rule *rule)
{
    const uint32_t ports = MATCH_SOURCE_PORT | MATCH_DESTINATION_PORT;
    if ((rule->matches | rule->inverted) & ~(uint32_t)MATCHES_ALL)
        return "an unknown match";
    if ((rule->matches & MATCH_IN && !is_card(rule->in)) || (rule->matches & MATCH_OUT && !is_card(rule->out)))
        return "an unknown interface";
    if (rule->source_port[0] > rule->source_port[1] || rule->destination_port[0] > rule->destination_port[1])
        return "ports from the higher to the lower";
    if (!needs(rule, ports, PROTOCOL_TCP) && !needs(rule, ports, PROTOCOL_UDP))
        return "ports of a protocol that is neither TCP nor UDP";
    if (!needs(rule, MATCH_TCP_FLAGS, PROTOCOL_TCP))
        return "TCP flags of another protocol";
    return needs(rule, MATCH_ICMP_TYPE, PROTOCOL_ICMP) ? 0 : "an ICMP type of another protocol";
}

static const char *check_rule(const struct rule_set *set, const struct rule *rule)
{
    if (rule->action > ACTION_USER)
        return "an unknown action";
    if (rule->action == ACTION_TARGET && !is_verdict(rule->verdict))
        return "a target that there is not";
    if (rule->action == ACTION_JUMP && (rule->chain < HOOKS || rule->chain >= set->chain_count))
        return "a jump to a chain that there is not";
    return check_matches(rule);
}

static const char *check_chain(const struct rule_set *set, unsigned number)
{
    const struct chain *chain = &set->chains[number];
    if (chain->name[CHAIN_NAME_MAX - 1])
        return "a chain's name without an end";
    if (chain->first > set->rule_count || chain->count > set->rule_count - chain->first)
        return "a chain longer than the rules";
    if (number < HOOKS && chain->policy != TARGET_ACCEPT && chain->policy != TARGET_DROP)
        return "a policy that is neither ACCEPT nor DROP";
    return 0;
}

/* ---- the way through the chains ---- */

/* What is known of each chain: the most steps through it, the longest row of jumps from it, who reaches it. */
struct survey {
    const struct rule_set *set;
    uint32_t steps[CHAINS_MAX];     /* 0: not known yet; no chain has fewer than one */
    uint8_t depth[CHAINS_MAX], is_open[CHAINS_MAX], hooks[CHAINS_MAX];
    unsigned open;                  /* chains under way: so deep is the recursion */
    unsigned rule;                  /* the one that is wrong */
};

static const char TOO_DEEP[] = "more than 16 jumps, one out of the other; jump less far";

static const char *measure(struct survey *survey, unsigned number);

static const char *measure_jump(struct survey *survey, unsigned from, unsigned to)
{
    if (survey->is_open[to])
        return "a jump in a circle; a chain must not come back to itself";
    if (survey->open > JUMP_DEPTH_MAX)
        return TOO_DEEP;
    const char *error = survey->steps[to] ? 0 : measure(survey, to);
    if (error)
        return error;
    if (survey->depth[to] + 1 > survey->depth[from])
        survey->depth[from] = survey->depth[to] + 1;
    return survey->depth[from] > JUMP_DEPTH_MAX ? TOO_DEEP : 0;
}

static const char *measure(struct survey *survey, unsigned number)
{
    const struct chain *chain = &survey->set->chains[number];
    uint32_t steps = 1;
    survey->is_open[number] = 1;
    survey->open++;
    for (unsigned i = chain->first; i < (unsigned)chain->first + chain->count; i++) {
        const struct rule *rule = &survey->set->rules[i];
        const char *error = rule->action == ACTION_JUMP ? measure_jump(survey, number, rule->chain) : 0;
        steps += 1 + (rule->action == ACTION_JUMP ? survey->steps[rule->chain] : 0);
        if (!error && steps > RULE_STEPS_MAX)
            error = "a packet may meet more than 4096 rules on its way; make fewer of them";
        if (error) {
            if (survey->rule == RULES_MAX)
                survey->rule = i;
            return error;
        }
    }
    survey->is_open[number] = 0;
    survey->open--;
    survey->steps[number] = steps;
    return 0;
}

/* A target far down a row of jumps is asked at all the hooks that lead there. There are no circles any more. */
static const char *reach(struct survey *survey, unsigned number, enum hook hook)
{
    const struct chain *chain = &survey->set->chains[number];
    if (survey->hooks[number] >> hook & 1)
        return 0;
    survey->hooks[number] |= (uint8_t)(1 << hook);
    for (unsigned i = chain->first; i < (unsigned)chain->first + chain->count; i++) {
        const struct rule *rule = &survey->set->rules[i];
        const char *error = rule->action == ACTION_JUMP ? reach(survey, rule->chain, hook) : 0;
        if (rule->action == ACTION_TARGET && !rules_target_fits(verdict_target(rule->verdict), hook)) {
            survey->rule = i;
            error = "not at this hook; REJECT goes with INPUT, FORWARD and OUTPUT, MASQUERADE with POSTROUTING, "
                    "FORWARD with PREROUTING and FORWARD";
        }
        if (error)
            return error;
    }
    return 0;
}

static const char *check_ways(const struct rule_set *set, unsigned *rule)
{
    struct survey survey = {.set = set, .rule = RULES_MAX};
    const char *error = 0;
    for (unsigned i = 0; i < set->chain_count && !error; i++)
        error = survey.steps[i] ? 0 : measure(&survey, i);
    for (unsigned i = 0; i < HOOKS && !error; i++)
        error = reach(&survey, i, (enum hook)i);
    *rule = survey.rule;
    return error;
}

const char *rules_find_error(const struct rule_set *set, size_t bytes, unsigned *rule)
{
    *rule = RULES_MAX;
    if (bytes < offsetof(struct rule_set, rules) || set->magic != RULES_MAGIC)
        return "not a rule set";
    if (set->chain_count < HOOKS || set->chain_count > CHAINS_MAX || set->rule_count > RULES_MAX)
        return "too many chains or rules, or too few";
    if (bytes != rules_bytes(set))
        return "cut off, or too long";
    for (unsigned i = 0; i < set->chain_count; i++) {
        const char *error = check_chain(set, i);
        if (error)
            return error;
    }
    for (*rule = 0; *rule < set->rule_count; ++*rule) {
        const char *error = check_rule(set, &set->rules[*rule]);
        if (error)
            return error;
    }
    return check_ways(set, rule);
}

const char *rules_check(const struct rule_set *set, size_t bytes)
{
    unsigned rule;
    return rules_find_error(set, bytes, &rule);
}
