/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The word behind -j: one of the kernel's targets, one of the program's own, a chain; and its options. */
#include "reader.h"

static const struct { const char *name; enum target target; unsigned detail; } kernel_targets[] = {
    {"ACCEPT", TARGET_ACCEPT, 0}, {"DROP", TARGET_DROP, 0}, {"DENY", TARGET_DROP, 0},
    {"REJECT", TARGET_REJECT, REJECT_PORT_UNREACHABLE}, {"FORWARD", TARGET_FORWARD, 0},
    {"MASQUERADE", TARGET_MASQUERADE, 0},
};
enum { KERNEL_TARGETS = sizeof kernel_targets / sizeof kernel_targets[0] };

static const struct { const char *name, *alias; enum reject_code code; } reject_codes[] = {
    {"icmp-net-unreachable", "net-unreach", REJECT_NET_UNREACHABLE},
    {"icmp-host-unreachable", "host-unreach", REJECT_HOST_UNREACHABLE},
    {"icmp-proto-unreachable", "proto-unreach", REJECT_PROTOCOL_UNREACHABLE},
    {"icmp-port-unreachable", "port-unreach", REJECT_PORT_UNREACHABLE},
    {"icmp-net-prohibited", "net-prohib", REJECT_NET_PROHIBITED},
    {"icmp-host-prohibited", "host-prohib", REJECT_HOST_PROHIBITED},
    {"icmp-admin-prohibited", "admin-prohib", REJECT_ADMIN_PROHIBITED},
};

static unsigned find_kernel_target(const char *name)
{
    unsigned i = 0;
    while (i < KERNEL_TARGETS && strcmp(kernel_targets[i].name, name))
        i++;
    return i;
}

static const struct target_words *find_user_target(const char *name)
{
    for (const struct target_words *words = user_targets; words->name; words++)
        if (!strcmp(words->name, name))
            return words;
    return 0;
}

bool target_is_known(const char *name)
{
    return find_kernel_target(name) < KERNEL_TARGETS || !strcmp(name, "RETURN") || find_user_target(name);
}

const char *target_name(const struct rule_set *set, const struct rule *rule)
{
    switch (rule->action) {
    case ACTION_JUMP: return set->chains[rule->chain].name;
    case ACTION_RETURN: return "RETURN";
    case ACTION_USER: return user_targets[rule->chain].name;
    case ACTION_TARGET:
        for (unsigned i = 0; i < KERNEL_TARGETS; i++)
            if (kernel_targets[i].target == verdict_target(rule->verdict))
                return kernel_targets[i].name;
    }
    return "";
}

bool read_target(struct reader *reader, struct rule *rule, const char *name)
{
    const struct target_words *user = find_user_target(name);
    unsigned kernel = find_kernel_target(name), chain = reader_find_chain(reader, name);
    if (reader->target)
        return reader_refuse(reader, name, "a rule has one target; make two rules of it");
    reader->target = name;
    if (kernel < KERNEL_TARGETS) {
        rule->action = ACTION_TARGET;
        rule->verdict = verdict_of(kernel_targets[kernel].target, kernel_targets[kernel].detail, 0, 0);
    } else if (!strcmp(name, "RETURN")) {
        rule->action = ACTION_RETURN;
    } else if (user) {
        rule->action = ACTION_USER;
        rule->chain = (uint16_t)(user - user_targets);
        rule->verdict = user->parameter;
    } else if (chain < HOOKS) {
        return reader_refuse(reader, name, "a built-in chain is where packets come from the kernel; jump to one of "
                             "your own");
    } else if (chain < CHAINS_MAX) {
        rule->action = ACTION_JUMP;
        rule->chain = (uint16_t)chain;
    } else {
        return reader_refuse(reader, name, "no such target or chain; a chain is made by -N");
    }
    return true;
}

/* ---- options ---- */

static bool reject_with(struct reader *reader, struct rule *rule, const char *word)
{
    for (size_t i = 0; i < sizeof reject_codes / sizeof reject_codes[0]; i++)
        if (!strcmp(word, reject_codes[i].name) || !strcmp(word, reject_codes[i].alias)) {
            rule->verdict = verdict_of(TARGET_REJECT, reject_codes[i].code, 0, 0);
            return true;
        }
    return reader_refuse(reader, word, "not a way to reject; icmp-port-unreachable is one, or net, host or proto in "
                         "its place, icmp-net-prohibited, icmp-host-prohibited, icmp-admin-prohibited");
}

static bool forward_to(struct reader *reader, struct rule *rule, const char *word)
{
    uint8_t card;
    if (!read_card(word, &card))
        return reader_refuse(reader, word, "no such interface; there are eth0 and eth1");
    rule->verdict = verdict_of(TARGET_FORWARD, card, 0, 0);
    return true;
}

static bool masquerade_to_ports(struct reader *reader, struct rule *rule, const char *word)
{
    uint16_t ports[2];
    if (!read_ports(word, '-', ports) || !ports[0] || ports[0] > ports[1])
        return reader_refuse(reader, word, "not ports to choose from; 1024 or 1024-2047 is right");
    reader->transport_word[0] = "--to-ports";
    rule->verdict = verdict_of(TARGET_MASQUERADE, 0, ports[0], ports[1]);
    return true;
}

static const struct {
    const char *option, *target;
    bool (*read)(struct reader *reader, struct rule *rule, const char *word);
} target_options[] = {
    {"--reject-with", "REJECT", reject_with}, {"--to", "FORWARD", forward_to},
    {"--to-ports", "MASQUERADE", masquerade_to_ports},
};

/* A user-defined target's option; -1 if it has none of that name. */
static int find_user_option(const struct target_words *words, const char *option)
{
    for (int i = 0; words->options[i]; i++)
        if (!strcmp(words->options[i], option))
            return i;
    return -1;
}

static bool read_user_option(struct reader *reader, struct rule *rule, const char *option)
{
    const struct target_words *words = &user_targets[rule->chain];
    const char *word = reader_word(reader);
    if (!word)
        return reader_refuse(reader, option, "something must follow this word");
    const char *what = words->option((unsigned)find_user_option(words, option), word, &rule->verdict);
    return what ? reader_refuse(reader, word, what) : true;
}

static const char *target_of_user_option(const char *option)
{
    for (const struct target_words *words = user_targets; words->name; words++)
        if (find_user_option(words, option) >= 0)
            return words->name;
    return 0;
}

static bool refuse_option(struct reader *reader, const char *option, const char *target)
{
    char what[80];
    if (!target)
        return reader_refuse(reader, option, "no such word in a rule; there are -s -d -p -i -o -f --sport --dport "
                             "--syn --tcp-flags --icmp-type -m -j");
    snprintf(what, sizeof what, "goes behind -j %s only", target);
    return reader_refuse(reader, option, what);
}

bool read_target_option(struct reader *reader, struct rule *rule, const char *option)
{
    for (size_t i = 0; i < sizeof target_options / sizeof target_options[0]; i++) {
        if (strcmp(option, target_options[i].option))
            continue;
        if (!reader->target || strcmp(reader->target, target_options[i].target))
            return refuse_option(reader, option, target_options[i].target);
        const char *word = reader_word(reader);
        return word ? target_options[i].read(reader, rule, word)
               : reader_refuse(reader, option, "something must follow this word");
    }
    if (rule->action == ACTION_USER && find_user_option(&user_targets[rule->chain], option) >= 0)
        return read_user_option(reader, rule, option);
    return refuse_option(reader, option, target_of_user_option(option));
}
