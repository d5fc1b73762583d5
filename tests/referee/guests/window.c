/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "window.h"
#include "console.h"
#include "cpu.h"

enum { RET = 0xc3 };

struct page open_window(word window, int level, entry_t flags)
{
    clear_windows();
    *(volatile uint8_t *)(TARGET_ALIAS + SPOT) = RET;
    struct page page = {.level = level, .linear = window + TARGET + SPOT};
    map(page.linear, level == 3 ? 0 : TARGET, level, flags);
    for (int at = level; at <= LEVELS; at++)
        page.path[at] = entry_of(page.linear, at);
    flush();
    return page;
}

void forget(const struct page *page)
{
    for (int level = page->level; level <= HIGHEST_WITH_RIGHTS; level++)
        *page->path[level] &= ~(entry_t)(A | D);
    flush();
}

const char *anomaly(const struct page *page, enum instruction instruction, const struct outcome *outcome)
{
    bool dirty = *page->path[page->level] & D;
    if (outcome->vector != VECTOR_DONE) {
        if (outcome->vector == VECTOR_PF && outcome->cr2 != page->linear)
            return "!CR2";
        return !outcome->exact ? "!IP" : dirty ? "!D" : "";
    }
    for (int level = page->level; level <= HIGHEST_WITH_RIGHTS; level++)
        if (!(*page->path[level] & A))
            return "!A";
    return dirty != (instruction == WRITE) ? "!D" : "";
}

static void print_cell(const struct page *page, int ring, enum instruction instruction, bool ac)
{
    forget(page);
    struct outcome outcome =
        attempt((struct probe){.instruction = instruction, .ring = ring, .ax = page->linear, .ac = ac});
    const char *text = outcome.vector == VECTOR_DONE ? "ok"
                       : outcome.vector == VECTOR_PF ? error_letters(outcome.error) : "other";
    const char *wrong = anomaly(page, instruction, &outcome);
    bool last = ring == 3 && instruction == FETCH;
    print_string(text, *wrong || last ? 0 : 5);
    if (*wrong)
        print_string(wrong, last ? 0 : 5);
}

void print_row(const struct page *page, bool ac)
{
    for (int ring = 0; ring <= 3; ring += 3) {
        print_string(ring ? "| ring 3 " : "ring 0 ", 0);
        for (int instruction = READ; instruction <= FETCH; instruction++)
            print_cell(page, ring, (enum instruction)instruction, ac);
    }
    print("\n");
}

const char *instruction_name(enum instruction instruction)
{
    static const char *const names[] = {
        [READ] = "read", [WRITE] = "write", [FETCH] = "fetch", [READ_STACK] = "read through SS",
        [READ_WORD] = "read of a word", [WRITE_WORD] = "write of a word", [LOAD_FS] = "load of FS", [INT] = "INT",
        [MOV_CR0] = "MOV CR0", [MOV_CR3] = "MOV CR3", [MOV_CR4] = "MOV CR4", [WRMSR] = "WRMSR",
        [INVLPG] = "INVLPG", [INVPCID] = "INVPCID", [WRPKRU] = "WRPKRU", [RDPKRU] = "RDPKRU",
    };
    return names[instruction];
}
