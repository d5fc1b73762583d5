/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the rule file's parser share: where it is, and how it complains. */
#ifndef FIREWALL_READER_H
#define FIREWALL_READER_H

#include "../ulib.h"
#include "rule_file.h"

enum { LINE_BYTES_MAX = 512, WORDS_MAX = 64, WORD_SHOWN_MAX = 40 };

enum table { TABLE_ANY, TABLE_FILTER, TABLE_NAT };

struct reader {
    struct rule_set *set;
    struct rule_error *error;
    const char *at, *end;               /* of the text: what is not read yet */
    unsigned line;
    char text[LINE_BYTES_MAX];          /* the line, its words parted by zero bytes */
    const char *words[WORDS_MAX + 1];   /* a null pointer behind the last */
    unsigned next_word;
    enum table table;                   /* of the lines behind "*filter" or "*nat" */
    uint16_t declared[CHAINS_MAX];      /* the line of each chain of the file's own */

    /* The rule that is read now. */
    unsigned chain;
    uint32_t given;                     /* the matches that stood there */
    const char *transport_word[3];      /* the first word that is for TCP or UDP, for TCP, for ICMP only */
    const char *target;                 /* behind -j */
    uint8_t module;                     /* the protocol behind -m */
};

/* Notes what is wrong with a word (0: with the line) at this line; false, so that callers can return it. */
bool reader_refuse(struct reader *reader, const char *word, const char *what);

/* The next word of the line; 0 behind the last. */
const char *reader_word(struct reader *reader);

/* The words of the next line that has any; false at the end of the text, or if it is too long (an error then). */
bool reader_line(struct reader *reader);

/* The number of a chain; CHAINS_MAX if there is none of that name. */
unsigned reader_find_chain(const struct reader *reader, const char *name);

/* "eth0", "eth1". */
bool read_card(const char *word, uint8_t *card);

/* rule_matches.c: the words of one rule from here to the end of the line. */
bool read_rule(struct reader *reader, struct rule *rule);

/* rule_target.c: the word behind -j, and the options that belong to it. */
bool read_target(struct reader *reader, struct rule *rule, const char *name);
bool read_target_option(struct reader *reader, struct rule *rule, const char *option);

/* Whether a target has that name, so that no chain may. */
bool target_is_known(const char *name);

/* numbers.c: decimal, to the end of the word or to one of the bytes in `ends`; 0 if it is no number up to `most`. */
const char *read_number(const char *text, unsigned long most, const char *ends, unsigned long *number);
/* "a", "a:b", "a:" or ":b" with that separator; names of services too. */
bool read_ports(const char *word, char separator, uint16_t ports[2]);
/* "1.2.3.4", "1.2.3.4/24" or "1.2.3.4/255.255.255.0"; the bits behind the mask are cleared. */
bool read_address(const char *word, uint32_t *address, uint32_t *mask);
bool read_protocol(const char *word, uint8_t *protocol);
/* A name, a type, or type/code. */
bool read_icmp_type(const char *word, uint8_t *type, uint8_t *code);
/* Names of flags parted by commas, ALL, NONE. */
bool read_tcp_flags(const char *word, uint8_t *flags);

#endif
