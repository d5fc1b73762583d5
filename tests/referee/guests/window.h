/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One page in a window, the entries on the way to it, and probes of it. */
#ifndef WINDOW_H
#define WINDOW_H
#include "paging.h"
#include "probe.h"

enum { SPOT = 0x120 };              /* where in TARGET the probes go: a byte that reads, as code, RET */

struct page {
    int level;                      /* of the entry that maps it */
    word linear;                    /* of SPOT */
    entry_t *path[LEVELS + 1];      /* by level; those below `level` are not used */
};

/* With everything that rights depend on switched off, but for write protection; XD can be used. */
static const struct controls PLAIN = {.wp = true, .nxe = true, .pse = true};

/* TARGET at `window` by a page of `level`, alone in both windows. Upper entries have all rights. */
struct page open_window(word window, int level, entry_t flags);

/* Clear A and D on the way to the page, and let no TLB remember them. */
void forget(const struct page *page);

/* What an access did that it should not have, or did not do that it should: "" or "!A", "!D", "!CR2", "!IP". */
const char *anomaly(const struct page *page, enum instruction instruction, const struct outcome *outcome);

/* Read, write and fetch SPOT in ring 0 and in ring 3, a word each: "ok", or the letters of the error code. */
void print_row(const struct page *page, bool ac);

const char *instruction_name(enum instruction instruction);

#endif
