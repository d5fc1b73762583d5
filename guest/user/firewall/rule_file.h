/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules in iptables' own words, as in a script or as iptables-save writes them, made into a rule set. */
#ifndef FIREWALL_RULE_FILE_H
#define FIREWALL_RULE_FILE_H

#include "../../common/rules.h"

struct rule_error {
    unsigned line;              /* 0: the file as a whole */
    char text[200];             /* 'word': what is wrong; the mend */
};

/* A user-defined target's words in a rule file: its options, and what they make of its parameter. */
struct target_words {
    const char *name;
    const char *const *options;     /* a null pointer ends them */
    /* The parameter with this option in it; 0, or what is wrong with the word behind the option. */
    const char *(*option)(unsigned option, const char *word, uint64_t *parameter);
    uint64_t parameter;             /* without an option */
};

/* Ends with a row without a name: targets.c. */
extern const struct target_words user_targets[];

/* Forgets what the options of an earlier rule set left behind. */
void user_targets_clear(void);

/* What a rule does, in the word of its file; "" if it only counts. */
const char *target_name(const struct rule_set *set, const struct rule *rule);

/* Without a rule and with every policy ACCEPT. */
void rules_clear(struct rule_set *set);

/* The whole text into a set, which is empty before. 0, or -1 with the first error. */
int rules_parse(struct rule_set *set, const char *text, size_t length, struct rule_error *error);

#endif
