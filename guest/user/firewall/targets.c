/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LOG says what it sees, TTL changes one byte of the header and mends the checksum, MIRROR sends a packet back to where
 * it came from. A new target is a row of user_targets (its words) and one of functions (what it does).
 */
#include "targets.h"
#include "reader.h"

enum { IP_TTL_AT = 8, IP_CHECKSUM_AT = 10, IP_SOURCE_AT = 12, IP_DESTINATION_AT = 16, ADDRESS_BYTES = 4,
       IP_HEADER_BYTES = 20 };

void packet_at_hand_read(struct packet_at_hand *packet, uint8_t *bytes, uint32_t length, uint64_t in, uint64_t out)
{
    packet->bytes = bytes;
    packet->length = length;
    packet->is_changed = false;
    rules_read_packet(&packet->facts, bytes, length, (uint8_t)in, (uint8_t)out);
}

/* The rules behind this one see the packet as it is now. */
static void changed(struct packet_at_hand *packet)
{
    packet->is_changed = true;
    rules_read_packet(&packet->facts, packet->bytes, packet->length, packet->facts.in, packet->facts.out);
}

/* ---- LOG [--log-prefix TEXT] ---- */

enum { PREFIXES_MAX = 16, PREFIX_BYTES = 30 };

/* A rule has no room for a text: its parameter is a number in this table, and 0 is no text. */
static char prefixes[PREFIXES_MAX][PREFIX_BYTES];

void user_targets_clear(void) { memset(prefixes, 0, sizeof prefixes); }

static const char *const log_options[] = {"--log-prefix", 0};

static const char *log_prefix(unsigned option, const char *word, uint64_t *parameter)
{
    (void)option;
    size_t length = strlen(word);
    if (length >= PREFIX_BYTES)
        return "too long; a prefix has at most 29 bytes";
    for (unsigned i = 1; i < PREFIXES_MAX; i++) {
        if (prefixes[i][0] && strcmp(prefixes[i], word))
            continue;
        memcpy(prefixes[i], word, length + 1);
        *parameter = i;
        return 0;
    }
    return "too many prefixes; 15 different ones are the most";
}

static void print_address(char to[16], uint32_t address)
{
    snprintf(to, 16, "%u.%u.%u.%u", address >> 24, address >> 16 & 0xff, address >> 8 & 0xff, address & 0xff);
}

static const char *card_name(uint8_t card)
{
    return card == INTERFACE_NONE ? "" : card == INTERFACE_ETH0 ? "eth0" : "eth1";
}

static bool log_packet(struct packet_at_hand *packet, uint64_t *verdict)
{
    const struct packet_facts *facts = &packet->facts;
    char source[16], destination[16], end[48] = "";
    print_address(source, facts->source);
    print_address(destination, facts->destination);
    if (facts->has_ports && facts->protocol == PROTOCOL_ICMP)
        snprintf(end, sizeof end, " TYPE=%u CODE=%u", facts->icmp_type, facts->icmp_code);
    else if (facts->has_ports)
        snprintf(end, sizeof end, " SPT=%u DPT=%u", facts->source_port, facts->destination_port);
    say("%sIN=%s OUT=%s SRC=%s DST=%s LEN=%u TTL=%u PROTO=%u%s", prefixes[*verdict % PREFIXES_MAX],
        card_name(facts->in), card_name(facts->out), source, destination, facts->length, packet->bytes[IP_TTL_AT],
        facts->protocol, end);
    return false;
}

/* ---- TTL --ttl-set N | --ttl-inc N | --ttl-dec N ---- */

enum ttl_change { TTL_SET, TTL_INC, TTL_DEC };      /* above the number in the parameter, in the order of the options */

static const char *const ttl_options[] = {"--ttl-set", "--ttl-inc", "--ttl-dec", 0};

static const char *ttl_option(unsigned option, const char *word, uint64_t *parameter)
{
    unsigned long number;
    if (!read_number(word, 255, "", &number))
        return "not a TTL; it is 0 to 255";
    *parameter = (uint64_t)option << 8 | number;
    return 0;
}

/* RFC 1624: the checksum's one's complement sum changes by what the word changed by. */
static void set_ttl(uint8_t *header, uint8_t ttl)
{
    uint32_t before = (uint32_t)header[IP_TTL_AT] << 8, after = (uint32_t)ttl << 8;
    uint32_t checksum = (uint32_t)header[IP_CHECKSUM_AT] << 8 | header[IP_CHECKSUM_AT + 1];
    uint32_t sum = (~checksum & 0xffff) + (~before & 0xffff) + after;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~(sum + (sum >> 16));
    header[IP_TTL_AT] = ttl;
    header[IP_CHECKSUM_AT] = (uint8_t)(sum >> 8);
    header[IP_CHECKSUM_AT + 1] = (uint8_t)sum;
}

static bool change_ttl(struct packet_at_hand *packet, uint64_t *verdict)
{
    int ttl = packet->bytes[IP_TTL_AT], number = *verdict & 0xff;
    switch (*verdict >> 8) {
    case TTL_SET: ttl = number; break;
    case TTL_INC: ttl = ttl + number > 255 ? 255 : ttl + number; break;
    case TTL_DEC: ttl = ttl < number ? 0 : ttl - number; break;
    }
    if (ttl != packet->bytes[IP_TTL_AT]) {
        set_ttl(packet->bytes, (uint8_t)ttl);
        changed(packet);
    }
    return false;
}

/* ---- MIRROR ---- */

static const char *const no_options[] = {0};

/* All checksums stay right: a sum does not care for the order of its parts. */
static bool mirror(struct packet_at_hand *packet, uint64_t *verdict)
{
    uint8_t source[ADDRESS_BYTES];
    memcpy(source, packet->bytes + IP_SOURCE_AT, ADDRESS_BYTES);
    memcpy(packet->bytes + IP_SOURCE_AT, packet->bytes + IP_DESTINATION_AT, ADDRESS_BYTES);
    memcpy(packet->bytes + IP_DESTINATION_AT, source, ADDRESS_BYTES);
    changed(packet);
    *verdict = verdict_of(TARGET_ACCEPT, 0, 0, 0);
    return true;
}

/* ---- the tables ---- */

enum { USER_LOG, USER_TTL, USER_MIRROR, USER_TARGETS };

const struct target_words user_targets[] = {
    [USER_LOG] = {"LOG", log_options, log_prefix, 0},
    [USER_TTL] = {"TTL", ttl_options, ttl_option, TTL_DEC << 8},        /* without an option: less by nothing */
    [USER_MIRROR] = {"MIRROR", no_options, 0, 0},
    [USER_TARGETS] = {0},
};

typedef bool target_function(struct packet_at_hand *packet, uint64_t *verdict);

static target_function *const functions[USER_TARGETS] = {
    [USER_LOG] = log_packet,
    [USER_TTL] = change_ttl,
    [USER_MIRROR] = mirror,
};

OBSERVABLE bool run_user_target(uint16_t number, void *context, uint64_t *verdict)
{
    struct packet_at_hand *packet = context;
    return number < USER_TARGETS && packet->length >= IP_HEADER_BYTES && functions[number](packet, verdict);
}
