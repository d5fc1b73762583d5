/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of one rule: what a packet must be. A row of the table is a word, and who reads on from it. */
#include "reader.h"

enum { SYN_MASK = 0x17, SYN = 0x02 };       /* FIN, SYN, RST and ACK; of these SYN alone */

enum transport { FOR_PORTS, FOR_TCP, FOR_ICMP };

typedef bool match_reader(struct reader *reader, struct rule *rule, const char *option, bool is_inverted);

/* The match is asked for from here on. */
static bool note(struct reader *reader, struct rule *rule, enum rule_match match, const char *option, bool is_inverted)
{
    if (reader->given & match)
        return reader_refuse(reader, option, "this match stood there already; make two rules of it");
    reader->given |= match;
    rule->matches |= match;
    rule->inverted = (rule->inverted & ~(uint32_t)match) | (is_inverted ? match : 0);
    return true;
}

/* The word behind an option, and the "!" that may stand in front of it too; 0 and an error if there is none. */
static const char *argument(struct reader *reader, const char *option, bool *is_inverted)
{
    const char *word = reader_word(reader);
    if (word && !strcmp(word, "!")) {
        if (*is_inverted) {
            reader_refuse(reader, word, "once is enough, in front of the match");
            return 0;
        }
        *is_inverted = true;
        word = reader_word(reader);
    }
    if (!word)
        reader_refuse(reader, option, "something must follow this word");
    return word;
}

static void note_transport(struct reader *reader, enum transport transport, const char *option)
{
    if (!reader->transport_word[transport])
        reader->transport_word[transport] = option;
}

/* ---- matches of the IP header ---- */

static bool match_protocol(struct reader *reader, struct rule *rule, const char *option, bool is_inverted)
{
    const char *word = argument(reader, option, &is_inverted);
    if (!word)
        return false;
    if (!read_protocol(word, &rule->protocol))
        return reader_refuse(reader, word, "no such protocol; tcp, udp, icmp, all, or a number up to 255");
    if (!rule->protocol && is_inverted)
        return reader_refuse(reader, word, "no packet would match; leave the '!' out");
    return note(reader, rule, MATCH_PROTOCOL, option, is_inverted);
}

static const char ADDRESS_WANTED[] = "not an address; 10.0.0.1, 10.0.0.0/8 or 10.0.0.0/255.0.0.0 is one";

static bool match_source(struct reader *reader, struct rule *rule, const char *option, bool is_inverted)
{
    const char *word = argument(reader, option, &is_inverted);
    if (word && !read_address(word, &rule->source, &rule->source_mask))
        return reader_refuse(reader, word, ADDRESS_WANTED);
    return word && note(reader, rule, MATCH_SOURCE, option, is_inverted);
}

static bool match_destination(struct reader *reader, struct rule *rule, const char *option, bool is_inverted)
{
    const char *word = argument(reader, option, &is_inverted);
    if (word && !read_address(word, &rule->destination, &rule->destination_mask))
        return reader_refuse(reader, word, ADDRESS_WANTED);
    return word && note(reader, rule, MATCH_DESTINATION, option, is_inverted);
}

bool read_card(const char *word, uint8_t *card)
{
    *card = !strcmp(word, "eth0") ? INTERFACE_ETH0 : !strcmp(word, "eth1") ? INTERFACE_ETH1 : INTERFACE_NONE;
    return *card != INTERFACE_NONE;
}

/* "+" at the end is any ending: "eth+" any card, "+" alone nothing that would be asked. */
static bool match_card(struct reader *reader, struct rule *rule, const char *option, bool is_inverted, uint8_t *card,
                       enum rule_match match)
{
    const char *word = argument(reader, option, &is_inverted);
    if (!word)
        return false;
    bool is_any = !strcmp(word, "+");
    if (is_any && is_inverted)
        return reader_refuse(reader, word, "no packet would match; leave the '!' out");
    if (!strcmp(word, "eth+"))
        *card = CARD_ANY;
    else if (!is_any && !read_card(word, card))
        return reader_refuse(reader, word, "no such interface; there are eth0 and eth1, and eth+ for either");
    bool is_noted = note(reader, rule, match, option, is_inverted);
    if (is_any)
        rule->matches &= ~(uint32_t)match;
    return is_noted;
}

