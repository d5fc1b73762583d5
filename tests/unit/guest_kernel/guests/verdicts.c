/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A firewall by copies that says each of its words at each hook ("table"), or accepts packets that it has changed:
 * "change OFFSET BYTE LENGTH" puts the byte there, mends the header's checksum if it is
 * another byte, and hands so many bytes back at PREROUTING (LENGTH 0: all).
 */
#include "../include/upcall.h"
#include "ulib.h"

static union {
    struct upcall upcall;
    uint8_t bytes[sizeof(struct upcall) + PAGE];
} in;

static const struct { const char *name; uint64_t word; } words[] = {
    {"REJECT 3", TARGET_REJECT | 3 << 8}, {"REJECT 4", TARGET_REJECT | 4 << 8}, {"FORWARD", TARGET_FORWARD},
    {"FORWARD eth1", TARGET_FORWARD | INTERFACE_ETH1 << 8}, {"FORWARD 3", TARGET_FORWARD | 3 << 8},
    {"MASQUERADE", TARGET_MASQUERADE}, {"MASQUERADE 9-5", TARGET_MASQUERADE | 9 << 16 | 5ull << 32},
    {"nothing", TARGETS}, {"high bits", TARGET_ACCEPT | 1ull << 48},
};

/* What would be allowed is not said: the packet ends with it. So only refusals are printed. */
static void table(void)
{
    static const char *const hooks[HOOKS] = {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"};
    static uint64_t next[HOOKS];
    uint32_t hook = in.upcall.operation;
    for (uint64_t i = next[hook]; i < sizeof words / sizeof words[0]; i++) {
        next[hook] = i + 1;
        long result = pkt_verdict(in.upcall.id, words[i].word, 0, 0);
        say("%s %s: %ld", hooks[hook], words[i].name, result);
        if (!result)
            return;
    }
    pkt_verdict(in.upcall.id, TARGET_ACCEPT, 0, 0);
}

enum { IP_CHECKSUM = 10, IP_HEADER = 20 };

static void sum_header(uint8_t *packet)
{
    uint32_t sum = 0;
    packet[IP_CHECKSUM] = packet[IP_CHECKSUM + 1] = 0;
    for (int i = 0; i < IP_HEADER; i += 2)
        sum += (uint32_t)packet[i] << 8 | packet[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    packet[IP_CHECKSUM] = (uint8_t)(~sum >> 8);
    packet[IP_CHECKSUM + 1] = (uint8_t)~sum;
}

static void change(char **argv)
{
    uint8_t *packet = (uint8_t *)in.upcall.address;
    unsigned long length = to_number(argv[4]);
    if (in.upcall.operation != HOOK_PREROUTING) {
        pkt_verdict(in.upcall.id, TARGET_ACCEPT, 0, 0);
        return;
    }
    packet[to_number(argv[2])] = (uint8_t)to_number(argv[3]);
    if (to_number(argv[2]) != IP_CHECKSUM)
        sum_header(packet);
    say("changed: %ld", pkt_verdict(in.upcall.id, TARGET_ACCEPT, packet, length ? length : in.upcall.length));
}

int main(int argc, char **argv)
{
    while (pkt_recv(&in, sizeof in) > 0)
        argc == 5 ? change(argv) : table();
    return 0;
}
