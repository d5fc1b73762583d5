/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hardware interrupts. They arrive in ring 3 and in the idle process only, so a handler never meets half a change. */
#ifndef KERNEL_IRQ_H
#define KERNEL_IRQ_H

#include "kernel.h"

typedef void irq_handler(void);

void irq_init(void);
void irq_register(int irq, irq_handler *handler);   /* and lets the line through */
void interrupt(int irq);                            /* one hardware interrupt, 0 to 15 */

#endif
