/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The firewall as the stack sees it: somebody who is asked. firewall.path says who and how: rules in the kernel, a
 * program that copies packets out and in, one that is called with the packet's page, one with a ring.
 */
#ifndef KERNEL_FIREWALL_H
#define KERNEL_FIREWALL_H

#include "packet.h"
#include "../../include/network.h"
#include "../../include/upcall.h"

/* Nobody yet: everything passes, as on any machine without a firewall. Dead: it was there, and died. */
enum firewall_state { FIREWALL_NONE, FIREWALL_ALIVE, FIREWALL_DEAD };
extern enum firewall_state firewall_state;

void firewall_init(void);
void firewall_tick(void);           /* the timer's: deadlines on the paths copy and ring */

/* Whether packets are asked about at this hook at all. */
bool firewall_wants(enum hook hook);

/* Owns the packet; hook_verdict or packet_drop follows, now or later. Also in interrupts; never sleeps. */
void firewall_ask(struct packet *packet);

/* The rules of the kernel path (firewall_rules.c); what /dev/firewall was given. */
bool firewall_rules_want(enum hook hook);
uint64_t firewall_rules_judge(struct packet *packet);
int64_t firewall_rules_read(uint64_t to, uint64_t length);
int64_t firewall_rules_write(uint64_t from, uint64_t length);

/* /dev/firewall given four bytes: a program that judges says at which hooks it wants to be asked, a bit 1 << hook for
 * each. Without a word, at all; the word goes with the program. */
int64_t firewall_set_hooks(uint64_t from);

/*
 * The system calls pkt_recv and pkt_verdict; -ENODEV on the paths that have none.
 *   copy: waits for a packet, and copies struct upcall and behind it the bytes to the buffer; how many bytes. The first
 *         to call it is the firewall from then on. The verdict brings the bytes back, or none (0, 0): unchanged.
 *   ring: (0, 0) takes in what was answered and waits for questions; how many there are. Verdict (0, 0, 0, 0) does the
 *         first half alone.
 * pkt_recv returns 0 when no packet will come any more: all links are down, and all packets have met their fate.
 */
int64_t firewall_receive(uint64_t buffer, uint64_t length);
int64_t firewall_verdict(uint64_t id, uint64_t verdict, uint64_t buffer, uint64_t length);

/* The program is gone, or goes in order: what it was asked is answered by the policy. Paths copy and ring. */
void firewall_leave(struct proc *proc, bool died);

/* For the files firewall_*.c: what a packet is asked as, when linear is where its bytes are. */
struct upcall firewall_question(const struct packet *packet, uint64_t linear, uint32_t capacity);
int firewall_begin(void);           /* the current process is the firewall from now on; 0, -EPERM or -EBUSY */
bool firewall_has_path(int path);   /* enum of cmdline.h */

#endif
