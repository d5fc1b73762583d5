/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * firewall [--check] RULES: a file of the archive with rules in iptables' words, or the rules themselves,
 * as in "firewall -P INPUT DROP -A INPUT -p udp --dport 53 -j ACCEPT". It judges packets until all links are down and
 * says what it counted. --check only reads the rules and shows them.
 */
#include "firewall.h"

struct rule_set rules;

static _Noreturn void usage(void)
{
    say("firewall: say which rules: firewall [--check] FILE, or -A INPUT -p udp --dport 53 -j ACCEPT");
    exit(2);
}

int main(int argc, char *argv[])
{
    bool only_checks = argc > 1 && !strcmp(argv[1], "--check");
    int first = only_checks ? 2 : 1;
    if (first >= argc)
        usage();
    load_rules(argc - first, argv + first);
    if (!only_checks)
        run_firewall();
    print_rules(&rules);
    return 0;
}
