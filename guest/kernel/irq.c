/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 8259 pair at vectors 32 to 47. A line is masked until somebody registers for it. */
#include "irq.h"
#include "cpu.h"
#include "trap.h"

enum {
    PIC1_COMMAND = 0x20, PIC1_DATA = 0x21, PIC2_COMMAND = 0xa0, PIC2_DATA = 0xa1,
    PIC_INIT = 0x11, PIC_8086 = 0x01, PIC_END = 0x20, PIC_READ_IN_SERVICE = 0x0b, PIC_CASCADE_IRQ = 2,
    IRQ_COUNT = 16,
};

static irq_handler *handlers[IRQ_COUNT];

static void set_mask(uint16_t mask)
{
    outb(PIC1_DATA, (uint8_t)mask);
    outb(PIC2_DATA, (uint8_t)(mask >> 8));
}

void irq_init(void)
{
    outb(PIC1_COMMAND, PIC_INIT);
    outb(PIC2_COMMAND, PIC_INIT);
    outb(PIC1_DATA, VECTOR_IRQ0);
    outb(PIC2_DATA, VECTOR_IRQ0 + 8);
    outb(PIC1_DATA, 1 << PIC_CASCADE_IRQ);
    outb(PIC2_DATA, PIC_CASCADE_IRQ);
    outb(PIC1_DATA, PIC_8086);
    outb(PIC2_DATA, PIC_8086);
    set_mask(0xffff);
}

void irq_register(int irq, irq_handler *handler)
{
    handlers[irq] = handler;
    uint16_t mask = 0xffff & ~(1 << PIC_CASCADE_IRQ);
    for (int i = 0; i < IRQ_COUNT; i++)
        if (handlers[i])
            mask &= (uint16_t)~(1 << i);
    set_mask(mask);
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
    if (handlers[irq])
        handlers[irq]();
}
