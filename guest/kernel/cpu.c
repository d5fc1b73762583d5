/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the CPU must be told once: descriptor tables, the SYSCALL entry, the protections of CR0, CR4 and EFER. */
#include "cmdline.h"
#include "cpu.h"
#include "trap.h"
#include "vm.h"

enum {
    CR0_MP = 1 << 1, CR0_EM = 1 << 2, CR0_NE = 1 << 5, CR0_WP = 1 << 16,
    CR4_PGE = 1 << 7, CR4_SMEP = 1 << 20, CR4_SMAP = 1 << 21,
    EFER_SCE = 1 << 0, EFER_NXE = 1 << 11,
    RFLAGS_TF = 1 << 8, RFLAGS_IF = 1 << 9, RFLAGS_DF = 1 << 10, RFLAGS_NT = 1 << 14, RFLAGS_AC = 1 << 18,
    IA32_EFER = (int)0xc0000080, IA32_STAR = (int)0xc0000081, IA32_LSTAR = (int)0xc0000082,
    IA32_FMASK = (int)0xc0000084, IA32_GS_BASE = (int)0xc0000101, IA32_KERNEL_GS_BASE = (int)0xc0000102,
    GATES = 48,                     /* 32 exceptions and 16 interrupts; INT with any other number is #GP */
    DOUBLE_FAULT_IST = 1,
};

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map;                /* beyond the limit: no port is open to ring 3 */
} __attribute__((packed));

struct gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t ist;
    uint8_t type;
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
};

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

struct cpu cpu;
bool smap_enabled;

static struct tss tss __attribute__((aligned(16)));
static struct gate idt[GATES] __attribute__((aligned(16)));
static uint8_t double_fault_stack[PAGE_SIZE] __attribute__((aligned(16)));
static uint64_t gdt[7] __attribute__((aligned(16))) = {
    0,
    0x00af9b000000ffff,             /* KERNEL_CODE */
    0x00cf93000000ffff,             /* KERNEL_DATA */
    0x00cff3000000ffff,             /* USER_DATA */
    0x00affb000000ffff,             /* USER_CODE */
    0, 0,                           /* TSS_SELECTOR, two slots */
};

struct cpuid { uint32_t eax, ebx, ecx, edx; };

static struct cpuid cpuid(uint32_t leaf)
{
    struct cpuid r;
    __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(0));
    return r;
}

static void gdt_init(void)
{
    uint64_t base = (uint64_t)&tss;
    gdt[5] = (sizeof tss - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
    gdt[6] = base >> 32;
    tss.io_map = sizeof tss;
    tss.ist[DOUBLE_FAULT_IST - 1] = (uint64_t)double_fault_stack + sizeof double_fault_stack;
    struct table_pointer pointer = {sizeof gdt - 1, (uint64_t)gdt};
    __asm__ volatile("lgdt %0" : : "m"(pointer));
    /* CS and SS keep their selectors: the new table says the same of them. */
    __asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR));
}

static void idt_init(void)
{
    for (uint64_t vector = 0; vector < GATES; vector++) {
        uint64_t stub = (uint64_t)trap_stubs + 16 * vector;
        idt[vector] = (struct gate){
            .offset_low = (uint16_t)stub,
            .offset_middle = (uint16_t)(stub >> 16),
            .offset_high = (uint32_t)(stub >> 32),
            .selector = KERNEL_CODE,
            .ist = vector == VECTOR_DOUBLE_FAULT ? DOUBLE_FAULT_IST : 0,
            /* All are interrupt gates, which clear IF. Only INT3 may be asked for by ring 3. */
            .type = vector == VECTOR_BREAKPOINT ? 0xee : 0x8e,
        };
    }
    struct table_pointer pointer = {sizeof idt - 1, (uint64_t)idt};
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

static void syscall_init(void)
{
    wrmsr((uint32_t)IA32_STAR, (uint64_t)KERNEL_DATA << 48 | (uint64_t)KERNEL_CODE << 32);
    wrmsr((uint32_t)IA32_LSTAR, (uint64_t)syscall_entry);
    wrmsr((uint32_t)IA32_FMASK, RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC);
    wrmsr((uint32_t)IA32_EFER, rdmsr((uint32_t)IA32_EFER) | EFER_SCE);
    wrmsr((uint32_t)IA32_GS_BASE, (uint64_t)&cpu);
    wrmsr((uint32_t)IA32_KERNEL_GS_BASE, 0);
}

static void nx_init(void)
{
    bool offered = cpuid(0x80000000).eax >= 0x80000001 && (cpuid(0x80000001).edx & 1 << 20);
    if (offered && switch_value(SWITCH_CPU_NX) == CPU_ON) {
        wrmsr((uint32_t)IA32_EFER, rdmsr((uint32_t)IA32_EFER) | EFER_NXE);
        pte_xd = 1ull << 63;
    }
}

void cpu_init(void)
{
    gdt_init();
    idt_init();
    syscall_init();
    nx_init();

    uint32_t extended = cpuid(0).eax >= 7 ? cpuid(7).ebx : 0;
    uint64_t cr4 = read_cr4();
    if (cpuid(1).edx & 1 << 13)
        cr4 |= CR4_PGE;
    if ((extended & 1 << 7) && switch_value(SWITCH_CPU_SMEP) == CPU_ON)
        cr4 |= CR4_SMEP;
    if ((extended & 1 << 20) && switch_value(SWITCH_CPU_SMAP) == CPU_ON)
        cr4 |= CR4_SMAP;
    write_cr4(cr4);
    smap_enabled = cr4 & CR4_SMAP;

    /* EM makes any x87 instruction #NM: there is no FP state here that processes could share by mistake. */
    uint64_t cr0 = (read_cr0() | CR0_EM | CR0_NE) & ~(uint64_t)CR0_MP;
    if (switch_value(SWITCH_CPU_WP) == CPU_ON)
        cr0 |= CR0_WP;
    write_cr0(cr0);
}

bool cpu_offers_pcid(void)
{
    return cpuid(0).eax >= 7 && cpuid(1).ecx & 1 << 17 && cpuid(7).ebx & 1 << 10;
}

void cpu_set_kernel_stack(uint64_t top)
{
    tss.rsp[0] = top;
    cpu.kernel_rsp = top;
}
