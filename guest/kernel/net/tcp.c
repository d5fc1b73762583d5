/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tcp.h"

void tcp_input(struct packet *packet) { packet_drop(packet, DROP_PORT); }
