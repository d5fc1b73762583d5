/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptor tables: flat segments for both rings, a gate for each exception, a stack to take them on. */
#include "cpu.h"

struct table_pointer {
    uint16_t limit;
    word base;
} __attribute__((packed));

#if LEVELS >= 4
struct tss {
    uint32_t reserved0;
    uint64_t stack[3];
    uint64_t reserved1;
    uint64_t interrupt_stack[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map;                /* beyond the limit: no port is open to ring 3 */
} __attribute__((packed));

struct gate {
    uint16_t offset_low, selector;
    uint8_t interrupt_stack, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};
#define FLAT_CODE 0x00af9b000000ffffull
#else
struct tss {
    uint32_t link, stack, stack_selector;
    uint32_t unused[22];
    uint16_t trap;
    uint16_t io_map;
} __attribute__((packed));

struct gate {
    uint16_t offset_low, selector;
    uint8_t zero, type;
    uint16_t offset_middle;
};
#define FLAT_CODE 0x00cf9b000000ffffull
#endif

enum { GATES_PER_PAGE = PAGE_SIZE / sizeof(struct gate), DOUBLE_FAULT_STACK = 1 };
#define FLAT_DATA 0x00cf93000000ffffull
#define RING3     (3ull << 45)

/* In the order of the selectors in mode.h; boot.S loads it before the last two, TSS and LDT, are there. */
uint64_t gdt[9] __attribute__((aligned(16))) = {
    0, FLAT_CODE, FLAT_DATA, FLAT_CODE | RING3, FLAT_DATA | RING3,
};
static struct tss tss __attribute__((aligned(16)));
static uint8_t trap_stack[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static uint8_t double_fault_stack[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

/* The gates of the exceptions end the first page, that of VECTOR_DONE begins the second: it can be unmapped alone. */
static struct gate gates[2 * GATES_PER_PAGE] __attribute__((aligned(PAGE_SIZE)));
static struct gate *const idt = &gates[GATES_PER_PAGE - VECTOR_DONE];

extern const char trap_stubs[];

static void set_gate(int vector, const char *stub, int ring)
{
    word offset = (word)stub;
    idt[vector] = (struct gate){
        .offset_low = (uint16_t)offset,
        .offset_middle = (uint16_t)(offset >> 16),
        .selector = KERNEL_CODE,
        .type = (uint8_t)(0x8e | ring << 5),
#if LEVELS >= 4
        .offset_high = (uint32_t)(offset >> 32),
        .interrupt_stack = vector == VECTOR_DF ? DOUBLE_FAULT_STACK : 0,
#endif
    };
}

static void set_system_segment(int selector, word base, uint64_t limit, uint64_t type)
{
    uint64_t low = base & 0xffffff, high = base >> 24 & 0xff;
    gdt[selector / 8] = limit | low << 16 | type << 40 | high << 56;
#if LEVELS >= 4
    gdt[selector / 8 + 1] = base >> 32;
#endif
}

struct features cpu_features(void)
{
    uint32_t a = 1, b, c = 0, d;
    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    struct features offered = {.pcid = c >> 17 & 1};
    a = 7;
    c = 0;
    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    offered.invpcid = b >> 10 & 1;
    offered.pku = c >> 3 & 1;
    return offered;
}

void cpu_init(void)
{
    tss.io_map = sizeof tss;
#if LEVELS >= 4
    tss.stack[0] = (word)trap_stack + sizeof trap_stack;
    tss.interrupt_stack[DOUBLE_FAULT_STACK - 1] = (word)double_fault_stack + sizeof double_fault_stack;
#else
    (void)double_fault_stack;
    tss.stack = (word)trap_stack + sizeof trap_stack;
    tss.stack_selector = KERNEL_DATA;
#endif
    set_system_segment(TSS_SELECTOR, (word)&tss, sizeof tss - 1, 0x89);
    __asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR));

    for (int vector = 0; vector < 32; vector++)
        set_gate(vector, trap_stubs + 16 * vector, 0);
    set_gate(VECTOR_DONE, trap_stubs + 16 * 32, 3);
    struct table_pointer pointer = {(VECTOR_DONE + 1) * sizeof(struct gate) - 1, (word)idt};
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

void ldt_init(word base)
{
    set_system_segment(LDT_SELECTOR, base, 7, 0x82);
    __asm__ volatile("lldt %w0" : : "r"(LDT_SELECTOR));
}

const void *done_gate(void)
{
    return &idt[VECTOR_DONE];
}

const void *ring3_trap_stack(void)
{
    return trap_stack;
}
