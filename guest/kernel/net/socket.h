/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs talk UDP through sockets, which are files: a port, and the datagrams that came for it. */
#ifndef KERNEL_SOCKET_H
#define KERNEL_SOCKET_H

#include "packet.h"
#include "../../include/network.h"

struct udp_socket {
    uint16_t port;                  /* 0: not bound yet */
    int error;                      /* what an ICMP error said; told once */
    int count;
    struct packet *first, *last;    /* whole IPv4 packets, their checks behind them */
    struct udp_socket *next;        /* of all sockets */
};

struct udp_socket *socket_of_port(uint16_t port);

/* Owns the packet, whose fate is told. False: the queue is full, and the packet still the caller's. */
bool socket_deliver(struct udp_socket *socket, struct packet *packet);
void socket_fail(struct udp_socket *socket, int error);     /* whoever waits is told */

void socket_wake_all(void);          /* the network is over: who waits for ever need not any more */

/* What the files call. 0: no memory. */
struct udp_socket *socket_create(void);
void socket_destroy(struct udp_socket *socket);

/* The system calls, for the current process; 0 or more, or a negative error. */
int socket_open(void);
int socket_bind(uint64_t descriptor, uint64_t port);
int64_t socket_send(uint64_t descriptor, uint64_t from, uint64_t length, uint64_t address, uint64_t port);
int64_t socket_receive(uint64_t descriptor, uint64_t to, uint64_t length, uint64_t sender, uint64_t timeout);

#endif
