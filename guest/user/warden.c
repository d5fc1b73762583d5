/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps a firewall: starts it with the words it was given, and when it has died tells so and waits for an order. What
 * is typed is the order: "again" starts another, "end" does not.
 */
#include "ulib.h"

enum { WORDS_MAX = 8, ORDER_MAX = 32 };

static bool keep(const char *const words[])
{
    int status;
    int pid = spawn("firewall", words);
    if (pid < 0)
        fail("the firewall could not be started (error %d)", pid);
    wait(pid, &status);
    say("the firewall has ended with status %d", status);
    char order[ORDER_MAX];
    while (read_line(0, order, sizeof order) >= 0 && strcmp(order, "end"))
        if (!strcmp(order, "again"))
            return true;
    return false;
}

int main(int argc, const char *argv[])
{
    const char *words[WORDS_MAX] = {"firewall"};
    for (int i = 1; i < argc && i < WORDS_MAX - 1; i++)
        words[i] = argv[i];
    while (keep(words))
        say("another firewall, then");
    return 0;
}
