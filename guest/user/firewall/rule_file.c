/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A rule file becomes a rule set in three readings: which chains there are, how many rules each has, and then what the
 * rules say, each put where it belongs. So a rule may jump to a chain that comes later. The third reading complains.
 */
#include "reader.h"

static const char *const hook_names[HOOKS] = {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"};

/* Which built-in chains a table has, as bits of their hooks. */
static const uint8_t hooks_of_table[] = {
    [TABLE_ANY] = 0xff,
    [TABLE_FILTER] = 1 << HOOK_INPUT | 1 << HOOK_FORWARD | 1 << HOOK_OUTPUT,
    [TABLE_NAT] = 1 << HOOK_PREROUTING | 1 << HOOK_POSTROUTING,
};

static void name_chain(struct chain *chain, const char *name) { memcpy(chain->name, name, strlen(name) + 1); }

void rules_clear(struct rule_set *set)
{
    memset(set, 0, sizeof *set);
    set->magic = RULES_MAGIC;
    set->chain_count = HOOKS;
    for (unsigned i = 0; i < HOOKS; i++) {
        name_chain(&set->chains[i], hook_names[i]);
        set->chains[i].policy = TARGET_ACCEPT;
    }
}

/* ---- commands ---- */

enum command { COMMAND_OTHER, COMMAND_APPEND, COMMAND_POLICY, COMMAND_NEW, COMMAND_DECLARE, COMMAND_TABLE,
               COMMAND_COMMIT };

static const struct { const char *word; enum command command; } commands[] = {
    {"-A", COMMAND_APPEND}, {"--append", COMMAND_APPEND}, {"-P", COMMAND_POLICY}, {"--policy", COMMAND_POLICY},
    {"-N", COMMAND_NEW}, {"--new-chain", COMMAND_NEW}, {"--new", COMMAND_NEW}, {"COMMIT", COMMAND_COMMIT},
};

static enum command command_of(const char *word)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (!strcmp(word, commands[i].word))
            return commands[i].command;
    if (word[0] == ':')
        return COMMAND_DECLARE;
    return word[0] == '*' ? COMMAND_TABLE : COMMAND_OTHER;
}

static bool is_table_option(const char *word) { return !strcmp(word, "-t") || !strcmp(word, "--table"); }

/* Passes by what may stand before the command: "iptables", "[packets:bytes]". The command, or 0. */
static const char *read_command(struct reader *reader, enum command *command)
{
    const char *word = reader_word(reader);
    while (word && (!strcmp(word, "iptables") || word[0] == '['))
        word = reader_word(reader);
    while (word && is_table_option(word)) {
        reader_word(reader);
        word = reader_word(reader);
    }
    *command = word ? command_of(word) : COMMAND_OTHER;
    return word;
}

static bool read_table(const char *name, enum table *table)
{
    *table = !strcmp(name, "filter") ? TABLE_FILTER : !strcmp(name, "nat") ? TABLE_NAT : TABLE_ANY;
    return *table != TABLE_ANY;
}

/* ---- the first two readings: they pass by what they do not understand ---- */

static bool is_chain_name(const char *name)
{
    size_t length = strlen(name);
    return length && length < CHAIN_NAME_MAX && name[0] != '-' && name[0] != '!';
}

/* The name that a line gives to a new chain; 0 if it does not, or no good one. */
static const char *new_chain(struct reader *reader)
{
    enum command command;
    const char *word = read_command(reader, &command);
    const char *name = command == COMMAND_NEW ? reader_word(reader) : command == COMMAND_DECLARE ? word + 1 : 0;
    return name && is_chain_name(name) && reader_find_chain(reader, name) == CHAINS_MAX ? name : 0;
}

static void find_chains(struct reader *reader)
{
    struct rule_set *set = reader->set;
    while (reader_line(reader)) {
        const char *name = set->chain_count < CHAINS_MAX ? new_chain(reader) : 0;
        if (!name)
            continue;
        reader->declared[set->chain_count] = (uint16_t)reader->line;
        name_chain(&set->chains[set->chain_count++], name);
    }
}

