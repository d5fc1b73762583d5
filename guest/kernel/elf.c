/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program loader. The file comes from outside, so nothing in it is believed before it is checked. */
#include "elf.h"
#include "vm.h"

enum { PT_LOAD = 1, PF_X = 1, PF_W = 2, ELF_64_LITTLE = 0x0102, ET_EXEC = 2, EM_X86_64 = 62 };

struct elf_header {
    uint8_t magic[4];
    uint16_t class_and_order;
    uint8_t rest[10];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, program_headers, section_headers;
    uint32_t flags;
    uint16_t header_size, program_header_size, program_header_count;
    uint16_t section_header_size, section_header_count, section_names;
};

struct program_header {
    uint32_t type, flags;
    uint64_t offset, linear, physical, file_size, memory_size, alignment;
};

/* The process is not running: its pages are filled through the direct map. */
static void fill(const struct proc *proc, uint64_t linear, const uint8_t *from, uint64_t length)
{
    while (length) {
        uint64_t offset = linear % PAGE_SIZE, part = PAGE_SIZE - offset;
        if (part > length)
            part = length;
        uint64_t frame = *walk(proc->root, linear, 1, false, 0) & PTE_ADDRESS;
        memcpy((uint8_t *)direct_map(frame) + offset, from, part);
        linear += part;
        from += part;
        length -= part;
    }
}

static int load_segment(struct proc *proc, const struct file *file, const struct program_header *segment)
{
    if (segment->offset > file->length || segment->file_size > file->length - segment->offset
        || segment->file_size > segment->memory_size || segment->linear >= USER_TOP
        || segment->memory_size > USER_TOP - segment->linear)
        return -ENOEXEC;
    uint64_t start = segment->linear - segment->linear % PAGE_SIZE;
    uint64_t pages = (segment->linear + segment->memory_size - start + PAGE_SIZE - 1) / PAGE_SIZE;
    enum protection protection = PROT_READ | (segment->flags & PF_W ? PROT_WRITE : 0)
                                 | (segment->flags & PF_X ? PROT_EXEC : 0);
    int error = area_map(proc, start, pages, AREA_IMAGE, protection);
    if (error)
        return error == -EINVAL ? -ENOEXEC : error;     /* outside the user half, or two segments on one page */
    fill(proc, segment->linear, file->bytes + segment->offset, segment->file_size);
    return 0;
}

int elf_load(struct proc *proc, const struct file *file, uint64_t *entry)
{
    struct elf_header header;
    if (file->length < sizeof header)
        return -ENOEXEC;
    memcpy(&header, file->bytes, sizeof header);        /* the archive aligns to 4 only */
    uint64_t headers_size = (uint64_t)header.program_header_count * sizeof(struct program_header);
    if (memcmp(header.magic, "\177ELF", 4) || header.class_and_order != ELF_64_LITTLE || header.type != ET_EXEC
        || header.machine != EM_X86_64 || header.program_header_size != sizeof(struct program_header)
        || header.program_headers > file->length || headers_size > file->length - header.program_headers
        || header.entry >= USER_TOP)
        return -ENOEXEC;
    *entry = header.entry;
    for (int i = 0; i < header.program_header_count; i++) {
        struct program_header segment;
        memcpy(&segment, file->bytes + header.program_headers + (uint64_t)i * sizeof segment, sizeof segment);
        if (segment.type != PT_LOAD || !segment.memory_size)
            continue;
        int error = load_segment(proc, file, &segment);
        if (error)
            return error;
    }
    return 0;
}
