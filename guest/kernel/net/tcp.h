/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_TCP_H
#define KERNEL_TCP_H

#include "packet.h"

/* For us: there is no service over TCP here, so that a connection is refused. Owns the packet. */
void tcp_input(struct packet *packet);

#endif
