/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions that C has no words for, and what cpu.c sets up with them. */
#ifndef KERNEL_CPU_H
#define KERNEL_CPU_H

#include "kernel.h"

/* GS points here in the kernel. entry.S knows the two offsets. */
struct cpu {
    uint64_t kernel_rsp;    /* the stack a SYSCALL of the current process starts on */
    uint64_t user_rsp;      /* scratch while entry.S changes stacks */
};

extern struct cpu cpu;
extern bool smap_enabled;

void cpu_init(void);                            /* descriptor tables, system calls, EFER, CR0 and CR4 */
bool cpu_offers_pcid(void);                     /* PCIDs, and INVPCID to name them */
void cpu_set_kernel_stack(uint64_t top);        /* for the next entry from ring 3, by trap or by SYSCALL */

static inline void outb(uint16_t port, uint8_t value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
static inline void outl(uint16_t port, uint32_t value) { __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port)); }

static inline uint8_t inb(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint64_t read_cr0(void) { uint64_t v; __asm__ volatile("movq %%cr0, %0" : "=r"(v)); return v; }
static inline uint64_t read_cr2(void) { uint64_t v; __asm__ volatile("movq %%cr2, %0" : "=r"(v)); return v; }
static inline uint64_t read_cr3(void) { uint64_t v; __asm__ volatile("movq %%cr3, %0" : "=r"(v)); return v; }
static inline uint64_t read_cr4(void) { uint64_t v; __asm__ volatile("movq %%cr4, %0" : "=r"(v)); return v; }
static inline void write_cr0(uint64_t v) { __asm__ volatile("movq %0, %%cr0" : : "r"(v) : "memory"); }
static inline void write_cr3(uint64_t v) { __asm__ volatile("movq %0, %%cr3" : : "r"(v) : "memory"); }
static inline void write_cr4(uint64_t v) { __asm__ volatile("movq %0, %%cr4" : : "r"(v) : "memory"); }
static inline void invlpg(uint64_t linear) { __asm__ volatile("invlpg (%0)" : : "r"(linear) : "memory"); }

enum { TSC_PER_MICROSECOND = 100 };

static inline uint64_t rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static inline uint64_t rdmsr(uint32_t number)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t number, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

/* The only place where the kernel runs with interrupts on. STI holds them off for one more instruction, so
 * none can slip in between it and HLT and leave the CPU asleep with work to do. */
static inline void wait_for_interrupt(void) { __asm__ volatile("sti; hlt; cli" : : : "memory"); }

#endif