static void count_rules(struct reader *reader, uint16_t counts[CHAINS_MAX])
{
    while (reader_line(reader)) {
        enum command command;
        read_command(reader, &command);
        const char *name = command == COMMAND_APPEND ? reader_word(reader) : 0;
        unsigned chain = name ? reader_find_chain(reader, name) : CHAINS_MAX;
        if (chain < CHAINS_MAX && counts[chain] <= RULES_MAX)
            counts[chain]++;
    }
}

/* ---- the third: every line must be right ---- */

/* A chain's name is next, and there is such a chain in this table. */
static bool read_chain(struct reader *reader, enum table table, const char *command)
{
    const char *name = reader_word(reader);
    if (!name)
        return reader_refuse(reader, command, "the name of a chain must follow");
    reader->chain = reader_find_chain(reader, name);
    if (reader->chain == CHAINS_MAX)
        return reader_refuse(reader, name, "no such chain; -N makes one, built in are PREROUTING, INPUT, FORWARD, "
                             "OUTPUT and POSTROUTING");
    if (reader->chain < HOOKS && !(hooks_of_table[table] >> reader->chain & 1))
        return reader_refuse(reader, name, table == TABLE_NAT ? "not in table nat, which has PREROUTING and POSTROUTING"
                             : "not in table filter, which has INPUT, FORWARD and OUTPUT");
    return true;
}

static bool set_policy(struct reader *reader, const char *word)
{
    if (!word)
        return reader_refuse(reader, 0, "a policy must follow: ACCEPT or DROP");
    if (reader->chain >= HOOKS)
        return reader_refuse(reader, word, "only a built-in chain has a policy; end the chain with a rule");
    bool is_drop = !strcmp(word, "DROP") || !strcmp(word, "DENY");
    if (!is_drop && strcmp(word, "ACCEPT"))
        return reader_refuse(reader, word, "not a policy; it is ACCEPT or DROP");
    reader->set->chains[reader->chain].policy = is_drop ? TARGET_DROP : TARGET_ACCEPT;
    return true;
}

static bool check_new_chain(struct reader *reader, const char *name)
{
    if (!name)
        return reader_refuse(reader, 0, "the name of the new chain must follow");
    if (!is_chain_name(name))
        return reader_refuse(reader, name, "not a chain's name: 1 to 23 bytes, and no '-' or '!' in front");
    unsigned chain = reader_find_chain(reader, name);
    if (chain == CHAINS_MAX)
        return reader_refuse(reader, name, "too many chains; 27 of one's own are the most");
    if (chain < HOOKS || reader->declared[chain] != reader->line)
        return reader_refuse(reader, name, "there is such a chain already; choose another name");
    if (target_is_known(name))
        return reader_refuse(reader, name, "that is a target; choose another name");
    return true;
}

/* ":INPUT ACCEPT [0:0]" sets a policy, ":web - [0:0]" makes a chain. */
static bool declare(struct reader *reader, enum table table, const char *name)
{
    const char *policy = reader_word(reader), *counters = reader_word(reader);
    reader->chain = reader_find_chain(reader, name);
    if (counters && counters[0] != '[')
        return reader_refuse(reader, counters, "not counters, as in [0:0]");
    if (reader->chain >= HOOKS)
        return policy && strcmp(policy, "-") ? reader_refuse(reader, policy, "a chain of one's own has no policy but -")
               : check_new_chain(reader, name);
    /* iptables-save tells of all chains of a table, also of those that are not used here. */
    bool is_elsewhere = !(hooks_of_table[table] >> reader->chain & 1);
    if (is_elsewhere && (!policy || strcmp(policy, "ACCEPT")))
        return reader_refuse(reader, name, "this table's chain of that name is not used here and has no policy but "
                             "ACCEPT");
    return is_elsewhere || set_policy(reader, policy);
}

