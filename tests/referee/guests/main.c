/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "console.h"
#include "cpu.h"
#include "paging.h"
#include "sections.h"

/* What the PVH loader leaves at EBX: its first fields. */
struct start_info {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, command_line, rsdp, memory_map;
};

static bool contains(const char *text, const char *wanted)
{
    for (; *text; text++) {
        int i = 0;
        while (wanted[i] && text[i] == wanted[i])
            i++;
        if (!wanted[i])
            return true;
    }
    return false;
}

_Noreturn void main(const struct start_info *start)
{
    const char *line = (const char *)(word)start->command_line;
    bool by_the_book = !line || !contains(line, "referee=qemu");
    console_init();
    cpu_init();
    paging_init();
    struct features offered = cpu_features();

    print("mode %s\n", MODE_NAME);
    sizes();
    rights();
    protections();
    shared_tables();
    refusals();
    across();
    reserved();
    implicit(by_the_book);
    delivery();
    invalidation();
    if (LEVELS == 2)
        page_size_extensions();
    if (LEVELS >= 4)
        not_canonical(by_the_book);
    if (LEVELS >= 4 && offered.pku)
        keys();
    if (by_the_book) {
        registers();
        if (LEVELS == 3)
            pdptes();
        if (LEVELS >= 4 && offered.pcid && offered.invpcid)
            pcid();
    }
    end(EXIT_ORDERLY);
}
