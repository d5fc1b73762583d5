/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page sizes with their A and D bits, and what the rights of the entries together allow. A row gives read, write and
 * fetch in ring 0, then in ring 3.
 */
#include "console.h"
#include "cpu.h"
#include "sections.h"
#include "window.h"

static void print_path(const struct page *page)
{
    for (int level = HIGHEST_WITH_RIGHTS; level >= page->level; level--) {
        entry_t entry = *page->path[level];
        const char *bits = entry & A ? (entry & D ? "AD" : "A") : (entry & D ? "D" : "-");
        print(" %s %s", entry_name(level), bits);
    }
}

/* Every page size in both windows, every access: is the byte reached, and which A and D bits did that set? */
void sizes(void)
{
    set_controls(PLAIN);
    for (int level = 1; level <= LARGEST_PAGE; level++) {
        for (int high = 0; high < 2; high++) {
            struct page page = open_window(high ? HIGH_WINDOW : WINDOW, level, ALL_RIGHTS);
            for (int i = 0; i < 6; i++) {
                enum instruction instruction = (enum instruction)(READ + i % 3);
                int ring = i < 3 ? 0 : 3;
                forget(&page);
                struct outcome outcome =
                    attempt((struct probe){.instruction = instruction, .ring = ring, .ax = page.linear});
                print("sizes %s %s ring %d %-5s ", page_name(level), high ? "high" : "low ", ring,
                      instruction_name(instruction));
                print_outcome(&outcome);
                if (instruction == READ)
                    print(" %02lx", outcome.ax & 0xff);
                print_path(&page);
                print("\n");
            }
        }
    }
}

static const struct { const char *name; entry_t clear, set; } CHANGES[] = {
    {"absent", P, 0}, {"no R/W", RW, 0}, {"no U/S", US, 0}, {"XD", 0, XD},
};
enum { ABSENT, NO_WRITE, NO_USER, EXECUTE_DISABLE, CHANGE_COUNT };

static entry_t changed(entry_t entry, int change)
{
    return (entry & ~CHANGES[change].clear) | CHANGES[change].set;
}

/* 32-bit paging has no XD, and the PDPTEs of PAE paging have no rights at all. */
static bool exists(int change, int level)
{
    return change == ABSENT || ((change != EXECUTE_DISABLE || XD != 0) && level <= HIGHEST_WITH_RIGHTS);
}

/* One right taken away at one level, for every page size; rows that concern R/W again with CR0.WP = 0. */
void rights(void)
{
    for (int size = 1; size <= LARGEST_PAGE; size++) {
        struct page page = open_window(WINDOW, size, ALL_RIGHTS);
        for (int level = LEVELS; level >= size; level--) {
            for (int i = 0; i < CHANGE_COUNT; i++) {
                if (!exists(i, level))
                    continue;
                entry_t before = *page.path[level];
                *page.path[level] = changed(before, i);
                for (int wp = 1; wp >= (i == NO_WRITE ? 0 : 1); wp--) {
                    struct controls controls = PLAIN;
                    controls.wp = wp;
                    set_controls(controls);
                    print("rights %s %-5s %-6s WP=%d ", page_name(size), entry_name(level), CHANGES[i].name, wp);
                    print_row(&page, false);
                }
                *page.path[level] = before;
            }
        }
    }
}

/* Pages of every kind under every combination of the protections that concern ring 0, and of EFER.NXE. */
void protections(void)
{
    static const struct { const char *name; entry_t flags; } kinds[] = {
        {"user", P | RW | US}, {"user read-only", P | US},
        {"supervisor", P | RW}, {"supervisor read-only", P}, {"absent", 0},
#if LEVELS > 2
        {"user XD", P | RW | US | XD}, {"supervisor XD", P | RW | XD},
#endif
    };
    for (int kind = 0; kind < (int)(sizeof kinds / sizeof *kinds); kind++) {
        struct page page = open_window(WINDOW, 1, kinds[kind].flags);
        for (int i = 0; i < 32; i++) {
            struct controls controls = PLAIN;
            bool ac = i >> 2 & 1;
            controls.smep = i & 1;
            controls.smap = i >> 1 & 1;
            controls.nxe = !(i >> 3 & 1);
            controls.wp = !(i >> 4 & 1);
            /* AC matters with SMAP only; of NXE and WP, a few rows tell all; XD with NXE = 0 is reserved. */
            bool ac_matters = controls.smap;
            bool nxe_matters = !controls.smap && !(kinds[kind].flags & XD);
            bool wp_matters = kinds[kind].flags & P && !(kinds[kind].flags & RW) && !controls.smep && controls.nxe;
            if ((ac && !ac_matters) || (!controls.nxe && !nxe_matters) || (!controls.wp && !wp_matters))
                continue;
            set_controls(controls);
            print("protections %-20s SMEP=%d SMAP=%d AC=%d NXE=%d WP=%d ", kinds[kind].name, controls.smep,
                  controls.smap, ac, controls.nxe, controls.wp);
            print_row(&page, ac);
        }
    }
}

/* Two upper entries lead to one table with different rights: so does the page below have different rights. */
void shared_tables(void)
{
    set_controls(PLAIN);
    for (int level = 2; level <= HIGHEST_WITH_RIGHTS; level++) {
        struct page first = open_window(WINDOW, 1, ALL_RIGHTS), second = first;
        second.linear += (word)1 << shift_of(level);
        for (int at = level; at <= LEVELS; at++)
            second.path[at] = entry_of(second.linear, at);
        *second.path[level] = *first.path[level];
        for (int i = NO_WRITE; i < CHANGE_COUNT; i++) {
            if (!exists(i, level))
                continue;
            entry_t before = *first.path[level];
            *first.path[level] = changed(before, i);
            print("shared two %ss, one with %-6s the one   ", entry_name(level), CHANGES[i].name);
            print_row(&first, false);
            print("shared two %ss, one with %-6s the other ", entry_name(level), CHANGES[i].name);
            print_row(&second, false);
            *first.path[level] = before;
        }
    }
}
