/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules of a firewall, as both sides of the ring use them: the kernel path judges with them in ring 0, the
 * other three in ring 3, by the same code. A rule set is one flat piece of memory without pointers, so that it can be
 * handed to the kernel by a write to /dev/firewall; who gets one from elsewhere asks rules_check first.
 *
 * Semantics are iptables': a packet enters the built-in chain of its hook; the first rule that matches decides; a jump
 * to a chain comes back behind the rule when the chain ends or says RETURN; RETURN in a built-in chain, or its end, is
 * the chain's policy.
 */
#ifndef COMMON_RULES_H
#define COMMON_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../include/network.h"

enum { CHAINS_MAX = 32, RULES_MAX = 256, CHAIN_NAME_MAX = 24, JUMP_DEPTH_MAX = 16 };

/* No packet is compared with more rules than this (the end of a chain counts as one): who judges has interrupts off. */
enum { RULE_STEPS_MAX = 4096 };

/* What a rule does when it matches. The first are the kernel's targets, by their own numbers. */
enum rule_action {
    ACTION_TARGET,              /* verdict is the answer */
    ACTION_JUMP,                /* goes on in chain, and comes back */
    ACTION_RETURN,
    ACTION_COUNT,               /* no target: counts, and goes on */
    ACTION_USER,                /* a user-defined target, which exists in ring 3 only: number `chain` */
};

/* Bits of `inverted`: "!" stood in front of that match. */
enum rule_match { MATCH_SOURCE = 1, MATCH_DESTINATION = 2, MATCH_IN = 4, MATCH_OUT = 8, MATCH_PROTOCOL = 16,
                  MATCH_SOURCE_PORT = 32, MATCH_DESTINATION_PORT = 64, MATCH_ICMP_TYPE = 128, MATCH_FRAGMENT = 256,
                  MATCH_TCP_FLAGS = 512, MATCHES_ALL = 1023 };

/* Those that read what is behind the IP header. They fail for fragments behind the first, inverted or not. */
enum { MATCHES_TRANSPORT = MATCH_SOURCE_PORT | MATCH_DESTINATION_PORT | MATCH_ICMP_TYPE | MATCH_TCP_FLAGS };

enum { CARD_ANY = 0xff };       /* as in and out: any card, but not none ("eth+") */
enum { ICMP_ANY = 0xff };       /* as icmp_type, icmp_code */

struct rule {
    uint32_t matches, inverted; /* enum rule_match: which of the following are asked, and which the other way */
    uint32_t source, source_mask, destination, destination_mask;
    uint16_t source_port[2], destination_port[2];       /* lowest, highest */
    uint8_t in, out;            /* enum interface */
    uint8_t protocol, icmp_type, icmp_code;
    uint8_t tcp_mask, tcp_flags;
    uint8_t action;             /* enum rule_action */
    uint16_t chain;             /* of JUMP: where to; of USER: which */
    uint16_t line;              /* in the rule file */
    uint32_t reserved;
    uint64_t verdict;           /* of TARGET; of USER: its parameter */
    uint64_t packets, bytes;    /* counted, when it matched */
};

struct chain {
    char name[CHAIN_NAME_MAX];
    uint16_t first, count;      /* its rules lie in a row */
    uint8_t policy;             /* of a built-in chain: TARGET_ACCEPT or TARGET_DROP */
    uint8_t reserved[3];
    uint64_t packets, bytes;    /* that came to the policy */
};

static const uint32_t RULES_MAGIC = 0x31727750;     /* "Pwr1" */

/* Chains 0 to HOOKS-1 are the built-in ones, by the number of their hook. */
struct rule_set {
    uint32_t magic;
    uint16_t chain_count, rule_count;
    struct chain chains[CHAINS_MAX];
    struct rule rules[RULES_MAX];
};

/* What the matches look at. Ports and flags are there only with `has_ports`: not in fragments behind the first. */
struct packet_facts {
    uint32_t source, destination, length;
    uint8_t protocol, in, out;
    uint8_t icmp_type, icmp_code, tcp_flags;
    bool is_fragment;           /* a fragment that is not the first: iptables' -f */
    bool overlaps;              /* one that would write over the flags of a TCP header: 8 bytes behind its start */
    bool has_ports;             /* UDP or TCP with a whole header; of ICMP: type and code are there */
    uint16_t source_port, destination_port;
};

/* From the bytes of an IPv4 packet. What is no such packet has no facts but its length and its interfaces. */
void rules_read_packet(struct packet_facts *facts, const uint8_t *packet, uint32_t length, uint8_t in, uint8_t out);

/*
 * A user-defined target: true and the verdict, or false to go on behind the rule. *verdict is the rule's parameter
 * before. It may change the packet, and the facts that rules_judge looks at.
 */
typedef bool user_target(uint16_t number, void *context, uint64_t *verdict);

/*
 * The verdict for a packet at a hook. `user` may be 0: then such a rule is passed by. Counts. As in iptables, a packet
 * whose ports a rule would have to read and cannot, because its header is cut off, is dropped there and then.
 */
uint64_t rules_judge(struct rule_set *set, enum hook hook, const struct packet_facts *facts, user_target *user,
                     void *context);

/* Whether a chain has a rule or a policy other than ACCEPT, so that there is something to ask at its hook. */
bool rules_has_hook(const struct rule_set *set, enum hook hook);

/* How many bytes at the front of a rule set of so many rules matter: all that is handed over. */
size_t rules_bytes(const struct rule_set *set);

/* Whether a target makes sense at a hook: REJECT where there is a sender to tell, and so on. */
bool rules_target_fits(enum target target, enum hook hook);

/* Nothing in it leads out of it, and no chain jumps in a circle. 0, or what is wrong, in words. */
const char *rules_check(const struct rule_set *set, size_t bytes);

/* The same, and the number of the rule that is wrong; RULES_MAX if it is none. */
const char *rules_find_error(const struct rule_set *set, size_t bytes, unsigned *rule);

#endif
