/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The PVH start_info structure: RAM, the archive of programs, the command line. */
#include "boot_info.h"
#include "vm.h"

enum { START_INFO_MAGIC = 0x336ec578, MEMORY_RAM = 1 };

struct start_info {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, command_line, rsdp, memory_map;
    uint32_t memory_map_entries, reserved;
};

struct module { uint64_t address, size, command_line, reserved; };
struct memory_range { uint64_t address, size; uint32_t type, reserved; };

struct boot_info boot_info_read(uint64_t physical)
{
    const struct start_info *start = direct_map(physical);
    struct boot_info boot = {.command_line = ""};
    if (physical >= RAM_LIMIT || start->magic != START_INFO_MAGIC)
        panic("no PVH start_info at %p", physical);

    /* The RAM that holds the kernel is all the RAM we use; the loader's list ends with an empty entry. */
    const struct memory_range *map = direct_map(start->memory_map);
    for (uint32_t i = 0; i < start->memory_map_entries; i++)
        if (map[i].type == MEMORY_RAM && map[i].address <= KERNEL_PHYSICAL
            && map[i].size > KERNEL_PHYSICAL - map[i].address)
            boot.ram_end = map[i].address + map[i].size;
    if (boot.ram_end > RAM_LIMIT)
        boot.ram_end = RAM_LIMIT;
    boot.ram_end -= boot.ram_end % PAGE_SIZE;
    if (boot.ram_end < (uint64_t)kernel_end - KERNEL_BASE + (1 << 20))
        panic("too little memory: RAM ends at %p", boot.ram_end);

    if (start->module_count) {
        const struct module *module = direct_map(start->modules);
        if (module->address >= boot.ram_end || module->size > boot.ram_end - module->address)
            panic("the archive of programs at %p lies outside RAM", module->address);
        boot.module = module->address;
        boot.module_size = module->size;
    }
    if (start->command_line)
        boot.command_line = direct_map(start->command_line);
    return boot;
}
