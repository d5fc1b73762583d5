/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where no CPU may use an old translation: after an invalidation that covers it, and where none is needed. What a CPU
 * may still use without one is its own affair and is not asked here.
 */
#include "console.h"
#include "cpu.h"
#include "sections.h"
#include "window.h"

enum { OTHER_FRAME = 0x00c00000, OLD = 0xc3, NEW = 0xaa };

/* Let the TLB have the page as it is. */
static void use(const struct page *page)
{
    attempt((struct probe){.instruction = READ, .ring = 3, .ax = page->linear});
}

/* A page that was used, with OLD in it, and whose entry now leads to NEW. */
static struct page with_new_frame(int level, entry_t global)
{
    struct page page = open_window(WINDOW, level, ALL_RIGHTS);
    entry_t old = *page.path[level], new = (old & ~(entry_t)TARGET) | OTHER_FRAME;
    *page.path[level] = new;
    flush();
    *(volatile uint8_t *)page.linear = NEW;
    *page.path[level] = old | global;
    flush();
    use(&page);
    *page.path[level] = new | global;
    return page;
}

static void show(const struct page *page, const char *name)
{
    struct outcome outcome = attempt((struct probe){.instruction = READ, .ring = 3, .ax = page->linear});
    print("invalidation %s, %s: ", page_name(page->level), name);
    print_outcome(&outcome);
    print(outcome.vector != VECTOR_DONE ? "\n" : (outcome.ax & 0xff) == NEW ? ", fresh\n" : ", stale\n");
}

static void frames(int level)
{
    struct page page = with_new_frame(level, 0);
    invlpg(page.linear);
    show(&page, "another frame, INVLPG");
    page = with_new_frame(level, 0);
    flush();
    show(&page, "another frame, MOV CR3");

    write_cr4(read_cr4() | CR4_PGE);
    page = with_new_frame(level, G);
    invlpg(page.linear);
    show(&page, "another frame, global, INVLPG");
    page = with_new_frame(level, G);
    write_cr4(read_cr4() & ~(word)CR4_PGE);
    show(&page, "another frame, global, PGE changed");

    page = with_new_frame(level, 0);
    *page.path[level] &= ~(entry_t)P;
    invlpg(page.linear);
    show(&page, "no longer present, INVLPG");
    *page.path[level] |= P;
    show(&page, "present again, nothing");
}

/* A right that was missing, and was found missing, is given: at most one more fault, then the access is made. */
static void more_rights(int level)
{
    struct page page = open_window(WINDOW, level, P | US);
    struct probe probe = {.instruction = WRITE, .ring = 3, .ax = page.linear};
    attempt(probe);
    *page.path[level] |= RW;
    struct outcome outcome = attempt(probe);
    if (outcome.vector == VECTOR_PF)
        outcome = attempt(probe);
    print("invalidation %s, writable now, at most one fault: ", page_name(level));
    print_outcome(&outcome);
    print("\n");
}

/* INVLPG covers the entries above the page as well. */
static void other_table(void)
{
    struct page page = with_new_frame(1, 0);
    entry_t *entry = page.path[2];
    word neighbour_linear = page.linear + ((word)1 << shift_of(2));
    map(neighbour_linear, OTHER_FRAME, 1, ALL_RIGHTS);
    entry_t *neighbour = entry_of(neighbour_linear, 2);
    *page.path[1] = TARGET | ALL_RIGHTS;
    flush();
    use(&page);
    *entry = *neighbour;
    invlpg(page.linear);
    show(&page, "another page table, INVLPG");

    page = with_new_frame(2, 0);
    *page.path[2] = 0;
    map(page.linear, OTHER_FRAME, 1, ALL_RIGHTS);
    invlpg(page.linear);
    show(&page, "a table instead, INVLPG");
}

/* SMEP holds from the MOV CR4 on, whatever was translated before. */
static void smep(void)
{
    struct page page = open_window(WINDOW, 1, ALL_RIGHTS);
    struct probe probe = {.instruction = FETCH, .ring = 0, .ax = page.linear};
    attempt(probe);
    struct controls controls = PLAIN;
    controls.smep = true;
    set_controls(controls);
    struct outcome outcome = attempt(probe);
    print("invalidation 4K, user code in ring 0, SMEP set: ");
    print_outcome(&outcome);
    print("\n");
}

void invalidation(void)
{
    set_controls(PLAIN);
    for (int level = 1; level <= 2; level++) {
        frames(level);
        more_rights(level);
    }
    other_table();
    smep();
}
