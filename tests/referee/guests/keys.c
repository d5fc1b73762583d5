/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Protection keys: CR4.PKE, PKRU, and bits 62:59 of the entry that maps the page. 64-bit only. */
#include "mode.h"
#if LEVELS >= 4
#include "console.h"
#include "cpu.h"
#include "sections.h"
#include "window.h"

enum { KEY = 5, OTHER_KEY = 6, ACCESS_DISABLE = 1, WRITE_DISABLE = 2 };

static entry_t with_key(int key)
{
    return (entry_t)key << 59;
}

static void write_pkru(uint32_t value)
{
    __asm__ volatile(".byte 0x0f, 0x01, 0xef" : : "a"(value), "c"(0), "d"(0));
}

/* What `disable` of KEY in PKRU does to the page, with and without CR0.WP. */
static void key_row(const char *name, const struct page *page, uint32_t pkru)
{
    for (int wp = 1; wp >= 0; wp--) {
        struct controls controls = PLAIN;
        controls.pke = true;
        controls.wp = wp;
        set_controls(controls);
        write_pkru(pkru);
        print("keys %s WP=%d ", name, wp);
        print_row(page, false);
        write_pkru(0);
    }
}

static void instruction_row(const char *name, struct probe probe)
{
    for (probe.ring = 0; probe.ring <= 3; probe.ring += 3) {
        struct outcome outcome = attempt(probe);
        print("keys %s%s in ring %d: ", instruction_name(probe.instruction), name, probe.ring);
        print_outcome(&outcome);
        if (probe.instruction == RDPKRU && outcome.vector == VECTOR_DONE)
            print(" %lx", outcome.ax);
        print("\n");
    }
}

void keys(void)
{
    const uint32_t no_access = ACCESS_DISABLE << 2 * KEY, no_write = WRITE_DISABLE << 2 * KEY;
    for (int level = 1; level <= LARGEST_PAGE; level++) {
        struct page page = open_window(WINDOW, level, ALL_RIGHTS | with_key(KEY));
        key_row(level == 1 ? "AD, 4K" : level == 2 ? "AD, 2M" : "AD, 1G", &page, no_access);
        key_row(level == 1 ? "WD, 4K" : level == 2 ? "WD, 2M" : "WD, 1G", &page, no_write);
    }
    struct page page = open_window(WINDOW, 1, ALL_RIGHTS | with_key(KEY));
    key_row("AD and WD of all other keys but 0", &page, ~(no_access | no_write) & ~3u);   /* the stack has key 0 */
    *page.path[1] = (*page.path[1] & ~with_key(15)) | with_key(OTHER_KEY);
    *page.path[2] |= with_key(KEY);
    key_row("AD of a key in the PDE only", &page, no_access);
    page = open_window(WINDOW, 1, P | RW | with_key(KEY));
    key_row("AD, a supervisor page", &page, no_access);
    page = open_window(WINDOW, 1, P | US | with_key(KEY));
    key_row("AD, a read-only page", &page, no_access);
    page = open_window(WINDOW, 1, 0 | with_key(KEY));
    key_row("AD, no page", &page, no_access);

    struct controls controls = PLAIN;
    controls.pke = true;
    controls.smap = true;
    set_controls(controls);
    page = open_window(WINDOW, 1, ALL_RIGHTS | with_key(KEY));
    write_pkru(no_access);
    print("keys AD, SMAP = 1 and AC = 1 ");
    print_row(&page, true);
    controls.smap = false;
    controls.pke = false;
    set_controls(controls);
    print("keys AD, PKE = 0 ");
    print_row(&page, false);
    instruction_row(" with PKE = 0", (struct probe){.instruction = RDPKRU});
    instruction_row(" with PKE = 0", (struct probe){.instruction = WRPKRU});
    controls.pke = true;
    set_controls(controls);
    instruction_row("", (struct probe){.instruction = RDPKRU});
    instruction_row("", (struct probe){.instruction = WRPKRU, .ax = no_write});
    instruction_row("", (struct probe){.instruction = RDPKRU});
    instruction_row(" with ECX = 1", (struct probe){.instruction = RDPKRU, .cx = 1});
    instruction_row(" with ECX = 1", (struct probe){.instruction = WRPKRU, .cx = 1});
    instruction_row(" with EDX = 1", (struct probe){.instruction = WRPKRU, .dx = 1});
    write_pkru(0);
    set_controls(PLAIN);
}
#endif
