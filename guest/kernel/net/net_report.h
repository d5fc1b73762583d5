/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_NET_REPORT_H
#define KERNEL_NET_REPORT_H

#include "packet.h"

size_t net_text(char *to, size_t size);     /* /proc/net: cards, packets, why some were dropped, neighbours, NAT */

/* The name of an enum drop_reason in that text. */
const char *drop_reason_name(unsigned reason);

#endif
