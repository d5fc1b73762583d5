/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checksum of IPv4, ICMP, UDP and TCP (RFC 1071): the complement of the ones' complement sum of 16-bit words. */
#ifndef KERNEL_CHECKSUM_H
#define KERNEL_CHECKSUM_H

#include "../kernel.h"

/* The folded sum of the bytes and of what was summed before, not yet complemented. Whole, correct data sums to 0xffff. */
uint16_t checksum_sum(uint16_t before, const uint8_t *bytes, uint32_t length);

static inline uint16_t checksum(const uint8_t *bytes, uint32_t length) { return (uint16_t)~checksum_sum(0, bytes, length); }

/* The sum of the pseudo-header that UDP and TCP put in front of theirs. */
uint16_t checksum_pseudo(uint32_t source, uint32_t destination, uint8_t protocol, uint32_t length);

/* Mends the checksum at `at` after a word, or the sum of several, changed (RFC 1624, equation 3). */
void checksum_mend(uint8_t *at, uint16_t was, uint16_t is);

#endif
