/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ring of firewall.path=ring, which is mapped once, for good: ukshm_register(ROLE_FIREWALL, 0, 0, pages, version)
 * gives its address. Page 0 is struct ring; packets lie in the pages behind it, most of them since they were received.
 * What is whose is said by four indices, which only ever grow; an entry's place is its index modulo RING_ENTRIES:
 *
 *   questions   the kernel writes them and then moves `asked`; the program reads them, in order, and moves `taken`
 *   answers     the program writes them and then moves `answered`; the kernel takes them in, and moves `handled`
 *
 * pkt_recv(0, 0) has answers taken in and waits until asked differs from taken; pkt_verdict(0, 0, 0, 0) has them taken
 * in at once. Between the two a program may work through as many questions as there are.
 */
#ifndef GUEST_RING_H
#define GUEST_RING_H

#include "upcall.h"

enum { RING_ENTRIES = 16 };

struct ring_answer {
    uint64_t id, length, verdict;       /* as in ukshm_ack */
};

struct ring {
    uint32_t asked;             /* the kernel's */
    uint32_t taken;             /* the program's */
    uint32_t answered;          /* the program's */
    uint32_t handled;           /* the kernel's */
    uint64_t copies;            /* packets that did not lie in the ring and were copied into it; the kernel's */
    uint64_t refused;           /* answers that made no sense, or came too late; the kernel's */
    struct upcall questions[RING_ENTRIES];
    struct ring_answer answers[RING_ENTRIES];
};

#endif
