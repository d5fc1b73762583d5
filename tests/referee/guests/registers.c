/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may be written to CR0, CR3, CR4 and EFER. By the book only: QEMU's TCG checks few of these.
 */
#include "console.h"
#include "cpu.h"
#include "sections.h"
#include "window.h"

static word register_value(enum instruction instruction)
{
    return instruction == MOV_CR0 ? read_cr0() : instruction == MOV_CR3 ? read_cr3()
           : instruction == MOV_CR4 ? read_cr4() : (word)rdmsr(IA32_EFER);
}

/* Write `value` to a control register in ring 0; put the old value back if that was allowed. */
static void write_attempt(const char *name, enum instruction instruction, word value)
{
    word before = register_value(instruction);
    struct outcome outcome = attempt((struct probe){.instruction = instruction, .ax = value});
    bool changed = register_value(instruction) != before;
    print("book registers %s %s: ", instruction_name(instruction), name);
    print_outcome(&outcome);
    print(changed && outcome.vector != VECTOR_DONE ? " !changed\n" : "\n");
    if (changed)
        attempt((struct probe){.instruction = instruction, .ax = before});
}

static void msr_attempt(const char *name, uint32_t number, uint64_t value)
{
    uint64_t before = rdmsr(number);
    struct outcome outcome = attempt(
        (struct probe){.instruction = WRMSR, .ax = (uint32_t)value, .dx = (word)(value >> 32), .cx = number});
    print("book registers WRMSR %s: ", name);
    print_outcome(&outcome);
    print(rdmsr(number) != before && outcome.vector != VECTOR_DONE ? " !changed\n" : "\n");
    wrmsr(number, before);
}

static void ring3_attempt(enum instruction instruction, struct probe probe)
{
    probe.instruction = instruction;
    probe.ring = 3;
    struct outcome outcome = attempt(probe);
    print("book registers %s in ring 3: ", instruction_name(instruction));
    print_outcome(&outcome);
    print("\n");
}

void registers(void)
{
    set_controls(PLAIN);
    word cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4();
    uint64_t efer = rdmsr(IA32_EFER);

    write_attempt("PG = 1 with PE = 0", MOV_CR0, cr0 & ~(word)CR0_PE);
    write_attempt("NW = 1 with CD = 0", MOV_CR0, (cr0 | CR0_NW) & ~(word)CR0_CD);
    write_attempt("NW = 1 with CD = 1", MOV_CR0, cr0 | CR0_NW | CR0_CD);
    write_attempt("WP changed", MOV_CR0, cr0 ^ CR0_WP);
    write_attempt("bit 15, reserved", MOV_CR4, cr4 | 1 << 15);
    write_attempt("bit 31, reserved", MOV_CR4, cr4 | 1ul << 31);
    write_attempt("PGE changed", MOV_CR4, cr4 ^ CR4_PGE);
    msr_attempt("EFER: bit 1, reserved", IA32_EFER, efer | 1 << 1);
    msr_attempt("EFER: bit 63, reserved", IA32_EFER, efer | 1ull << 63);
    msr_attempt("EFER: LME changed with PG = 1", IA32_EFER, efer ^ EFER_LME);
    msr_attempt("EFER: NXE changed", IA32_EFER, efer ^ EFER_NXE);
    write_attempt("PWT and PCD", MOV_CR3, cr3 | 0x18);
#if LEVELS >= 4
    write_attempt("bit 32, reserved", MOV_CR0, cr0 | 1ul << 32);
    write_attempt("PG = 0 in 64-bit code", MOV_CR0, cr0 & ~CR0_PG);
    write_attempt("bit 32, reserved", MOV_CR4, cr4 | 1ul << 32);
    write_attempt("PAE = 0 in long mode", MOV_CR4, cr4 & ~(word)CR4_PAE);
    write_attempt("LA57 changed in long mode", MOV_CR4, cr4 ^ CR4_LA57);
    write_attempt("bit 40, beyond the physical addresses", MOV_CR3, cr3 | 1ul << 40);
    write_attempt("bit 51, beyond the physical addresses", MOV_CR3, cr3 | 1ul << 51);
    write_attempt("bit 62, reserved", MOV_CR3, cr3 | 1ul << 62);
    write_attempt("bit 63 with PCIDE = 0", MOV_CR3, cr3 | 1ul << 63);
    if (cpu_features().pcid) {
        write_cr3(cr3 | 0x18);
        write_attempt("PCIDE = 1 with CR3 bits 11:0 not 0", MOV_CR4, cr4 | CR4_PCIDE);
        write_cr3(cr3);
    }
    msr_attempt("FS_BASE: not canonical", IA32_FS_BASE, 1ull << 62);
    write_attempt("an address that is not canonical", INVLPG, 1ul << 62);
#else
    write_attempt("PCIDE = 1 outside long mode", MOV_CR4, cr4 | CR4_PCIDE);
#endif
    ring3_attempt(MOV_CR0, (struct probe){.ax = cr0});
    ring3_attempt(MOV_CR3, (struct probe){.ax = cr3});
    ring3_attempt(MOV_CR4, (struct probe){.ax = cr4});
    ring3_attempt(WRMSR, (struct probe){.ax = (word)efer, .cx = IA32_EFER});
    ring3_attempt(INVLPG, (struct probe){.ax = WINDOW});
}

