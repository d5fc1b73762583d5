/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "paging.h"
#include "console.h"
#include "cpu.h"

enum { TABLES = 32, LOW_MEMORY = 0x200000 };

static entry_t tables[TABLES][ENTRIES] __attribute__((aligned(PAGE_SIZE)));
static int tables_used = 1, tables_kept;            /* the first is the root */
static const entry_t ADDRESS = ~(entry_t)(PAGE_SIZE - 1) & ~XD;

extern const char probes[];

static int index_of(word linear, int level)
{
    return (int)(linear >> shift_of(level) & (ENTRIES - 1));
}

static entry_t new_table(void)
{
    if (tables_used == TABLES) {
        print("no table left\n");
        end(EXIT_PANIC);
    }
    entry_t *table = tables[tables_used++];
    for (int i = 0; i < ENTRIES; i++)
        table[i] = 0;
    return (entry_t)(word)table;
}

entry_t *entry_of(word linear, int level)
{
    entry_t *table = tables[0];
    for (int at = LEVELS;; at--) {
        entry_t *entry = &table[index_of(linear, at)];
        if (at == level)
            return entry;
        if (!(*entry & P))
            *entry = new_table() | (at > HIGHEST_WITH_RIGHTS ? P : ALL_RIGHTS);
        table = (entry_t *)(word)(*entry & ADDRESS);
    }
}

void map(word linear, entry_t physical, int level, entry_t flags)
{
    *entry_of(linear, level) = physical | flags | (level > 1 ? PS : 0);
}

void clear_windows(void)
{
    for (int i = 0; i < 4; i++) {                   /* in 32-bit paging a window has several of the root's entries */
        tables[0][index_of(WINDOW, LEVELS) + i] = 0;
        tables[0][index_of(HIGH_WINDOW, LEVELS) + i] = 0;
    }
    tables_used = tables_kept;
}

void flush(void)
{
    write_cr3(read_cr3());
}

static word with(word value, word bits, bool on)
{
    return on ? value | bits : value & ~bits;
}

void set_controls(struct controls wanted)
{
    word cr0 = with(read_cr0(), CR0_WP, wanted.wp);
    word cr4 = read_cr4();
    cr4 = with(cr4, CR4_SMEP, wanted.smep);
    cr4 = with(cr4, CR4_SMAP, wanted.smap);
    cr4 = with(cr4, CR4_PSE, wanted.pse);
    cr4 = with(cr4, CR4_PKE, wanted.pke);
    if (cr0 != read_cr0())
        write_cr0(cr0);
    if (cr4 != read_cr4())
        write_cr4(cr4);
    uint64_t efer = rdmsr(IA32_EFER);
    uint64_t wanted_efer = wanted.nxe ? efer | EFER_NXE : efer & ~(uint64_t)EFER_NXE;
    if (wanted_efer != efer)
        wrmsr(IA32_EFER, wanted_efer);
}

void paging_init(void)
{
    for (word address = 0; address < LOW_MEMORY; address += PAGE_SIZE)
        map(address, address, 1, P | RW);
    map(USER_TEXT, (word)probes, 1, P | US);
    map(USER_STACK, TARGET + 0x3ff000, 1, ALL_RIGHTS);
    for (word offset = 0; offset < 2 * PAGE_SIZE; offset += PAGE_SIZE)
        map(TARGET_ALIAS + offset, TARGET + offset, 1, P | RW);
    tables_kept = tables_used;

    write_cr3((word)tables[0]);
#if LEVELS == 3
    write_cr4(read_cr4() | CR4_PAE);
#endif
    write_cr0(read_cr0() | CR0_PG);
}

const char *entry_name(int level)
{
    static const char *const names[] = {"", "PTE", "PDE", "PDPTE", "PML4E", "PML5E"};
    return names[level];
}

const char *page_name(int level)
{
    static const char *const names[] = {"", "4K", LEVELS == 2 ? "4M" : "2M", "1G"};
    return names[level];
}
