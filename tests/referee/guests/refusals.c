/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every reason for which an access is refused, from ring 0 and from ring 3: all that the handler was given, a line
 * each. CR2 is given relative to the address that the instruction was told to use.
 */
#include "console.h"
#include "cpu.h"
#include "sections.h"
#include "window.h"

static void report(const char *section, const char *name, struct probe probe, const struct outcome *outcome)
{
    print("%s %s, %s in ring %d: ", section, name, instruction_name(probe.instruction), probe.ring);
    print_outcome(outcome);
    if (outcome->vector == VECTOR_PF)
        print(", CR2 +%lx", outcome->cr2 - probe.ax);
    print("\n");
}

struct refusal {
    const char *name;
    int rings;                      /* 1 ring 0, 2 ring 3, 3 both */
    int instructions;               /* 1 << READ and so on */
    entry_t flags;                  /* of the PTE */
    struct controls controls;       /* what differs from PLAIN */
};

enum { RING0 = 1, RING3 = 2, READS = 1 << READ, WRITES = 1 << WRITE, FETCHES = 1 << FETCH, ALL = 7 };

static const struct refusal REFUSALS[] = {
    {"not present", RING0 | RING3, ALL, 0, {0}},
    {"a supervisor page", RING3, ALL, P | RW, {0}},
    {"a read-only page", RING3, WRITES, P | US, {0}},
    {"a read-only page, WP = 1", RING0, WRITES, P | US, {0}},
    {"a user page, SMEP = 1", RING0, FETCHES, ALL_RIGHTS, {.smep = true}},
    {"a user page, SMAP = 1 and AC = 0", RING0, READS | WRITES, ALL_RIGHTS, {.smap = true}},
#if LEVELS > 2
    {"an XD page", RING0 | RING3, FETCHES, ALL_RIGHTS | XD, {0}},
#endif
};

void refusals(void)
{
    for (int i = 0; i < (int)(sizeof REFUSALS / sizeof *REFUSALS); i++) {
        const struct refusal *refusal = &REFUSALS[i];
        struct page page = open_window(WINDOW, 1, refusal->flags);
        struct controls controls = PLAIN;
        controls.smep = refusal->controls.smep;
        controls.smap = refusal->controls.smap;
        set_controls(controls);
        for (int n = 0; n < 6; n++) {
            struct probe probe = {
                .instruction = (enum instruction)(n % 3), .ring = n < 3 ? 0 : 3, .ax = page.linear,
            };
            if (!(refusal->rings >> n / 3 & 1) || !(refusal->instructions >> n % 3 & 1))
                continue;
            forget(&page);
            struct outcome outcome = attempt(probe);
            report("refusals", refusal->name, probe, &outcome);
        }
    }
}

/* A word across two pages, the second refused: CR2 is the second's, and nothing was stored in the first. */
void across(void)
{
    set_controls(PLAIN);
    volatile uint8_t *last = (volatile uint8_t *)(TARGET_ALIAS + PAGE_SIZE - 1);
    struct page page = open_window(WINDOW, 1, ALL_RIGHTS);
    *last = 0x11;
    for (int ring = 0; ring <= 3; ring += 3) {
        for (int instruction = READ_WORD; instruction <= WRITE_WORD; instruction++) {
            struct probe probe = {
                .instruction = (enum instruction)instruction, .ring = ring,
                .ax = page.linear - SPOT + PAGE_SIZE - 1, .dx = 0x2222,
            };
            flush();
            struct outcome outcome = attempt(probe);
            report("across", "into a page that is not present", probe, &outcome);
        }
    }
    print("across the byte in the first page: %02x\n", *last);
}

#if LEVELS >= 4
/* Addresses that are not canonical: #GP, or #SS if the access goes through SS. */
void not_canonical(bool by_the_book)
{
    enum { SIGN = LEVELS == 5 ? 56 : 47 };      /* the bit that all above it must repeat */
    static const struct { const char *name; word linear; } addresses[] = {
        {"the first above the lower half", 1ull << SIGN}, {"the last below the upper half", ~(1ull << SIGN)},
    };
    static const enum instruction instructions[] = {READ, WRITE, FETCH, READ_STACK};
    set_controls(PLAIN);
    for (int ring = 0; ring <= 3; ring += 3) {
        for (int i = 0; i < 2; i++) {
            for (int n = 0; n < (by_the_book ? 4 : 3); n++) {   /* QEMU's TCG gives #GP where the manual has #SS */
                struct probe probe = {.instruction = instructions[n], .ring = ring, .ax = addresses[i].linear};
                struct outcome outcome = attempt(probe);
                const char *section = instructions[n] == READ_STACK ? "book canonical" : "canonical";
                report(section, addresses[i].name, probe, &outcome);
            }
        }
    }
}
#endif

