/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers that look random and are the same in every run: xorshift64 (G. Marsaglia, "Xorshift RNGs", 2003). */
#ifndef USER_RANDOM_H
#define USER_RANDOM_H

struct random {
    unsigned long state;            /* never 0 */
};

static inline struct random random_from(unsigned long seed)
{
    return (struct random){seed * 0x9e3779b97f4a7c15ul | 1};
}

static inline unsigned long random_next(struct random *random)
{
    unsigned long x = random->state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return random->state = x;
}

/* 0 to limit - 1. */
static inline unsigned long random_below(struct random *random, unsigned long limit)
{
    return (random_next(random) >> 11) % limit;
}

#endif
