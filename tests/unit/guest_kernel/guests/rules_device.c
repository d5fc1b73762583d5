/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What root, and somebody else, may do with /dev/firewall. */
#include "ulib.h"
#include "../common/rules.h"

static struct rule_set set, back;

static size_t bytes_of(const struct rule_set *rules)
{
    return offsetof(struct rule_set, rules) + rules->rule_count * sizeof(struct rule);
}

/* One rule: packets for 10.0.0.9 are dropped on their way in. */
static void make_set(void)
{
    set.magic = RULES_MAGIC;
    set.chain_count = HOOKS;
    set.rule_count = 1;
    for (int i = 0; i < HOOKS; i++)
        set.chains[i] = (struct chain){.name = "x", .policy = TARGET_ACCEPT};
    set.chains[HOOK_INPUT].count = 1;
    set.rules[0] = (struct rule){.matches = MATCH_DESTINATION, .destination = 0x0a000009, .destination_mask = ~0u,
                                 .action = ACTION_TARGET, .verdict = verdict_of(TARGET_DROP, 0, 0, 0)};
}

static void compare(int device, const char *what)
{
    memset(&back, 0xee, sizeof back);
    long length = read(device, &back, sizeof back);
    say("%s: read %ld, %s", what, length, length == (long)bytes_of(&set) && !memcmp(&set, &back, (size_t)length)
        ? "the same" : "something else");
}

int main(void)
{
    int device = open("/dev/firewall", O_RDWR);
    long bytes;
    make_set();
    bytes = (long)bytes_of(&set);
    say("read before: %ld", read(device, &back, sizeof back));
    say("nothing: %ld", write(device, &set, 0));
    say("a part: %ld", write(device, &set, (size_t)bytes - 1));
    say("too much: %ld", write(device, &set, sizeof set + 1));
    say("from nowhere: %ld", write(device, (void *)8, (size_t)bytes));
    say("from the kernel: %ld", write(device, (void *)0xffff888000000000, (size_t)bytes));
    say("whole: %d", write(device, &set, (size_t)bytes) == bytes);
    compare(device, "whole");
    set.rules[0].action = ACTION_JUMP;
    set.rules[0].chain = HOOK_INPUT;
    say("a jump to a built-in chain: %ld", write(device, &set, (size_t)bytes));
    set.rules[0].action = ACTION_USER;
    say("a user-defined target: %ld", write(device, &set, (size_t)bytes));
    make_set();
    compare(device, "still the first");
    say("to nowhere: %ld", read(device, (void *)8, 100));
    say("a little: %ld", read(device, &back, 10));
    set.rule_count = 0;
    set.chains[HOOK_INPUT].count = 0;
    say("empty: %d", write(device, &set, bytes_of(&set)) == (long)bytes_of(&set));
    compare(device, "empty");
    setuid(UID_USER);
    say("as a user: write %ld, read %ld", write(device, &set, bytes_of(&set)), read(device, &back, sizeof back));
    return 0;
}
