/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a packet is, which rules it matches, and what the chains make of it. */
#include "rules.h"

void *memset(void *to, int byte, size_t length);

enum { IP_HEADER = 20, FRAGMENT_OFFSET = 0x1fff };
enum { TCP_HEADER = 20, TCP_FLAGS_AT = 13, UDP_HEADER = 8, ICMP_HEADER = 8 };

/* ---- facts ---- */

static uint16_t read16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }
static uint32_t read32(const uint8_t *at) { return (uint32_t)read16(at) << 16 | read16(at + 2); }

static void read_ports(struct packet_facts *facts, const uint8_t *header)
{
    facts->has_ports = true;
    facts->source_port = read16(header);
    facts->destination_port = read16(header + 2);
}

/* What lies behind the IP header; nothing, if that is not whole. */
static void read_transport(struct packet_facts *facts, const uint8_t *header, uint32_t length)
{
    if (facts->protocol == PROTOCOL_UDP && length >= UDP_HEADER) {
        read_ports(facts, header);
    } else if (facts->protocol == PROTOCOL_TCP && length >= TCP_HEADER) {
        read_ports(facts, header);
        facts->tcp_flags = header[TCP_FLAGS_AT];
    } else if (facts->protocol == PROTOCOL_ICMP && length >= ICMP_HEADER) {
        facts->has_ports = true;
        facts->icmp_type = header[0];
        facts->icmp_code = header[1];
    }
}

void rules_read_packet(struct packet_facts *facts, const uint8_t *packet, uint32_t length, uint8_t in, uint8_t out)
{
    memset(facts, 0, sizeof *facts);
    facts->length = length;
    facts->in = in;
    facts->out = out;
    if (length < IP_HEADER)
        return;
    uint32_t header_length = (packet[0] & 15u) * 4, fragment = read16(packet + 6) & FRAGMENT_OFFSET;
    facts->protocol = packet[9];
    facts->source = read32(packet + 12);
    facts->destination = read32(packet + 16);
    facts->is_fragment = fragment;
    facts->overlaps = fragment == 1 && facts->protocol == PROTOCOL_TCP;
    if (!fragment && header_length >= IP_HEADER && header_length <= length)
        read_transport(facts, packet + header_length, length - header_length);
}

/* ---- one rule ---- */

/* Whether a match that is asked for turns out as it should; one that is not asked for does. */
static inline bool fits(const struct rule *rule, uint32_t match, bool holds)
{
    return !(rule->matches & match) || holds != !!(rule->inverted & match);
}

static inline bool is_in_range(const uint16_t range[2], uint16_t port) { return port >= range[0] && port <= range[1]; }

static inline bool is_card(uint8_t wanted, uint8_t card) { return wanted == CARD_ANY ? card : wanted == card; }

static bool fits_ip(const struct rule *rule, const struct packet_facts *facts)
{
    return fits(rule, MATCH_SOURCE, (facts->source & rule->source_mask) == rule->source)
           && fits(rule, MATCH_DESTINATION, (facts->destination & rule->destination_mask) == rule->destination)
           && fits(rule, MATCH_PROTOCOL, facts->protocol == rule->protocol)
           && fits(rule, MATCH_IN, is_card(rule->in, facts->in))
           && fits(rule, MATCH_OUT, is_card(rule->out, facts->out))
           && fits(rule, MATCH_FRAGMENT, facts->is_fragment);
}

static bool fits_transport(const struct rule *rule, const struct packet_facts *facts)
{
    bool is_icmp = rule->icmp_type == ICMP_ANY
                   || (facts->icmp_type == rule->icmp_type
                       && (rule->icmp_code == ICMP_ANY || facts->icmp_code == rule->icmp_code));
    return fits(rule, MATCH_SOURCE_PORT, is_in_range(rule->source_port, facts->source_port))
           && fits(rule, MATCH_DESTINATION_PORT, is_in_range(rule->destination_port, facts->destination_port))
           && fits(rule, MATCH_TCP_FLAGS, (facts->tcp_flags & rule->tcp_mask) == rule->tcp_flags)
           && fits(rule, MATCH_ICMP_TYPE, is_icmp);
}

enum comparison { DIFFERENT, MATCHING, UNREADABLE };

static enum comparison compare(const struct rule *rule, const struct packet_facts *facts)
{
    if (!fits_ip(rule, facts))
        return DIFFERENT;
    if (!(rule->matches & MATCHES_TRANSPORT))
        return MATCHING;
    if (facts->is_fragment)
        return facts->overlaps ? UNREADABLE : DIFFERENT;
    if (!facts->has_ports)
        return UNREADABLE;
    return fits_transport(rule, facts) ? MATCHING : DIFFERENT;
}

/* ---- chains ---- */

/* Where a walk through the chains is: the next rule, and the end of its chain. */
struct place { uint16_t next, end; };

static struct place start_of(const struct chain *chain)
{
    return (struct place){chain->first, (uint16_t)(chain->first + chain->count)};
}

static uint64_t policy_of(struct chain *chain, const struct packet_facts *facts)
{
    chain->packets++;
    chain->bytes += facts->length;
    return verdict_of(chain->policy, 0, 0, 0);
}

uint64_t rules_judge(struct rule_set *set, enum hook hook, const struct packet_facts *facts, user_target *user,
                     void *context)
{
    const uint64_t drop = verdict_of(TARGET_DROP, 0, 0, 0);
    struct place stack[JUMP_DEPTH_MAX], at = start_of(&set->chains[hook]);
    unsigned depth = 0;
    for (unsigned steps = 0; steps < RULE_STEPS_MAX; steps++) {
        if (at.next == at.end) {
            if (!depth)
                return policy_of(&set->chains[hook], facts);
            at = stack[--depth];
            continue;
        }
        struct rule *rule = &set->rules[at.next++];
        enum comparison comparison = compare(rule, facts);
        if (comparison == UNREADABLE)
            return drop;
        if (comparison == DIFFERENT)
            continue;
        rule->packets++;
        rule->bytes += facts->length;
        uint64_t verdict = rule->verdict;
        if (rule->action == ACTION_TARGET)
            return verdict;
        if (rule->action == ACTION_USER && user && user(rule->chain, context, &verdict))
            return verdict;
        if (rule->action == ACTION_RETURN)
            at.next = at.end;
        if (rule->action == ACTION_JUMP) {
            if (depth == JUMP_DEPTH_MAX)
                return drop;
            stack[depth++] = at;
            at = start_of(&set->chains[rule->chain]);
        }
    }
    return drop;
}

bool rules_has_hook(const struct rule_set *set, enum hook hook)
{
    return set->chains[hook].count || set->chains[hook].policy != TARGET_ACCEPT;
}

size_t rules_bytes(const struct rule_set *set)
{
    return offsetof(struct rule_set, rules) + set->rule_count * sizeof(struct rule);
}
