/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a name or from words to a rule set. */
#include "firewall.h"

enum { TEXT_MAX = 65535 };

static char text[TEXT_MAX + 1];

static size_t read_file(const char *name)
{
    int file = open(name, O_RDONLY);
    size_t length = 0;
    if (file < 0) {
        say("firewall: %s: no such file (error %d); bring it along with --file, or give the rules as words", name,
            file);
        exit(2);
    }
    for (long count; length < sizeof text && (count = read(file, text + length, sizeof text - length)) > 0;)
        length += (size_t)count;
    close(file);
    if (length > TEXT_MAX) {
        say("firewall: %s: longer than 65535 bytes; make it shorter", name);
        exit(2);
    }
    return length;
}

static bool begins_line(const char *word)
{
    static const char *const commands[] = {"-A", "--append", "-P", "--policy", "-N", "--new-chain", "--new"};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (!strcmp(word, commands[i]))
            return true;
    return word[0] == ':' || word[0] == '*';
}

static void append(size_t *length, const char *words)
{
    size_t more = strlen(words);
    if (more > TEXT_MAX - *length)
        more = TEXT_MAX - *length;
    memcpy(text + *length, words, more);
    *length += more;
}

static bool is_table_option(const char *word) { return !strcmp(word, "-t") || !strcmp(word, "--table"); }

/* A command is a line, and "-t nat" in front of it belongs to it. */
static size_t join_words(int count, char *const words[])
{
    size_t length = 0;
    for (int i = 0; i < count; i++) {
        bool is_behind_table = i >= 2 && is_table_option(words[i - 2]);
        if (length && (is_table_option(words[i]) || (begins_line(words[i]) && !is_behind_table)))
            append(&length, "\n");
        append(&length, words[i]);
        append(&length, " ");
    }
    return length;
}

void load_rules(int count, char *const words[])
{
    bool is_file = count == 1 && words[0][0] != '-' && words[0][0] != ':';
    size_t length = is_file ? read_file(words[0]) : join_words(count, words);
    struct rule_error error;
    if (!rules_parse(&rules, text, length, &error))
        return;
    if (error.line)
        say("firewall: %s line %u: %s", is_file ? words[0] : "rules", error.line, error.text);
    else
        say("firewall: %s: %s", is_file ? words[0] : "rules", error.text);
    exit(2);
}
