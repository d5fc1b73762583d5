/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packets that a program is asked about by system calls of its own, on the paths copy and ring: a list, the oldest
 * first, of those that wait (CALL_QUEUED) and those that it has been told of (CALL_RUNNING).
 */
#ifndef KERNEL_FIREWALL_QUEUE_H
#define KERNEL_FIREWALL_QUEUE_H

#include "packet.h"

/* Who it is that is asked; 0: nobody. */
extern struct proc *firewall_proc;

void firewall_queue_put(struct packet *packet);             /* drops it if too many wait */
struct packet *firewall_queue_next(void);                   /* the oldest that waits, or 0; it waits on */
void firewall_queue_tell(struct packet *packet);            /* it is with the program from here on */
uint32_t firewall_queue_told(void);                        /* how many are with it */
struct packet *firewall_queue_find(uint64_t id);            /* one that the program was told of, or 0 */
void firewall_queue_end(struct packet *packet, enum call_end end, uint64_t length, uint64_t verdict);
void firewall_queue_expire(void);
void firewall_queue_abandon(void);                          /* all of them: the program is gone */

#endif
