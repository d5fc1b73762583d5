/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The newc format: a header of 8-digit hexadecimal fields, the name, the bytes; all padded to 4. */
#include "cpio.h"

enum {
    HEADER_BYTES = 110, FIELD_DIGITS = 8,
    FIELD_FILE_SIZE = 6, FIELD_NAME_SIZE = 11,      /* counted behind the six digits of the magic number */
};

static const uint8_t *archive;
static uint64_t archive_length;

void cpio_init(const void *start, uint64_t length)
{
    archive = start;
    archive_length = length;
}

static uint64_t field(const uint8_t *header, int number)
{
    uint64_t value = 0;
    const uint8_t *digits = header + 6 + number * FIELD_DIGITS;
    for (int i = 0; i < FIELD_DIGITS; i++)
        value = value << 4 | (digits[i] <= '9' ? digits[i] - '0' : (digits[i] | 0x20) - 'a' + 10u);
    return value & 0xffffffff;
}

static uint64_t padded(uint64_t length) { return (length + 3) & ~3ull; }

bool cpio_find(const char *name, struct file *file)
{
    uint64_t wanted = strlen(name) + 1, at = 0;
    while (archive_length - at >= HEADER_BYTES && !memcmp(archive + at, "070701", 6)) {
        const uint8_t *header = archive + at;
        uint64_t name_size = field(header, FIELD_NAME_SIZE), size = field(header, FIELD_FILE_SIZE);
        uint64_t start = padded(HEADER_BYTES + name_size);
        if (start > archive_length - at || size > archive_length - at - start)
            return false;           /* cut short */
        if (name_size == wanted && !memcmp(header + HEADER_BYTES, name, wanted) && strcmp(name, "TRAILER!!!")) {
            *file = (struct file){header + start, size};
            return true;
        }
        if (padded(start + size) > archive_length - at)
            return false;
        at += padded(start + size);
    }
    return false;
}
