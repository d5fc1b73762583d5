/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The translation itself: which bytes of a packet name its two ends, and how to change one of them. All checksums
 * over those bytes are mended, not made anew, so that a packet that was damaged on its way stays visibly damaged.
 */
#include "nat.h"
#include "checksum.h"
#include "icmp.h"
#include "ipv4.h"
#include "nat_table.h"
#include "route.h"
#include "tcp.h"
#include "udp.h"

enum { MOST_PORTS = 65535, PORT_PRIVILEGED = 1024 };

/* ---- where the ends stand ---- */

/* A packet, or the front of one that an ICMP error quotes: then fewer bytes are enough. */
struct ends {
    uint8_t *ip, *payload;
    uint32_t length;                    /* of the payload, as far as it is there */
};

static struct ends ends_of(uint8_t *ip, uint32_t length)
{
    uint32_t header = ip_header_bytes(ip);
    return (struct ends){ip, ip + header, length - header};
}

static bool has_id(uint8_t type)
{
    static const uint8_t types[] = {ICMP_ECHO, ICMP_ECHO_REPLY, ICMP_TIMESTAMP, ICMP_TIMESTAMP_REPLY};
    for (size_t i = 0; i < sizeof types; i++)
        if (types[i] == type)
            return true;
    return false;
}

/* Where the port of an end stands, or 0 with `whole` false if the packet is too short for it. */
static uint8_t *port_at(const struct ends *ends, bool source, bool *whole)
{
    switch (ends->ip[IP_PROTOCOL]) {
    case PROTOCOL_UDP:
    case PROTOCOL_TCP:
        *whole = ends->length >= 8;
        return *whole ? ends->payload + (source ? 0 : 2) : 0;
    case PROTOCOL_ICMP:
        *whole = ends->length >= ICMP_HEADER && has_id(ends->payload[ICMP_TYPE]);
        return *whole ? ends->payload + ICMP_ID : 0;
    default:
        *whole = true;
        return 0;
    }
}

/* Where the payload has a checksum that covers ports and addresses, or 0. That of ICMP covers the id alone. */
static uint8_t *sum_at(const struct ends *ends)
{
    uint8_t protocol = ends->ip[IP_PROTOCOL];
    uint32_t at = protocol == PROTOCOL_TCP ? TCP_CHECKSUM : protocol == PROTOCOL_UDP ? UDP_CHECKSUM : ICMP_CHECKSUM;
    bool has = protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP || protocol == PROTOCOL_ICMP;
    if (!has || ends->length < at + 2 || (protocol == PROTOCOL_UDP && !get16(ends->payload + at)))
        return 0;
    return ends->payload + at;
}

/* The key of a packet whose source (or else destination) is the end on our side. */
static bool read_key(const struct ends *ends, bool here_is_source, struct nat_key *key)
{
    bool whole;
    const uint8_t *here = port_at(ends, here_is_source, &whole), *there = port_at(ends, !here_is_source, &whole);
    *key = (struct nat_key){.protocol = ends->ip[IP_PROTOCOL]};
    key->here = get32(ends->ip + (here_is_source ? IP_SOURCE : IP_DESTINATION));
    key->there = get32(ends->ip + (here_is_source ? IP_DESTINATION : IP_SOURCE));
    if (here)
        key->here_port = get16(here);
    if (there && key->protocol != PROTOCOL_ICMP)
        key->there_port = get16(there);
    return whole;
}

/* ---- changing an end ---- */

static void mend_payload(const struct ends *ends, uint8_t *sum, uint16_t was, uint16_t is)
{
    if (!sum)
        return;
    checksum_mend(sum, was, is);
    if (ends->ip[IP_PROTOCOL] == PROTOCOL_UDP && !get16(sum))
        put16(sum, 0xffff);             /* 0 would say that there is none */
}

static void set_address(const struct ends *ends, bool source, uint32_t address)
{
    uint8_t *at = ends->ip + (source ? IP_SOURCE : IP_DESTINATION);
    uint8_t *sum = ends->ip[IP_PROTOCOL] == PROTOCOL_ICMP ? 0 : sum_at(ends);
    uint16_t was = checksum_sum(0, at, 4);
    put32(at, address);
    uint16_t is = checksum_sum(0, at, 4);
    checksum_mend(ends->ip + IP_CHECKSUM, was, is);
    mend_payload(ends, sum, was, is);
}

static void set_port(const struct ends *ends, bool source, uint16_t port)
{
    bool whole;
    uint8_t *at = port_at(ends, source, &whole);
    if (!at)
        return;
    uint16_t was = get16(at);
    put16(at, port);
    mend_payload(ends, sum_at(ends), was, port);
}

static void set_end(const struct ends *ends, bool source, uint32_t address, uint16_t port)
{
    set_address(ends, source, address);
    set_port(ends, source, port);
}

/* ---- errors, which quote the packet that they are about ---- */

static bool is_error(const struct ends *ends)
{
    return ends->ip[IP_PROTOCOL] == PROTOCOL_ICMP && ends->length >= ICMP_HEADER
           && icmp_is_error(ends->payload[ICMP_TYPE]);
}

static bool quoted_ends(const struct ends *error, struct ends *quoted)
{
    uint32_t length = error->length - ICMP_HEADER;
    uint8_t *ip = error->payload + ICMP_HEADER;
    if (length < IP_HEADER || ip[IP_VERSION] >> 4 != 4 || ip_header_bytes(ip) < IP_HEADER
        || ip_header_bytes(ip) > length)
        return false;
    *quoted = ends_of(ip, length);
    return true;
}

