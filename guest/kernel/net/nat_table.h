/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The conversations that MASQUERADE has translated. */
#ifndef KERNEL_NAT_TABLE_H
#define KERNEL_NAT_TABLE_H

#include "nat.h"

/* The two ends of a conversation as a packet names them; ports are 0 where the protocol has none. */
struct nat_key {
    uint8_t protocol;
    uint32_t here, there;               /* the end on our side: the inner one, or our own address that stands for it */
    uint16_t here_port, there_port;
};

struct nat_entry {
    bool is_used;
    uint8_t protocol;
    uint32_t inside, outside, remote;
    uint16_t inside_port, outside_port, remote_port;
    uint64_t expires;                   /* us */
    struct nat_entry *next_inner, *next_outer;  /* in the chains of their hashes */
};

struct nat_table {
    uint64_t count;
    struct nat_entry *inner[64], *outer[64];    /* by inside, by outside, with the remote end */
    struct nat_entry entries[NAT_ENTRIES];
};

extern struct nat_table *nat_table;     /* 0: no cards, no table */

/* A conversation that has not expired; it is kept for longer from now on. */
struct nat_entry *nat_find_inner(const struct nat_key *key, uint64_t now);
struct nat_entry *nat_find_outer(const struct nat_key *key, uint64_t now);

/* A new one; the ports from which one is taken, the inner one if it is among them and free. 0: there is no place. */
struct nat_entry *nat_begin(const struct nat_key *inner, uint32_t outside, uint16_t lowest, uint16_t highest,
                            uint64_t now);

#endif
