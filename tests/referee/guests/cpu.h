/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The instructions that C has no words for, and the bits of the control registers. */
#ifndef CPU_H
#define CPU_H
#include "mode.h"

enum {
    CR0_PE = 1 << 0, CR0_ET = 1 << 4, CR0_WP = 1 << 16, CR0_NW = 1 << 29, CR0_CD = 1 << 30,
    CR4_PSE = 1 << 4, CR4_PAE = 1 << 5, CR4_PGE = 1 << 7, CR4_LA57 = 1 << 12, CR4_PCIDE = 1 << 17,
    CR4_SMEP = 1 << 20, CR4_SMAP = 1 << 21, CR4_PKE = 1 << 22,
    EFER_SCE = 1 << 0, EFER_LME = 1 << 8, EFER_NXE = 1 << 11,
    FLAGS_ALWAYS = 1 << 1, FLAGS_AC = 1 << 18,
};
static const word CR0_PG = 1u << 31;
static const uint32_t IA32_EFER = 0xc0000080, IA32_FS_BASE = 0xc0000100;

enum { VECTOR_UD = 6, VECTOR_DF = 8, VECTOR_NP = 11, VECTOR_SS = 12, VECTOR_GP = 13, VECTOR_PF = 14 };

/* What CPUID offers beyond what every image needs: SMEP, SMAP, PGE, XD, and pages of each size. */
struct features { bool pcid, invpcid, pku; };

struct features cpu_features(void);
void cpu_init(void);                /* descriptor tables; the GDT is loaded already */
void ldt_init(word base);           /* an LDT of one descriptor: LDT_ENTRY */
const void *done_gate(void);        /* the first byte of a page that holds no other gate in use */
const void *ring3_trap_stack(void); /* the page of the stack that events in ring 3 are delivered on */

#define READ_REGISTER(name) \
    static inline word read_##name(void) \
    { word value; __asm__ volatile("mov %%" #name ", %0" : "=r"(value)); return value; }
#define WRITE_REGISTER(name) \
    static inline void write_##name(word value) \
    { __asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory"); }

READ_REGISTER(cr0)
READ_REGISTER(cr2)
READ_REGISTER(cr3)
READ_REGISTER(cr4)
WRITE_REGISTER(cr0)
WRITE_REGISTER(cr3)
WRITE_REGISTER(cr4)

static inline uint64_t rdmsr(uint32_t number)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t number, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static inline void invlpg(word linear)
{
    __asm__ volatile("invlpg (%0)" : : "r"(linear) : "memory");
}

static inline uint8_t inb(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline void outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

#endif