static bool append(struct reader *reader)
{
    struct rule_set *set = reader->set;
    struct chain *chain = &set->chains[reader->chain];
    struct rule *rule = &set->rules[chain->first + chain->count];
    memset(rule, 0, sizeof *rule);
    rule->line = (uint16_t)reader->line;
    rule->action = ACTION_COUNT;
    chain->count++;
    return read_rule(reader, rule);
}

/* The table of this line alone: "-t nat" in front of the command. */
static bool line_table(struct reader *reader, enum table *table)
{
    *table = reader->table;
    for (unsigned i = 0; reader->words[i]; i++) {
        if (!is_table_option(reader->words[i]))
            continue;
        const char *name = reader->words[i + 1];
        if (!name || !read_table(name, table))
            return reader_refuse(reader, name ? name : reader->words[i], "no such table; there are filter and nat");
    }
    return true;
}

static bool finish(struct reader *reader)
{
    const char *word = reader_word(reader);
    return word ? reader_refuse(reader, word, "the line should have ended before this word") : true;
}

static bool read_line_of_rules(struct reader *reader)
{
    enum table table;
    enum command command;
    if (!line_table(reader, &table))
        return false;
    const char *word = read_command(reader, &command);
    switch (command) {
    case COMMAND_APPEND:
        return read_chain(reader, table, word) && append(reader);
    case COMMAND_POLICY:
        return read_chain(reader, table, word) && set_policy(reader, reader_word(reader)) && finish(reader);
    case COMMAND_NEW:
        return check_new_chain(reader, reader_word(reader)) && finish(reader);
    case COMMAND_DECLARE:
        return declare(reader, table, word + 1) && finish(reader);
    case COMMAND_TABLE:
        if (!read_table(word + 1, &reader->table))
            return reader_refuse(reader, word, "no such table; there are *filter and *nat");
        return finish(reader);
    case COMMAND_COMMIT:
        reader->table = TABLE_ANY;
        return finish(reader);
    default:
        return reader_refuse(reader, word, "not a command; -A, -P and -N are, and iptables-save's *, : and COMMIT");
    }
}

/* ---- the whole ---- */

static void rewind(struct reader *reader, const char *text, size_t length)
{
    reader->at = text;
    reader->end = text + length;
    reader->line = 0;
    reader->error->text[0] = '\0';
}

static bool place_rules(struct reader *reader, const uint16_t counts[CHAINS_MAX])
{
    unsigned total = 0;
    for (unsigned i = 0; i < reader->set->chain_count && total <= RULES_MAX; i++) {
        reader->set->chains[i].first = (uint16_t)total;
        total += counts[i];
    }
    reader->line = 0;
    if (total > RULES_MAX)
        return reader_refuse(reader, 0, "more than 256 rules; leave some out");
    reader->set->rule_count = (uint16_t)total;
    return true;
}

/* Circles, and targets at hooks where they mean nothing: a matter of the whole set. */
static bool check_whole(struct reader *reader)
{
    unsigned number;
    const char *what = rules_find_error(reader->set, rules_bytes(reader->set), &number);
    if (!what)
        return true;
    const struct rule *rule = number < RULES_MAX ? &reader->set->rules[number] : 0;
    reader->line = rule ? rule->line : 0;
    return reader_refuse(reader, rule ? target_name(reader->set, rule) : 0, what);
}

int rules_parse(struct rule_set *set, const char *text, size_t length, struct rule_error *error)
{
    struct reader reader = {.set = set, .error = error};
    uint16_t counts[CHAINS_MAX] = {0};
    rules_clear(set);
    user_targets_clear();
    rewind(&reader, text, length);
    find_chains(&reader);
    if (error->text[0])
        return -1;                  /* a line that is too long: what comes behind it is not known */
    rewind(&reader, text, length);
    count_rules(&reader, counts);
    if (!place_rules(&reader, counts))
        return -1;
    rewind(&reader, text, length);
    while (reader_line(&reader))
        if (!read_line_of_rules(&reader))
            return -1;
    return error->text[0] || !check_whole(&reader) ? -1 : 0;
}