/*
 * Reserved bits. A row's section is "rsvd": the referee reports these faults without P, so the comparison masks it.
 */
static void reserved_bits(int size, int level, int low, int high, bool ps, const struct controls *controls)
{
    struct page page = open_window(WINDOW, size, ALL_RIGHTS);
    set_controls(*controls);
    for (int bit = low; bit <= high; bit++) {
        entry_t before = *page.path[level];
        *page.path[level] = before | (entry_t)1 << bit;
        print("rsvd %s %-5s bit %d%s ", level == size ? page_name(size) : "table", entry_name(level), bit,
              ps ? " (PS)" : controls->nxe ? "" : ", NXE=0");
        print_row(&page, false);
        *page.path[level] = before;
    }
}

void reserved(void)
{
    struct controls nxe_off = PLAIN;
    nxe_off.nxe = false;
#if LEVELS == 2
    (void)nxe_off;
    reserved_bits(2, 2, 21, 21, false, &PLAIN);
#else
    enum { ADDRESS_BITS = 40, HIGHEST = LEVELS == 3 ? 62 : 51 };
    for (int level = 1; level <= HIGHEST_WITH_RIGHTS; level++) {
        reserved_bits(1, level, ADDRESS_BITS, ADDRESS_BITS, false, &PLAIN);
        reserved_bits(1, level, HIGHEST, HIGHEST, false, &PLAIN);
        reserved_bits(1, level, 63, 63, false, &nxe_off);
        if (level > 3)
            reserved_bits(1, level, 7, 7, true, &PLAIN);
    }
    reserved_bits(2, 2, 13, 13, false, &PLAIN);
    reserved_bits(2, 2, 20, 20, false, &PLAIN);
    reserved_bits(2, 2, HIGHEST, HIGHEST, false, &PLAIN);
    reserved_bits(2, 2, 63, 63, false, &nxe_off);
#if LEVELS > 3
    reserved_bits(3, 3, 13, 13, false, &PLAIN);
    reserved_bits(3, 3, 29, 29, false, &PLAIN);
    reserved_bits(3, 3, 51, 51, false, &PLAIN);
    reserved_bits(3, 3, 63, 63, false, &nxe_off);
#endif
#endif
}

#if LEVELS == 2
/* CR4.PSE = 0: PS is ignored, and the PDE refers to a table. PSE-36: bits 20:13 are bits 39:32 of the address. */
void page_size_extensions(void)
{
    struct page page = open_window(WINDOW, 1, ALL_RIGHTS);
    struct page large = {.level = 2, .linear = page.linear, .path = {[2] = page.path[2]}};
    *page.path[2] |= PS;
    for (int pse = 0; pse <= 1; pse++) {
        struct controls controls = PLAIN;
        controls.pse = pse;
        set_controls(controls);
        *page.path[2] = (*page.path[2] & 0xfff) | (pse ? TARGET : *page.path[2] & ~0xfffu);
        print("pse PSE=%d PDE with PS: ", pse);
        print_row(pse ? &large : &page, false);
    }
    large = open_window(WINDOW, 2, ALL_RIGHTS);
    for (int bit = 13; bit <= 20; bit++) {
        entry_t before = *large.path[2];
        *large.path[2] |= 1u << bit;
        forget(&large);
        struct outcome outcome = attempt((struct probe){.instruction = READ, .ring = 3, .ax = large.linear});
        print("pse 4M PDE bit %d: ", bit);
        print_outcome(&outcome);
        print(outcome.vector == VECTOR_DONE && (outcome.ax & 0xff) == 0xc3 ? ", the same byte\n" : ", another byte\n");
        *large.path[2] = before;
    }
}
#endif
