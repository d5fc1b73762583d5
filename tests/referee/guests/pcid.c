/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Process-context identifiers and INVPCID. 64-bit only, and no referee has them. A page's frame changes without a word
 * to the TLB; the byte read next says whether the old translation was used. "stale" is what a CPU may do there and this
 * one does; where it must not, the row says "fresh".
 */
#include "mode.h"
#if LEVELS >= 4
#include "console.h"
#include "cpu.h"
#include "sections.h"
#include "window.h"

#define NO_FLUSH (1ul << 63)

enum { OLD = 0xc3, NEW = 0xaa };
enum { ONE_ADDRESS, ONE_PCID, EVERYTHING, EVERYTHING_BUT_GLOBAL };

static word root;
static struct page page;

static void use(int pcid, word bits)
{
    write_cr3(root | (word)pcid | bits);
}

static uint8_t byte(void)
{
    return *(volatile uint8_t *)page.linear;
}

static void invpcid(word type, word pcid, word linear)
{
    struct { word pcid, linear; } descriptor = {pcid, linear};
    __asm__ volatile("invpcid %0, %1" : : "m"(descriptor), "r"(type) : "memory");
}

/* PCID 1 and 2 both hold the old translation; PCID 1 is in use; memory has the new one. */
static void prepare(entry_t global)
{
    *page.path[1] = TARGET | ALL_RIGHTS | global;
    invpcid(EVERYTHING, 0, 0);
    use(2, 0);
    byte();
    use(1, 0);
    byte();
    *page.path[1] = (TARGET + PAGE_SIZE) | ALL_RIGHTS | global;
}

static void show(const char *name)
{
    const char *first = byte() == NEW ? "fresh" : "stale";
    use(2, NO_FLUSH);
    const char *second = byte() == NEW ? "fresh" : "stale";
    print("book pcid %s: 1 %s, 2 %s\n", name, first, second);
}

static void invpcid_attempt(const char *name, int ring, word type, word pcid, word linear)
{
    /* TARGET's first bytes hold the descriptor; ring 3 sees it in the window. */
    volatile word *descriptor = (volatile word *)TARGET_ALIAS;
    descriptor[0] = pcid;
    descriptor[1] = linear;
    struct probe probe = {.instruction = INVPCID, .ring = ring, .ax = type, .dx = page.linear - SPOT};
    struct outcome outcome = attempt(probe);
    print("book pcid INVPCID %s: ", name);
    print_outcome(&outcome);
    print("\n");
}

void pcid(void)
{
    set_controls(PLAIN);
    page = open_window(WINDOW, 1, ALL_RIGHTS);
    root = read_cr3();
    *(volatile uint8_t *)(TARGET_ALIAS + PAGE_SIZE + SPOT) = NEW;
    invpcid_attempt("of an address in PCID 1, PCIDE = 0", 0, ONE_ADDRESS, 1, 0);
    invpcid_attempt("of PCID 1, PCIDE = 0", 0, ONE_PCID, 1, 0);
    invpcid_attempt("of PCID 0, PCIDE = 0", 0, ONE_PCID, 0, 0);
    write_cr4(read_cr4() | CR4_PCIDE | CR4_PGE);

    invpcid_attempt("type 4", 0, 4, 0, 0);
    invpcid_attempt("of everything, bit 12 of the descriptor", 0, EVERYTHING, 1 << 12, 0);
    invpcid_attempt("of an address that is not canonical", 0, ONE_ADDRESS, 1, 1ul << 62);
    invpcid_attempt("of a PCID, the address is not canonical", 0, ONE_PCID, 1, 1ul << 62);
    invpcid_attempt("in ring 3", 3, EVERYTHING, 0, 0);

    prepare(0);
    show("nothing");
    prepare(0);
    use(1, NO_FLUSH);
    show("MOV CR3 of 1, bit 63");
    print("book pcid CR3 reads %s\n", read_cr3() >> 63 ? "with bit 63" : "without bit 63");
    prepare(0);
    use(1, 0);
    show("MOV CR3 of 1");
    prepare(0);
    use(2, 0);
    use(1, NO_FLUSH);
    show("MOV CR3 of 2");
    prepare(0);
    invlpg(page.linear);
    show("INVLPG");
    prepare(0);
    invpcid(ONE_ADDRESS, 2, page.linear);
    show("INVPCID of the address in 2");
    prepare(0);
    invpcid(ONE_PCID, 2, 0);
    show("INVPCID of 2");
    prepare(0);
    invpcid(EVERYTHING_BUT_GLOBAL, 0, 0);
    show("INVPCID of everything but global");
    prepare(0);
    invpcid(EVERYTHING, 0, 0);
    show("INVPCID of everything");

    prepare(G);
    use(1, 0);
    show("global, MOV CR3 of 1");
    prepare(G);
    invpcid(ONE_PCID, 1, 0);
    show("global, INVPCID of 1");
    prepare(G);
    invpcid(EVERYTHING_BUT_GLOBAL, 0, 0);
    show("global, INVPCID of everything but global");
    prepare(G);
    invlpg(page.linear);
    show("global, INVLPG");
    prepare(G);
    invpcid(EVERYTHING, 0, 0);
    show("global, INVPCID of everything");
    prepare(G);
    write_cr4(read_cr4() & ~(word)CR4_PGE);
    show("global, PGE changed");
    write_cr4(read_cr4() | CR4_PGE);

    prepare(0);
    use(0, 0);
    write_cr4(read_cr4() & ~(word)(CR4_PCIDE | CR4_PGE));
    print("book pcid PCIDE = 0: %s\n", byte() == NEW ? "fresh" : "stale");
}
#endif
