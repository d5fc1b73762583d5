/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers in packets lie highest byte first, and anywhere: these read and write them. */
#ifndef KERNEL_BYTES_H
#define KERNEL_BYTES_H

#include "../kernel.h"

static inline uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }
static inline uint32_t get32(const uint8_t *at) { uint32_t v; __builtin_memcpy(&v, at, 4); return __builtin_bswap32(v); }
static inline void put16(uint8_t *at, uint32_t value) { at[0] = (uint8_t)(value >> 8); at[1] = (uint8_t)value; }
static inline void put32(uint8_t *at, uint32_t value) { value = __builtin_bswap32(value); __builtin_memcpy(at, &value, 4); }

#endif
