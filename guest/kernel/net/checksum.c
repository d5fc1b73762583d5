/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Four bytes at a time, as this CPU has them: swapping the bytes of all words swaps those of the sum (RFC 1071, 2B). */
#include "checksum.h"
#include "bytes.h"

static uint16_t fold(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

uint16_t checksum_sum(uint16_t before, const uint8_t *bytes, uint32_t length)
{
    uint64_t sum = 0;
    uint32_t word;
    for (; length >= 4; length -= 4, bytes += 4) {
        __builtin_memcpy(&word, bytes, 4);
        sum += word;
    }
    word = 0;
    for (uint32_t i = 0; i < length; i++)
        word |= (uint32_t)bytes[i] << 8 * i;
    return fold((uint64_t)before + __builtin_bswap16(fold(sum + word)));
}

uint16_t checksum_pseudo(uint32_t source, uint32_t destination, uint8_t protocol, uint32_t length)
{
    return fold((uint64_t)source + destination + protocol + length);
}

void checksum_mend(uint8_t *at, uint16_t was, uint16_t is)
{
    uint32_t sum = (uint16_t)~get16(at) + (uint32_t)(uint16_t)~was + is;
    put16(at, (uint16_t)~fold(sum));
}
