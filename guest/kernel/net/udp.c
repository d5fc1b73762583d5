/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "udp.h"

void udp_input(struct packet *packet) { packet_drop(packet, DROP_PORT); }

void udp_unreachable(const uint8_t *quoted, uint32_t header, uint8_t code) { (void)quoted, (void)header, (void)code; }
