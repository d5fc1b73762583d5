/* SPDX-License-Identifier: GPL-2.0-or-later */
/* 8254 channel 0 at 1000 Hz: one tick every 100,000 instructions. */
#include "timer.h"
#include "cpu.h"
#include "irq.h"
#include "net/firewall.h"
#include "net/netdev.h"
#include "proc.h"
#include "upcall.h"

enum { PIT_CHANNEL0 = 0x40, PIT_COMMAND = 0x43, PIT_RATE_GENERATOR = 0x34, PIT_HZ = 1193182 };

uint64_t ticks;

static void tick(void)
{
    ticks++;
    wake_sleepers();
    upcall_tick();
    firewall_tick();
    net_tick();
}

void timer_init(void)
{
    uint16_t divisor = PIT_HZ / TICKS_PER_SECOND;
    irq_register(IRQ_TIMER, tick);
    outb(PIT_COMMAND, PIT_RATE_GENERATOR);
    outb(PIT_CHANNEL0, divisor & 0xff);
    outb(PIT_CHANNEL0, divisor >> 8);
}