static bool match_in(struct reader *reader, struct rule *rule, const char *option, bool is_inverted)
{
    if (reader->chain == HOOK_OUTPUT || reader->chain == HOOK_POSTROUTING)
        return reader_refuse(reader, option, "packets have come from nowhere in OUTPUT and POSTROUTING; ask with -o");
    return match_card(reader, rule, option, is_inverted, &rule->in, MATCH_IN);
}

static bool match_out(struct reader *reader, struct rule *rule, const char *option, bool is_inverted)
{
    if (reader->chain == HOOK_INPUT || reader->chain == HOOK_PREROUTING)
        return reader_refuse(reader, option, "packets go nowhere yet in PREROUTING and INPUT; ask with -i");
    return match_card(reader, rule, option, is_inverted, &rule->out, MATCH_OUT);
}

static bool match_fragment(struct reader *reader, struct rule *rule, const char *option, bool is_inverted)
{
    return note(reader, rule, MATCH_FRAGMENT, option, is_inverted);
}

/* ---- matches of what is behind it ---- */

static bool match_ports(struct reader *reader, struct rule *rule, const char *option, bool is_inverted,
                        uint16_t ports[2], enum rule_match match)
{
    const char *word = argument(reader, option, &is_inverted);
    if (!word)
        return false;
    if (!read_ports(word, ':', ports))
        return reader_refuse(reader, word, "not a port; 53, 1024:2047, :1023 or the name of a service is one");
    if (ports[0] > ports[1])
        return reader_refuse(reader, word, "the lower port comes first");
    note_transport(reader, FOR_PORTS, option);
    return note(reader, rule, match, option, is_inverted);
}

static bool match_source_port(struct reader *reader, struct rule *rule, const char *option, bool is_inverted)
{
    return match_ports(reader, rule, option, is_inverted, rule->source_port, MATCH_SOURCE_PORT);
}

static bool match_destination_port(struct reader *reader, struct rule *rule, const char *option, bool is_inverted)
{
    return match_ports(reader, rule, option, is_inverted, rule->destination_port, MATCH_DESTINATION_PORT);
}

static bool match_icmp_type(struct reader *reader, struct rule *rule, const char *option, bool is_inverted)
{
    const char *word = argument(reader, option, &is_inverted);
    if (!word)
        return false;
    if (!read_icmp_type(word, &rule->icmp_type, &rule->icmp_code))
        return reader_refuse(reader, word, "no such ICMP type; echo-request, 8, or with its code 3/1 is one");
    note_transport(reader, FOR_ICMP, option);
    return note(reader, rule, MATCH_ICMP_TYPE, option, is_inverted);
}

static bool match_syn(struct reader *reader, struct rule *rule, const char *option, bool is_inverted)
{
    rule->tcp_mask = SYN_MASK;
    rule->tcp_flags = SYN;
    note_transport(reader, FOR_TCP, option);
    return note(reader, rule, MATCH_TCP_FLAGS, option, is_inverted);
}

static bool match_tcp_flags(struct reader *reader, struct rule *rule, const char *option, bool is_inverted)
{
    const char *mask = argument(reader, option, &is_inverted);
    const char *flags = mask ? reader_word(reader) : 0;
    if (!mask)
        return false;
    if (!flags)
        return reader_refuse(reader, option, "two words must follow: which flags to look at, and which of them are "
                             "set");
    bool is_mask = read_tcp_flags(mask, &rule->tcp_mask);
    if (!is_mask || !read_tcp_flags(flags, &rule->tcp_flags))
        return reader_refuse(reader, is_mask ? flags : mask,
                             "not flags; SYN,ACK,FIN,RST,URG,PSH parted by commas, ALL, or NONE");
    note_transport(reader, FOR_TCP, option);
    return note(reader, rule, MATCH_TCP_FLAGS, option, is_inverted);
}

/*
 * "-m tcp" alone asks that the header be there: of a fragment behind the first it is not. As a match that is any source
 * port, or any ICMP type, until a narrower one takes its place.
 */
static bool match_module(struct reader *reader, struct rule *rule, const char *option, bool is_inverted)
{
    const char *word = argument(reader, option, &is_inverted);
    if (!word || !strcmp(word, "comment"))
        return word;
    uint8_t protocol;
    bool is_known = read_protocol(word, &protocol)
                    && (protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP || protocol == PROTOCOL_ICMP);
    if (!is_known || is_inverted)
        return reader_refuse(reader, word, "no such module; tcp, udp, icmp and comment there are: nobody keeps track "
                             "of connections");
    reader->module = protocol;
    if (protocol == PROTOCOL_ICMP && !(reader->given & MATCH_ICMP_TYPE)) {
        rule->matches |= MATCH_ICMP_TYPE;
        rule->icmp_type = rule->icmp_code = ICMP_ANY;
    } else if (protocol != PROTOCOL_ICMP && !(reader->given & MATCH_SOURCE_PORT)) {
        rule->matches |= MATCH_SOURCE_PORT;
        rule->source_port[0] = 0;
        rule->source_port[1] = UINT16_MAX;
    }
    return true;
}

