/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chains as iptables -L -v -n -x shows them. */
#include "firewall.h"

enum { ROW_MAX = 200, CELL_MAX = 64 };

struct row { char text[ROW_MAX]; size_t length; };

static void put(struct row *row, const char *text)
{
    size_t length = strlen(text);
    if (length > ROW_MAX - 1 - row->length)
        length = ROW_MAX - 1 - row->length;
    memcpy(row->text + row->length, text, length);
    row->length += length;
    row->text[row->length] = '\0';
}

static void pad(struct row *row, size_t width)
{
    for (; width; width--)
        put(row, " ");
}

static void put_left(struct row *row, const char *text, size_t width)
{
    size_t length = strlen(text);
    put(row, text);
    pad(row, length < width ? width - length : 0);
    put(row, " ");
}

static void put_number(struct row *row, unsigned long number, size_t width)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%lu", number);
    size_t length = strlen(digits);
    pad(row, length < width ? width - length : 0);
    put(row, digits);
    put(row, " ");
}

/* ---- the columns ---- */

static const char *not_sign(const struct rule *rule, enum rule_match match)
{
    return rule->inverted & match ? "!" : "";
}

static const char *card_name(uint8_t card)
{
    return card == CARD_ANY ? "eth+" : card == INTERFACE_ETH0 ? "eth0" : "eth1";
}

static void put_card(struct row *row, const struct rule *rule, enum rule_match match, uint8_t card)
{
    char cell[CELL_MAX];
    snprintf(cell, sizeof cell, "%s%s", not_sign(rule, match), rule->matches & match ? card_name(card) : "*");
    put_left(row, cell, 6);
}

static void put_protocol(struct row *row, const struct rule *rule)
{
    static const struct { uint8_t number; const char *name; } names[] = {
        {PROTOCOL_ICMP, "icmp"}, {PROTOCOL_TCP, "tcp"}, {PROTOCOL_UDP, "udp"},
    };
    char cell[CELL_MAX];
    snprintf(cell, sizeof cell, "%s%u", not_sign(rule, MATCH_PROTOCOL), rule->protocol);
    if (!(rule->matches & MATCH_PROTOCOL))
        snprintf(cell, sizeof cell, "all");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (rule->matches & MATCH_PROTOCOL && names[i].number == rule->protocol)
            snprintf(cell, sizeof cell, "%s%s", not_sign(rule, MATCH_PROTOCOL), names[i].name);
    put_left(row, cell, 5);
}

/* A mask is a length, if its ones come first. */
static void put_mask(char *to, size_t size, uint32_t mask)
{
    unsigned length = 0;
    while (length < 32 && mask & 1u << (31 - length))
        length++;
    if (length == 32)
        *to = '\0';
    else if (length && mask << length)
        snprintf(to, size, "/%u.%u.%u.%u", mask >> 24, mask >> 16 & 0xff, mask >> 8 & 0xff, mask & 0xff);
    else
        snprintf(to, size, "/%u", length);
}

static void put_address(struct row *row, const struct rule *rule, enum rule_match match, uint32_t address,
                        uint32_t mask)
{
    char cell[CELL_MAX], end[20];
    if (!(rule->matches & match))
        address = mask = 0;
    put_mask(end, sizeof end, mask);
    snprintf(cell, sizeof cell, "%s%u.%u.%u.%u%s", not_sign(rule, match), address >> 24, address >> 16 & 0xff,
             address >> 8 & 0xff, address & 0xff, end);
    put_left(row, cell, 20);
}

/* ---- what comes behind them ---- */

static void put_ports(struct row *row, const struct rule *rule, enum rule_match match, const char *what,
                      const uint16_t ports[2])
{
    char cell[CELL_MAX];
    bool is_any = !(rule->inverted & match) && !ports[0] && ports[1] == UINT16_MAX;
    if (!(rule->matches & match) || is_any)
        return;
    if (ports[0] == ports[1])
        snprintf(cell, sizeof cell, " %s:%s%u", what, not_sign(rule, match), ports[0]);
    else
        snprintf(cell, sizeof cell, " %ss:%s%u:%u", what, not_sign(rule, match), ports[0], ports[1]);
    put(row, cell);
}

