/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The layout at a program's start is the System V one: RSP points at argc, argv[0], ..., a null pointer. */
#include "arguments.h"

int arguments_add(struct arguments *arguments, const char *string, size_t length)
{
    if (arguments->count == ARGUMENTS_MAX || length >= ARGUMENT_BYTES_MAX - arguments->length)
        return -E2BIG;
    memcpy(arguments->text + arguments->length, string, length);
    arguments->text[arguments->length + length] = '\0';
    arguments->length += (uint32_t)length + 1;
    arguments->count++;
    return 0;
}

uint64_t arguments_push(const struct arguments *arguments, uint8_t *page, uint64_t page_linear)
{
    uint64_t text = (PAGE_SIZE - arguments->length) & ~15ull;
    uint64_t words = (uint64_t)arguments->count + 2;            /* argc, the pointers, the null pointer */
    uint64_t start = (text - words * sizeof(uint64_t)) & ~15ull;
    uint64_t *word = (uint64_t *)(page + start);
    memcpy(page + text, arguments->text, arguments->length);
    *word++ = arguments->count;
    for (uint32_t i = 0; i < arguments->count; i++) {
        *word++ = page_linear + text;
        text += strlen((const char *)page + text) + 1;
    }
    *word = 0;
    return page_linear + start;
}
