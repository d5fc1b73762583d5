/* SPDX-License-Identifier: GPL-2.0-or-later */
/* firewall.path=copy: packets are copied to the program and back, as the QUEUE target of the old days did. */
#ifndef KERNEL_FIREWALL_COPY_H
#define KERNEL_FIREWALL_COPY_H

#include "../kernel.h"

int64_t firewall_copy_receive(uint64_t buffer, uint64_t length);
int64_t firewall_copy_verdict(uint64_t id, uint64_t verdict, uint64_t buffer, uint64_t length);

#endif
