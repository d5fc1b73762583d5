/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sections of the output. Every line begins with its section's name; before it stands "book" if the line goes by
 * the book alone, because QEMU's TCG is known to do otherwise or does not have the feature.
 */
#ifndef SECTIONS_H
#define SECTIONS_H
#include "mode.h"

/* rights.c */
void sizes(void);
void rights(void);
void protections(void);
void shared_tables(void);

/* refusals.c */
void refusals(void);
void across(void);
void not_canonical(bool by_the_book);          /* 64-bit only */
void reserved(void);
void page_size_extensions(void);    /* 32-bit paging only */

/* implicit.c; some rows only `by_the_book`, where no referee that knows better must agree */
void implicit(bool by_the_book);
void delivery(void);

/* invalidation.c */
void invalidation(void);

/* registers.c */
void registers(void);
void pdptes(void);                  /* PAE only */

/* keys.c and pcid.c, both 64-bit only */
void keys(void);
void pcid(void);

#endif
