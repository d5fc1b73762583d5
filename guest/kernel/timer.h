/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Time in ticks of a millisecond. */
#ifndef KERNEL_TIMER_H
#define KERNEL_TIMER_H

#include "kernel.h"

enum { IRQ_TIMER = 0, TICKS_PER_SECOND = 1000 };

extern uint64_t ticks;

void timer_init(void);

#endif