#if LEVELS == 3
/* The PDPTEs of PAE paging are registers. Memory is read when they are loaded, and at no other time. */
static void read_window(const struct page *page, const char *name)
{
    invlpg(page->linear);
    struct outcome outcome = attempt((struct probe){.instruction = READ, .ring = 3, .ax = page->linear});
    print("book pdptes %s: ", name);
    print_outcome(&outcome);
    print("\n");
}

/* With a bad PDPTE in memory: does `instruction` load the registers and find it? */
static void load_attempt(const char *name, enum instruction instruction, word value)
{
    word before = register_value(instruction);
    struct outcome outcome = attempt((struct probe){.instruction = instruction, .ax = value});
    print("book pdptes a reserved bit, %s: ", name);
    print_outcome(&outcome);
    print("\n");
    if (outcome.vector == VECTOR_DONE && instruction != MOV_CR3)
        attempt((struct probe){.instruction = instruction, .ax = before});
}

void pdptes(void)
{
    static const int reserved_bits[] = {1, 2, 5, 6, 7, 8, 40, 62, 63};
    set_controls(PLAIN);
    struct page page = open_window(WINDOW, 1, ALL_RIGHTS);
    entry_t *pdpte = page.path[3], good = *pdpte;
    word cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4();

    read_window(&page, "loaded");
    print("book pdptes in memory after an access: %s\n", *pdpte == good ? "as before" : "changed");
    *pdpte = 0;
    read_window(&page, "not present in memory, not loaded");
    write_cr3(cr3);
    read_window(&page, "not present in memory, loaded");
    *pdpte = good;
    read_window(&page, "present again in memory, not loaded");
    write_cr3(cr3);
    read_window(&page, "present again in memory, loaded");

    for (int i = 0; i < (int)(sizeof reserved_bits / sizeof *reserved_bits); i++) {
        *pdpte = good | 1ull << reserved_bits[i];
        struct outcome outcome = attempt((struct probe){.instruction = MOV_CR3, .ax = cr3});
        print("book pdptes bit %d of a present one, MOV CR3: ", reserved_bits[i]);
        print_outcome(&outcome);
        print("\n");
    }
    read_window(&page, "a bad one in memory, refused");
    load_attempt("MOV CR3", MOV_CR3, cr3);
    load_attempt("MOV CR0 changes CD", MOV_CR0, cr0 ^ CR0_CD);
    load_attempt("MOV CR0 changes WP", MOV_CR0, cr0 ^ CR0_WP);
    load_attempt("MOV CR4 changes PGE", MOV_CR4, cr4 ^ CR4_PGE);
    load_attempt("MOV CR4 changes PSE", MOV_CR4, cr4 ^ CR4_PSE);
    load_attempt("MOV CR4 changes SMEP", MOV_CR4, cr4 ^ CR4_SMEP);
    load_attempt("MOV CR4 changes SMAP", MOV_CR4, cr4 ^ CR4_SMAP);
    *pdpte = (good & ~(entry_t)P) | 1ull << 62;
    load_attempt("in one that is not present, MOV CR3", MOV_CR3, cr3);
    *pdpte = good;
    write_cr3(cr3);
}
#endif
