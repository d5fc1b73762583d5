/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines and words of a rule file, and what is said about a wrong one. */
#include "reader.h"

/* A word as it is shown: not too long, and without bytes that do things to a terminal. */
static void show_word(char shown[WORD_SHOWN_MAX + 4], const char *word)
{
    size_t length = 0;
    for (; word[length] && length < WORD_SHOWN_MAX; length++)
        shown[length] = word[length] >= ' ' && word[length] <= '~' ? word[length] : '?';
    memcpy(shown + length, word[length] ? "..." : "", 4 - !word[length] * 3);
}

bool reader_refuse(struct reader *reader, const char *word, const char *what)
{
    char shown[WORD_SHOWN_MAX + 4];
    reader->error->line = reader->line;
    if (word) {
        show_word(shown, word);
        snprintf(reader->error->text, sizeof reader->error->text, "'%s': %s", shown, what);
    } else {
        snprintf(reader->error->text, sizeof reader->error->text, "%s", what);
    }
    return false;
}

const char *reader_word(struct reader *reader)
{
    const char *word = reader->words[reader->next_word];
    if (word)
        reader->next_word++;
    return word;
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || !c; }

/* Copies the line behind the last one, without its newline. */
static bool copy_line(struct reader *reader)
{
    size_t length = 0;
    for (reader->line++; reader->at < reader->end && *reader->at != '\n'; reader->at++) {
        if (length == sizeof reader->text - 1)
            return reader_refuse(reader, 0, "the line is too long; at most 511 bytes, please");
        reader->text[length++] = *reader->at;
    }
    if (reader->at < reader->end)
        reader->at++;
    memset(reader->text + length, 0, sizeof reader->text - length);
    return true;
}

/* A word in quotation marks may hold blanks. Returns where the next may begin. */
static char *end_word(char *at, const char *end, const char **word)
{
    bool is_quoted = *at == '"';
    at += is_quoted;
    *word = at;
    while (at < end && (is_quoted ? *at != '"' : !is_blank(*at)))
        at++;
    if (at < end)
        *at++ = '\0';
    return at;
}

static bool split_line(struct reader *reader)
{
    char *at = reader->text;
    const char *end = at + sizeof reader->text - 1;     /* the last byte stays 0 */
    unsigned count = 0;
    for (;;) {
        while (at < end && is_blank(*at))
            at++;
        if (at == end || *at == '#')
            break;
        if (count == WORDS_MAX)
            return reader_refuse(reader, 0, "too many words; make two rules of it");
        at = end_word(at, end, &reader->words[count++]);
    }
    reader->words[count] = 0;
    reader->next_word = 0;
    return true;
}

bool reader_line(struct reader *reader)
{
    while (reader->at < reader->end) {
        if (!copy_line(reader) || !split_line(reader))
            return false;
        if (reader->words[0])
            return true;
    }
    return false;
}

unsigned reader_find_chain(const struct reader *reader, const char *name)
{
    for (unsigned i = 0; i < reader->set->chain_count; i++)
        if (!strcmp(reader->set->chains[i].name, name))
            return i;
    return CHAINS_MAX;
}
