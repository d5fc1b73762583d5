/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line: program=NAME arg=... SWITCH=VALUE ... */
#ifndef KERNEL_CMDLINE_H
#define KERNEL_CMDLINE_H

#include "kernel.h"

enum switch_number {
    SWITCH_UKSHM_MAP, SWITCH_UKSHM_GUARD, SWITCH_UKSHM_INVALIDATE, SWITCH_UKSHM_PAGE_EXCLUSIVE, SWITCH_UKSHM_ZERO,
    SWITCH_UKSHM_SWAP_EXEMPT, SWITCH_UKSHM_LIMIT, SWITCH_UKSHM_PRIVILEGED, SWITCH_ALLOC_GFP,
    SWITCH_UKSHM_ORDER, SWITCH_UKSHM_CHECK, SWITCH_UKSHM_ACK_CHECK, SWITCH_UKSHM_DEADLINE,
    SWITCH_FIREWALL_PATH, SWITCH_FIREWALL_DEAD,
    SWITCH_CPU_SMEP, SWITCH_CPU_SMAP, SWITCH_CPU_NX, SWITCH_CPU_WP, SWITCH_CPU_PCID,
    SWITCH_COUNT
};

/* The values, in the order of the table in cmdline.c; the first is the default. */
enum { UKSHM_MAP_WINDOW, UKSHM_MAP_KERNEL_RANGE };
enum { UKSHM_GUARD_ON, UKSHM_GUARD_OFF };
enum { UKSHM_INVALIDATE_ALL, UKSHM_INVALIDATE_LOCAL, UKSHM_INVALIDATE_NONE };
enum { UKSHM_PAGE_EXCLUSIVE_ON, UKSHM_PAGE_EXCLUSIVE_OFF };
enum { UKSHM_ZERO_ON, UKSHM_ZERO_OFF };
enum { UKSHM_SWAP_EXEMPT_ON, UKSHM_SWAP_EXEMPT_OFF };
enum { ALLOC_GFP_HONOUR, ALLOC_GFP_IGNORE };
enum { UKSHM_PRIVILEGED_ON, UKSHM_PRIVILEGED_OFF };
enum { UKSHM_ORDER_UNMAP_FIRST, UKSHM_ORDER_FREE_FIRST };
enum { UKSHM_CHECK_AFTER_UNMAP, UKSHM_CHECK_BEFORE_UNMAP };
enum { UKSHM_ACK_CHECK_ON, UKSHM_ACK_CHECK_OFF };
enum { UKSHM_DEADLINE_DEFAULT, UKSHM_DEADLINE_TICKS, UKSHM_DEADLINE_OFF };
enum { FIREWALL_PATH_KERNEL, FIREWALL_PATH_COPY, FIREWALL_PATH_UKSHM, FIREWALL_PATH_RING };
enum { FIREWALL_DEAD_DENY, FIREWALL_DEAD_ALLOW };
enum { CPU_ON, CPU_OFF };

enum { SWITCH_VALUES_MAX = 8, INIT_ARGUMENTS_MAX = 16 };

struct kernel_switch {
    const char *name;
    const char *values[SWITCH_VALUES_MAX];      /* the first is the default, "#" any number, a null pointer the end */
    const char *purpose;
};

extern const struct kernel_switch kernel_switches[SWITCH_COUNT];

struct arguments;

/* Sets the switches and returns what init gets: the program's name and its arguments. Unknown words are ignored. */
void cmdline_parse(const char *line, struct arguments *init);
int switch_value(enum switch_number number);

/* A switch that is a number: "#" among its values stands for any. */
uint64_t switch_number_value(enum switch_number number);

#endif
