/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * firewall [--check] [--ticks N] RULES: a file of the archive with rules in iptables' words, or the rules themselves,
 * as in "firewall -P INPUT DROP -A INPUT -p udp --dport 53 -j ACCEPT". It judges packets until all links are down and
 * says what it counted. --check only reads the rules and shows them; --ticks ends it after so much time.
 */
#include "firewall.h"

struct rule_set rules;

static _Noreturn void usage(void)
{
    say("firewall: say which rules: firewall [--check] [--ticks N] FILE, or -A INPUT -p udp --dport 53 -j ACCEPT");
    exit(2);
}

int main(int argc, char *argv[])
{
    bool only_checks = false;
    unsigned long ticks = 0;
    int i = 1;
    for (; i < argc; i++) {
        if (!strcmp(argv[i], "--check"))
            only_checks = true;
        else if (!strcmp(argv[i], "--ticks") && i + 1 < argc)
            ticks = to_number(argv[++i]);
        else
            break;
    }
    if (i == argc)
        usage();
    load_rules(argc - i, argv + i);
    if (!only_checks)
        run_firewall(ticks);
    print_rules(&rules);
    return 0;
}
