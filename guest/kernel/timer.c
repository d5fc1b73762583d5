/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 8259 pair at vectors 32 to 47, and 8254 channel 0 at 1000 Hz: one tick every 100,000 instructions. */
#include "timer.h"
#include "cpu.h"
#include "proc.h"
#include "trap.h"

enum {
    PIC1_COMMAND = 0x20, PIC1_DATA = 0x21, PIC2_COMMAND = 0xa0, PIC2_DATA = 0xa1,
    PIC_INIT = 0x11, PIC_8086 = 0x01, PIC_END = 0x20, PIC_READ_IN_SERVICE = 0x0b, PIC_CASCADE_IRQ = 2,
    PIT_CHANNEL0 = 0x40, PIT_COMMAND = 0x43, PIT_RATE_GENERATOR = 0x34, PIT_HZ = 1193182,
};

uint64_t ticks;

static void pic_init(void)
{
    outb(PIC1_COMMAND, PIC_INIT);
    outb(PIC2_COMMAND, PIC_INIT);
    outb(PIC1_DATA, VECTOR_IRQ0);
    outb(PIC2_DATA, VECTOR_IRQ0 + 8);
    outb(PIC1_DATA, 1 << PIC_CASCADE_IRQ);
    outb(PIC2_DATA, PIC_CASCADE_IRQ);
    outb(PIC1_DATA, PIC_8086);
    outb(PIC2_DATA, PIC_8086);
    outb(PIC1_DATA, (uint8_t)~(1 << IRQ_TIMER));
    outb(PIC2_DATA, 0xff);
}

void timer_init(void)
{
    pic_init();
    uint16_t divisor = PIT_HZ / TICKS_PER_SECOND;
    outb(PIT_COMMAND, PIT_RATE_GENERATOR);
    outb(PIT_CHANNEL0, divisor & 0xff);
    outb(PIT_CHANNEL0, divisor >> 8);
}

/* A request that goes away before the CPU asks comes as the lowest priority's number, and wants no end. */
static bool spurious(int irq)
{
    uint16_t command = irq == 7 ? PIC1_COMMAND : PIC2_COMMAND;
    if (irq != 7 && irq != 15)
        return false;
    outb(command, PIC_READ_IN_SERVICE);
    if (inb(command) & 0x80)
        return false;
    if (irq == 15)
        outb(PIC1_COMMAND, PIC_END);    /* the first controller did see the second's request */
    return true;
}

void interrupt(int irq)
{
    if (spurious(irq))
        return;
    if (irq >= 8)
        outb(PIC2_COMMAND, PIC_END);
    outb(PIC1_COMMAND, PIC_END);
    if (irq == IRQ_TIMER) {
        ticks++;
        wake_sleepers();
    }
}
