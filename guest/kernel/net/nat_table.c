/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nat_table.h"
#include "socket.h"
#include "../frame.h"
#include "../vm.h"

enum { BUCKETS = sizeof((struct nat_table *)0)->inner / sizeof(struct nat_entry *), MICROSECONDS = 1000000 };

struct nat_table *nat_table;

void nat_init(void)
{
    uint64_t memory = frames_alloc(FRAME_KERNEL, 0, GFP_KERNEL | GFP_ZERO, order_for(sizeof *nat_table));
    if (!memory)
        panic("no memory for the table of translations");
    nat_table = direct_map(memory);
}

static unsigned hash(uint8_t protocol, uint16_t here_port, uint32_t there, uint16_t there_port)
{
    uint32_t mixed = (protocol + here_port * 31u + there * 17u + there_port) * 0x9e3779b1u;
    return mixed >> 26 & (BUCKETS - 1);
}

static struct nat_entry **inner_chain(const struct nat_entry *e)
{
    return &nat_table->inner[hash(e->protocol, e->inside_port, e->remote, e->remote_port)];
}

static struct nat_entry **outer_chain(const struct nat_entry *e)
{
    return &nat_table->outer[hash(e->protocol, e->outside_port, e->remote, e->remote_port)];
}

static uint64_t lifetime(uint8_t protocol)
{
    switch (protocol) {
    case PROTOCOL_ICMP: return NAT_ICMP_SECONDS * (uint64_t)MICROSECONDS;
    case PROTOCOL_UDP: return NAT_UDP_SECONDS * (uint64_t)MICROSECONDS;
    case PROTOCOL_TCP: return NAT_TCP_SECONDS * (uint64_t)MICROSECONDS;
    default: return NAT_OTHER_SECONDS * (uint64_t)MICROSECONDS;
    }
}

static void forget(struct nat_entry *entry)
{
    struct nat_entry **link = inner_chain(entry);
    while (*link != entry)
        link = &(*link)->next_inner;
    *link = entry->next_inner;
    for (link = outer_chain(entry); *link != entry;)
        link = &(*link)->next_outer;
    *link = entry->next_outer;
    entry->is_used = false;
    nat_table->count--;
}

/* An expired one is forgotten when somebody meets it. */
static struct nat_entry *keep(struct nat_entry *entry, uint64_t now)
{
    if (!entry)
        return 0;
    if (entry->expires <= now) {
        forget(entry);
        return 0;
    }
    entry->expires = now + lifetime(entry->protocol);
    return entry;
}

struct nat_entry *nat_find_inner(const struct nat_key *key, uint64_t now)
{
    struct nat_entry *e = nat_table->inner[hash(key->protocol, key->here_port, key->there, key->there_port)];
    while (e && !(e->inside == key->here && e->inside_port == key->here_port && e->remote == key->there
                  && e->remote_port == key->there_port && e->protocol == key->protocol))
        e = e->next_inner;
    return keep(e, now);
}

static struct nat_entry *outer(const struct nat_key *key)
{
    struct nat_entry *e = nat_table->outer[hash(key->protocol, key->here_port, key->there, key->there_port)];
    while (e && !(e->outside == key->here && e->outside_port == key->here_port && e->remote == key->there
                  && e->remote_port == key->there_port && e->protocol == key->protocol))
        e = e->next_outer;
    return e;
}

struct nat_entry *nat_find_outer(const struct nat_key *key, uint64_t now) { return keep(outer(key), now); }

/* ---- a new one ---- */

static struct nat_entry *unused_entry(uint64_t now)
{
    for (int i = 0; nat_table->count == NAT_ENTRIES && i < NAT_ENTRIES; i++)
        if (nat_table->entries[i].expires <= now)
            forget(&nat_table->entries[i]);
    for (int i = 0; i < NAT_ENTRIES; i++)
        if (!nat_table->entries[i].is_used)
            return &nat_table->entries[i];
    return 0;
}

/* Nobody else talks to that remote end from there, and no socket of our own would miss the answer. */
static bool is_free(struct nat_key *key, uint16_t port, uint64_t now)
{
    key->here_port = port;
    struct nat_entry *entry = outer(key);
    if (entry && entry->expires <= now) {
        forget(entry);
        entry = 0;
    }
    return !entry && (key->protocol != PROTOCOL_UDP || !socket_of_port(port));
}

/* The inner port, or the next one that is free; 0 is none, but where there are no ports at all. */
static bool choose_port(const struct nat_key *inner, uint32_t outside, uint16_t lowest, uint16_t highest, uint64_t now,
                        uint16_t *port)
{
    struct nat_key key = {inner->protocol, outside, inner->there, 0, inner->there_port};
    uint32_t count = (uint32_t)highest - lowest + 1, first = inner->here_port;
    if (first < lowest || first > highest)
        first = lowest;
    for (uint32_t i = 0; i < count && i <= 2 * NAT_ENTRIES; i++) {
        *port = (uint16_t)(lowest + (first - lowest + i) % count);
        if (is_free(&key, *port, now))
            return true;
    }
    return false;
}

struct nat_entry *nat_begin(const struct nat_key *inner, uint32_t outside, uint16_t lowest, uint16_t highest,
                            uint64_t now)
{
    uint16_t port;
    struct nat_entry *entry = unused_entry(now);
    if (!entry || !choose_port(inner, outside, lowest, highest, now, &port))
        return 0;
    *entry = (struct nat_entry){
        .is_used = true, .protocol = inner->protocol, .inside = inner->here, .inside_port = inner->here_port,
        .outside = outside, .outside_port = port, .remote = inner->there, .remote_port = inner->there_port,
        .expires = now + lifetime(inner->protocol),
    };
    struct nat_entry **chain = inner_chain(entry);
    entry->next_inner = *chain;
    *chain = entry;
    chain = outer_chain(entry);
    entry->next_outer = *chain;
    *chain = entry;
    nat_table->count++;
    return entry;
}