/* The sum of all that changes in a quoted packet, by which its error's checksum is mended. */
static void set_quoted_end(const struct ends *error, const struct ends *quoted, bool source, uint32_t address,
                           uint16_t port)
{
    uint32_t length = error->length - ICMP_HEADER;
    uint16_t was = checksum_sum(0, quoted->ip, length);
    set_end(quoted, source, address, port);
    checksum_mend(error->payload + ICMP_CHECKSUM, was, checksum_sum(0, quoted->ip, length));
}

/* ---- out ---- */

bool nat_check(const struct packet *packet, uint64_t verdict)
{
    return packet->out && verdict_lowest_port(verdict) <= verdict_highest_port(verdict);
}

/* Who is content with any port gets one of the kind that the inner one was. */
static void port_range(uint64_t verdict, const struct nat_key *inner, uint16_t *lowest, uint16_t *highest)
{
    *lowest = (uint16_t)verdict_lowest_port(verdict);
    *highest = (uint16_t)verdict_highest_port(verdict);
    if (inner->protocol == PROTOCOL_ICMP) {
        if (!*highest)
            *highest = MOST_PORTS;
    } else if (inner->protocol != PROTOCOL_UDP && inner->protocol != PROTOCOL_TCP) {
        *lowest = *highest = 0;
    } else if (!*highest) {
        *lowest = inner->here_port < PORT_PRIVILEGED ? 1 : PORT_PRIVILEGED;
        *highest = inner->here_port < PORT_PRIVILEGED ? PORT_PRIVILEGED - 1 : MOST_PORTS;
    } else if (!*lowest) {
        *lowest = 1;                    /* no port is 0 */
    }
}

/* An error from inside about what came from outside, or our own: the quoted packet's destination is the inner end. */
static bool masquerade_error(const struct packet *packet, const struct ends *ends)
{
    struct ends quoted;
    struct nat_key key;
    uint32_t outside = packet->out->address;
    struct nat_entry *entry = 0;
    if (quoted_ends(ends, &quoted) && !(get16(quoted.ip + IP_FRAGMENT) & IP_OFFSET_MASK)
        && read_key(&quoted, false, &key))
        entry = nat_find_inner(&key, packet->time);
    if (entry) {
        set_quoted_end(ends, &quoted, false, entry->outside, entry->outside_port);
        set_address(ends, true, entry->outside);
    }
    return entry || ip_source(ends->ip) == outside;
}

static bool masquerade(const struct packet *packet, uint64_t verdict)
{
    struct nat_key inner;
    uint16_t lowest, highest;
    struct ends ends = ends_of(packet_bytes(packet), packet->length);
    if (ip_is_fragment(ends.ip))
        return false;                   /* only the first one has ports */
    if (is_error(&ends))
        return masquerade_error(packet, &ends);
    if (ip_source(ends.ip) == packet->out->address)
        return true;                    /* our own, with the right address already */
    if (!read_key(&ends, true, &inner))
        return false;
    struct nat_entry *entry = nat_find_inner(&inner, packet->time);
    if (entry && entry->outside != packet->out->address)
        return false;                   /* the way has changed under the conversation */
    if (!entry) {
        port_range(verdict, &inner, &lowest, &highest);
        entry = nat_begin(&inner, packet->out->address, lowest, highest, packet->time);
    }
    if (entry)
        set_end(&ends, true, entry->outside, entry->outside_port);
    return entry;
}

OBSERVABLE void nat_masquerade(struct packet *packet, uint64_t verdict)
{
    if (masquerade(packet, verdict))
        packet->okay(packet);
    else
        packet_drop(packet, DROP_NAT);
}

/* ---- back ---- */

static void error_back(const struct packet *packet, const struct ends *ends)
{
    struct ends quoted;
    struct nat_key key;
    if (!quoted_ends(ends, &quoted) || get16(quoted.ip + IP_FRAGMENT) & IP_OFFSET_MASK
        || !read_key(&quoted, true, &key))
        return;
    struct nat_entry *entry = nat_find_outer(&key, packet->time);
    if (!entry)
        return;
    set_quoted_end(ends, &quoted, true, entry->inside, entry->inside_port);
    set_address(ends, false, entry->inside);
}

OBSERVABLE bool nat_input(struct packet *packet)
{
    struct nat_key key;
    struct ends ends = ends_of(packet_bytes(packet), packet->length);
    if (!nat_table->count || ip_destination(ends.ip) != packet->in->address)
        return true;
    if (ip_is_fragment(ends.ip)) {
        packet_drop(packet, DROP_NAT);  /* perhaps for somebody inside: without ports nobody can tell */
        return false;
    }
    if (ends.ip[IP_PROTOCOL] == PROTOCOL_ICMP && ends.length >= ICMP_HEADER
        && (ends.payload[ICMP_TYPE] == ICMP_ECHO || ends.payload[ICMP_TYPE] == ICMP_TIMESTAMP))
        return true;                    /* a question is no answer, whatever its id */
    if (is_error(&ends)) {
        error_back(packet, &ends);
        return true;
    }
    struct nat_entry *entry = read_key(&ends, false, &key) ? nat_find_outer(&key, packet->time) : 0;
    if (entry)
        set_end(&ends, false, entry->inside, entry->inside_port);
    return true;
}

size_t nat_text(char *to, size_t size)
{
    return nat_table ? scnprintf(to, size, "nat %lu of %u\n", nat_table->count, NAT_ENTRIES) : 0;
}
