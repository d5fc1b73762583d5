/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses that the CPU makes on its own behalf. They are supervisor accesses in whatever ring they happen, and
 * EFLAGS.AC does not help them against SMAP.
 */
#include "console.h"
#include "cpu.h"
#include "sections.h"
#include "window.h"

#define DESCRIPTOR          0x00cff3000000ffffull   /* data, ring 3, accessed */
#define DESCRIPTOR_ACCESSED (1ull << 40)

/* A load of FS from an LDT in the window. The write is that of the descriptor's accessed bit. */
static void load_from_ldt(const struct page *page, bool accessed, int ring, bool ac)
{
    volatile uint64_t *descriptor = (volatile uint64_t *)TARGET_ALIAS;
    *descriptor = accessed ? DESCRIPTOR : DESCRIPTOR & ~DESCRIPTOR_ACCESSED;
    forget(page);
    struct outcome outcome =
        attempt((struct probe){.instruction = LOAD_FS, .ring = ring, .ax = LDT_ENTRY, .ac = ac});
    __asm__ volatile("movw %w0, %%fs" : : "r"(0));
    print(" ring %d ", ring);
    print_outcome(&outcome);
    if (outcome.vector == VECTOR_PF)
        print(", CR2 +%lx", (outcome.cr2 - (page->linear - SPOT)) & ~7ul);
    else
        print(" %s", *page->path[1] & D ? "AD" : *page->path[1] & A ? "A" : "-");
}

void implicit(bool by_the_book)
{
    static const struct { const char *name; entry_t flags; bool accessed, smap, ac; } rows[] = {
        {"a supervisor page", P | RW, true, false, false},
        {"a user page", ALL_RIGHTS, true, false, false},
        {"no page", 0, true, false, false},
        {"a supervisor page, SMAP = 1", P | RW, true, true, false},
        {"a user page, SMAP = 1", ALL_RIGHTS, true, true, false},
        {"a supervisor page, to set its accessed bit", P | RW, false, false, false},
        {"a read-only page, to set its accessed bit", P, false, false, false},
        {"a user page, SMAP = 1 and AC = 1", ALL_RIGHTS, true, true, true},
    };
    for (int i = 0; i < (int)(sizeof rows / sizeof *rows); i++) {
        if (rows[i].ac && !by_the_book)             /* QEMU's TCG lets AC help in ring 0 */
            continue;
        struct page page = open_window(WINDOW, 1, rows[i].flags);
        struct controls controls = PLAIN;
        controls.smap = rows[i].smap;
        set_controls(controls);
        ldt_init(page.linear - SPOT);
        print("%simplicit descriptor in %s:", rows[i].ac ? "book " : "", rows[i].name);
        load_from_ldt(&page, rows[i].accessed, 0, rows[i].ac);
        print(";");
        load_from_ldt(&page, rows[i].accessed, 3, rows[i].ac);
        print("\n");
    }
}

/* Delivery: the gate of INT in a page that is not present; and a stack that is not, which becomes a double fault. */
void delivery(void)
{
    set_controls(PLAIN);
    for (int ring = 0; ring <= 3; ring += 3) {
        entry_t *gate = entry_of((word)done_gate(), 1);
        *gate &= ~(entry_t)P;
        flush();
        struct outcome outcome = attempt((struct probe){.instruction = INT, .ring = ring});
        *gate |= P;
        flush();
        print("delivery gate in no page, ring %d: ", ring);
        print_outcome(&outcome);
        print(", CR2 gate+%lx\n", outcome.cr2 - (word)done_gate());
    }
#if LEVELS >= 4
    entry_t *stack = entry_of((word)ring3_trap_stack(), 1);
    *stack &= ~(entry_t)P;
    flush();
    struct outcome outcome = attempt((struct probe){.instruction = INT, .ring = 3});
    *stack |= P;
    flush();
    print("delivery stack in no page, ring 3: ");
    print_outcome(&outcome);
    bool in_stack = outcome.cr2 / PAGE_SIZE == (word)ring3_trap_stack() / PAGE_SIZE;
    print(", CR2 in %s\n", in_stack ? "the stack" : "another page");
#endif
}