static void put_transport(struct row *row, const struct rule *rule)
{
    char cell[CELL_MAX];
    if (rule->matches & (MATCH_SOURCE_PORT | MATCH_DESTINATION_PORT | MATCH_TCP_FLAGS))
        put(row, rule->protocol == PROTOCOL_TCP ? "tcp" : "udp");
    put_ports(row, rule, MATCH_SOURCE_PORT, "spt", rule->source_port);
    put_ports(row, rule, MATCH_DESTINATION_PORT, "dpt", rule->destination_port);
    if (rule->matches & MATCH_TCP_FLAGS) {
        snprintf(cell, sizeof cell, " flags:%s0x%x%x/0x%x%x", not_sign(rule, MATCH_TCP_FLAGS), rule->tcp_mask >> 4,
                 rule->tcp_mask & 15, rule->tcp_flags >> 4, rule->tcp_flags & 15);
        put(row, cell);
    }
    if (!(rule->matches & MATCH_ICMP_TYPE) || rule->icmp_type == ICMP_ANY)
        return;
    snprintf(cell, sizeof cell, "%sicmptype %u", not_sign(rule, MATCH_ICMP_TYPE), rule->icmp_type);
    put(row, cell);
    snprintf(cell, sizeof cell, " code %u", rule->icmp_code);
    put(row, rule->icmp_code == ICMP_ANY ? "" : cell);
}

static const char *reject_name(unsigned code)
{
    static const char *const names[] = {
        [REJECT_NET_UNREACHABLE] = "icmp-net-unreachable", [REJECT_HOST_UNREACHABLE] = "icmp-host-unreachable",
        [REJECT_PROTOCOL_UNREACHABLE] = "icmp-proto-unreachable", [REJECT_PORT_UNREACHABLE] = "icmp-port-unreachable",
        [REJECT_NET_PROHIBITED] = "icmp-net-prohibited", [REJECT_HOST_PROHIBITED] = "icmp-host-prohibited",
        [REJECT_ADMIN_PROHIBITED] = "icmp-admin-prohibited",
    };
    return names[code];
}

static void put_target_options(struct row *row, const struct rule *rule)
{
    char cell[CELL_MAX] = "";
    if (rule->action != ACTION_TARGET)
        return;
    unsigned detail = verdict_detail(rule->verdict), lowest = verdict_lowest_port(rule->verdict);
    enum target target = verdict_target(rule->verdict);
    if (target == TARGET_REJECT)
        snprintf(cell, sizeof cell, " reject-with %s", reject_name(detail));
    else if (target == TARGET_FORWARD && detail)
        snprintf(cell, sizeof cell, " to %s", card_name((uint8_t)detail));
    else if (target == TARGET_MASQUERADE && lowest)
        snprintf(cell, sizeof cell, " masq ports: %u-%u", lowest, verdict_highest_port(rule->verdict));
    put(row, cell);
}

/* ---- rows ---- */

static void print_rule(const struct rule_set *set, const struct rule *rule)
{
    struct row row = {.length = 0};
    bool is_fragment = rule->matches & MATCH_FRAGMENT;
    put_number(&row, rule->packets, 8);
    put_number(&row, rule->bytes, 10);
    put_left(&row, target_name(set, rule), 10);
    put_protocol(&row, rule);
    put_left(&row, !is_fragment ? "--" : rule->inverted & MATCH_FRAGMENT ? "!f" : "-f", 3);
    put_card(&row, rule, MATCH_IN, rule->in);
    put_card(&row, rule, MATCH_OUT, rule->out);
    put_address(&row, rule, MATCH_SOURCE, rule->source, rule->source_mask);
    put_address(&row, rule, MATCH_DESTINATION, rule->destination, rule->destination_mask);
    put_transport(&row, rule);
    put_target_options(&row, rule);
    while (row.length && row.text[row.length - 1] == ' ')
        row.text[--row.length] = '\0';
    say("%s", row.text);
}

static unsigned references(const struct rule_set *set, unsigned chain)
{
    unsigned count = 0;
    for (unsigned i = 0; i < set->rule_count; i++)
        count += set->rules[i].action == ACTION_JUMP && set->rules[i].chain == chain;
    return count;
}

static void print_chain(const struct rule_set *set, unsigned number)
{
    const struct chain *chain = &set->chains[number];
    if (number < HOOKS)
        say("Chain %s (policy %s %lu packets, %lu bytes)", chain->name,
            chain->policy == TARGET_DROP ? "DROP" : "ACCEPT", chain->packets, chain->bytes);
    else
        say("Chain %s (%u references)", chain->name, references(set, number));
    say("    pkts      bytes target     prot  opt in     out    source               destination");
    for (unsigned i = 0; i < chain->count; i++)
        print_rule(set, &set->rules[chain->first + i]);
}

/* A built-in chain that has nothing to say is left out. */
void print_rules(const struct rule_set *set)
{
    for (unsigned i = 0; i < set->chain_count; i++)
        if (i >= HOOKS || rules_has_hook(set, (enum hook)i))
            print_chain(set, i);
}
