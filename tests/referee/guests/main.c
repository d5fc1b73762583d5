/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "console.h"
#include "cpu.h"
#include "paging.h"
#include "sections.h"

struct start_info {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, command_line, rsdp, memory_map;
};

/* Whether the command line has `wanted` in it. */
static bool has_word(const char *line, const char *wanted)
{
    for (; *line; line++) {
        int i = 0;
        while (wanted[i] && line[i] == wanted[i])
            i++;
        if (!wanted[i])
            return true;
    }
    return false;
}

_Noreturn void main(const struct start_info *start)
{
    const char *line = (const char *)(word)start->command_line;
    bool by_the_book = !line || !has_word(line, "referee=qemu");
    console_init();
    cpu_init();
    paging_init();
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
#if LEVELS == 2
    page_size_extensions();
#endif
#if LEVELS >= 4
    not_canonical(by_the_book);
    if (cpu_features().pku)
        keys();
#endif
    if (by_the_book)
        registers();
#if LEVELS == 3
    if (by_the_book)
        pdptes();
#endif
#if LEVELS >= 4
    if (by_the_book && cpu_features().pcid && cpu_features().invpcid)
        pcid();
#endif
    end(EXIT_ORDERLY);
}
