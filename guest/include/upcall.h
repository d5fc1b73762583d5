/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel asks of a program: the reverse syscall. The kernel calls the registered handler in ring 3, with a
 * pointer to this in RDI, on the stack that was registered; ukshm_ack(id, length, verdict) is how the handler returns.
 * The copying path (pkt_recv) and the ring hand over the same structure.
 */
#ifndef GUEST_UPCALL_H
#define GUEST_UPCALL_H

#include <stdint.h>

/* What is asked: of a FIREWALL the hook a packet has come to (network.h), of a NETFS what to do with a file. */
enum netfs_operation { NETFS_OPEN, NETFS_READ, NETFS_WRITE, NETFS_CLOSE };

struct upcall {
    uint64_t id;                /* for the acknowledgement; never 0, never the same again */
    uint32_t role;              /* enum ukshm_role */
    uint32_t operation;         /* enum hook, or enum netfs_operation */
    uint64_t address;           /* where the data lies in this process; 0 if there is none */
    uint32_t length;            /* bytes of data */
    uint32_t capacity;          /* bytes there is room for, from address on */
    uint64_t argument[4];       /* FIREWALL: interface in, interface out (0: none), arrival in us since boot, 0 */
};                              /* NETFS: handle (of OPEN: flags), offset, id of the OPEN, ticks for the answer */

#endif