static bool skip_comment(struct reader *reader, struct rule *rule, const char *option, bool is_inverted)
{
    (void)rule;
    return argument(reader, option, &is_inverted);
}

/* ---- the rule ---- */

static bool jump(struct reader *reader, struct rule *rule, const char *option, bool is_inverted)
{
    const char *word = argument(reader, option, &is_inverted);
    if (word && is_inverted)
        return reader_refuse(reader, "!", "does not go with -j");
    return word && read_target(reader, rule, word);
}

static bool skip_table(struct reader *reader, struct rule *rule, const char *option, bool is_inverted)
{
    return skip_comment(reader, rule, option, is_inverted);     /* it was looked at before */
}

static const struct { const char *word; match_reader *read; } matches[] = {
    {"-p", match_protocol}, {"--protocol", match_protocol}, {"--proto", match_protocol},
    {"-s", match_source}, {"--source", match_source}, {"--src", match_source},
    {"-d", match_destination}, {"--destination", match_destination}, {"--dst", match_destination},
    {"-i", match_in}, {"--in-interface", match_in}, {"-o", match_out}, {"--out-interface", match_out},
    {"-f", match_fragment}, {"--fragment", match_fragment},
    {"--sport", match_source_port}, {"--source-port", match_source_port},
    {"--dport", match_destination_port}, {"--destination-port", match_destination_port},
    {"--icmp-type", match_icmp_type}, {"--syn", match_syn}, {"--tcp-flags", match_tcp_flags},
    {"-m", match_module}, {"--match", match_module}, {"--comment", skip_comment},
    {"-j", jump}, {"--jump", jump}, {"-t", skip_table}, {"--table", skip_table},
};

static match_reader *find_match(const char *word)
{
    for (size_t i = 0; i < sizeof matches / sizeof matches[0]; i++)
        if (!strcmp(word, matches[i].word))
            return matches[i].read;
    return 0;
}

static bool read_word_of_rule(struct reader *reader, struct rule *rule, const char *word)
{
    bool is_inverted = !strcmp(word, "!");
    if (is_inverted && !(word = reader_word(reader)))
        return reader_refuse(reader, "!", "a match must follow");
    match_reader *match = find_match(word);
    if (match)
        return match(reader, rule, word, is_inverted);
    return is_inverted ? reader_refuse(reader, word, "'!' goes in front of a match only")
           : read_target_option(reader, rule, word);
}

/* Ports are something of TCP and UDP, and so on: the protocol must be asked for, in the same rule. */
static bool check_protocol(struct reader *reader, struct rule *rule)
{
    uint8_t protocol = rule->matches & ~rule->inverted & MATCH_PROTOCOL ? rule->protocol : 0;
    const char *const *words = reader->transport_word;
    if (words[FOR_PORTS] && protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP)
        return reader_refuse(reader, words[FOR_PORTS], "goes with -p tcp or -p udp only");
    if (words[FOR_TCP] && protocol != PROTOCOL_TCP)
        return reader_refuse(reader, words[FOR_TCP], "goes with -p tcp only");
    if (words[FOR_ICMP] && protocol != PROTOCOL_ICMP)
        return reader_refuse(reader, words[FOR_ICMP], "goes with -p icmp only");
    if (reader->module && protocol != reader->module)
        return reader_refuse(reader, "-m", "a module goes with -p and the same protocol only");
    if (!rule->protocol)
        rule->matches &= ~(uint32_t)MATCH_PROTOCOL;         /* "-p all" */
    return true;
}

bool read_rule(struct reader *reader, struct rule *rule)
{
    reader->given = 0;
    reader->module = 0;
    reader->target = 0;
    memset(reader->transport_word, 0, sizeof reader->transport_word);
    for (const char *word; (word = reader_word(reader));)
        if (!read_word_of_rule(reader, rule, word))
            return false;
    return check_protocol(reader, rule);
}
