/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The paging mode that an image is built for. LEVELS comes from the compiler's command line:
 * 2 is 32-bit paging, 3 is PAE, 4 and 5 are the modes of the same names. All else follows from it.
 */
#ifndef MODE_H
#define MODE_H

#if LEVELS == 2
#define MODE_NAME "32-bit"
#elif LEVELS == 3
#define MODE_NAME "PAE"
#elif LEVELS == 4
#define MODE_NAME "4-level"
#else
#define MODE_NAME "5-level"
#endif

/*
 * Linear addresses. The first 2 MiB are mapped one to one, for the supervisor; the guest lives there. Ring 3 has its
 * code and its stack at USER_TEXT and USER_STACK. A window is where pages are mapped in every way there is: one in the
 * lower half of the linear addresses, one in the upper, each with an entry of its own in the root table.
 */
#if LEVELS == 5
#define WINDOW      0x0010000000000000
#define HIGH_WINDOW 0xfff0000000000000
#elif LEVELS == 4
#define WINDOW      0x0000100000000000
#define HIGH_WINDOW 0xffff900000000000
#else
#define WINDOW      0x40000000
#define HIGH_WINDOW 0xc0000000
#endif
#define USER_TEXT   0x20000000
#define USER_STACK  0x20001000

/* Physical: 4 MiB of RAM that the windows map. A page of any size that begins a 4 MiB frame begins here or at 0. */
#define TARGET      0x00800000
#define TARGET_ALIAS 0x00200000     /* linear: the first two pages of TARGET, always there for the supervisor */

/* Selectors, with the privilege that each is used with. */
#define KERNEL_CODE  0x08
#define KERNEL_DATA  0x10
#define USER_CODE    0x1b
#define USER_DATA    0x23
#define TSS_SELECTOR 0x28
#define LDT_SELECTOR 0x38
#define LDT_ENTRY    0x07

#define VECTOR_DONE  0x80           /* INT with this number ends a probe that nothing refused */

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef unsigned long word;         /* a register; also a linear address */

#if LEVELS == 2
typedef uint32_t entry_t;
enum { INDEX_BITS = 10 };
#else
typedef uint64_t entry_t;
enum { INDEX_BITS = 9 };
#endif

enum {
    PAGE_SIZE = 4096,
    ENTRIES = 1 << INDEX_BITS,
    LARGEST_PAGE = LEVELS > 3 ? 3 : 2,          /* the highest level that maps pages; 1 is that of the PTEs */
    HIGHEST_WITH_RIGHTS = LEVELS == 3 ? 2 : LEVELS,     /* PDPTEs of PAE have neither rights nor an A bit */
};

static inline int shift_of(int level)
{
    return 12 + INDEX_BITS * (level - 1);
}
#endif

#endif
