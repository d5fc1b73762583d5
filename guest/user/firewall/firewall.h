/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the firewall program share. */
#ifndef FIREWALL_FIREWALL_H
#define FIREWALL_FIREWALL_H

#include "../../include/upcall.h"
#include "../ulib.h"
#include "rule_file.h"

extern struct rule_set rules;

/* load.c: the words of a command line, or a file of the archive, into `rules`. What is wrong ends the program. */
void load_rules(int count, char *const words[]);

/* judge.c: the verdict for the packet at these bytes; the program's own targets may change them. */
uint64_t judge(const struct upcall *about, uint8_t *bytes, bool *is_changed);

/* paths.c: judges by the path that firewall.path names, until nothing comes any more. */
void run_firewall(void);

/* report.c: all chains with their counters, in the words of iptables -L -v -n -x. */
void print_rules(const struct rule_set *set);

#endif
