/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program loader. The file comes from outside, so nothing in it is believed before it is checked. */
#include "elf.h"
#include "object.h"

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

/* Nothing is read here: the area says where its pages come from, and each comes when it is first touched. */
static int load_segment(struct proc *proc, const struct file *file, const struct program_header *segment)
{
    if (segment->offset > file->length || segment->file_size > file->length - segment->offset
        || segment->file_size > segment->memory_size || segment->linear >= USER_TOP
        || segment->memory_size > USER_TOP - segment->linear
        || segment->offset % PAGE_SIZE != segment->linear % PAGE_SIZE)
        return -ENOEXEC;
    uint64_t into_page = segment->linear % PAGE_SIZE, end = segment->linear + segment->memory_size;
    struct area area = {
        .start = segment->linear - into_page,
        .end = (end + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1),
        .kind = AREA_IMAGE,
        .protection = PROT_READ | (segment->flags & PF_W ? PROT_WRITE : 0) | (segment->flags & PF_X ? PROT_EXEC : 0),
        .offset = segment->offset / PAGE_SIZE,
    };
    /* Only memory behind the file's bytes must be zero. Where there is none, the last page is the file's too. */
    if (segment->file_size)
        area.file_bytes = segment->file_size < segment->memory_size ? into_page + segment->file_size
                                                                     : area.end - area.start;
    if (segment->file_size && !(area.object = object_of_file(file)))
        return -ENOMEM;
    int error = area_add(proc, area);
    if (error && area.object)
        object_put(area.object);
    if (!error && area.end > proc->heap_start)
        proc->heap_start = proc->heap_end = area.end;
    return error == -EINVAL ? -ENOEXEC : error;     /* outside the user half, or two segments on one page */
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
