# SPDX-License-Identifier: GPL-2.0-or-later
"""The same rules and packets in the real thing: every rule's counter is the one that netfilter shows."""

from random import Random

import pytest

from tests.helpers import netfilter
from tests.helpers.random_rules import random_packet, random_rules
from tests.unit.guest_kernel.rules_fixture import rules

SETS, PACKETS = 60, 200
PREROUTING = 0


def _case(seed: int) -> netfilter.Case:
    random = Random(f"netfilter {seed}")
    text = random_rules(random, "PREROUTING", ["ACCEPT", "DROP"])
    packets = [(random.choice([1, 2]), random_packet(random).hex()) for _ in range(PACKETS)]
    return text, packets


def _ours(case: netfilter.Case) -> netfilter.Counters:
    text, packets = case
    judged = rules(text)
    for card, data in packets:
        judged.judge(PREROUTING, bytes.fromhex(data), card)
    found: netfilter.Counters = {"policy": judged.policies()[:1]}
    for chain in judged.set.chains[: judged.set.chain_count]:
        if chain.count:
            row = judged.set.rules[chain.first : chain.first + chain.count]
            found[chain.name.decode()] = [(rule.packets, rule.bytes) for rule in row]
    return found


def test_every_counter_is_the_one_that_netfilter_shows() -> None:
    if why := netfilter.why_not():
        pytest.skip(f"the real iptables cannot be asked: {why}")
    cases = [_case(seed) for seed in range(SETS)]
    for case, counters in zip(cases, netfilter.ask(cases), strict=True):
        theirs = {chain: [tuple(pair) for pair in row] for chain, row in counters.items()}
        assert _ours(case) == theirs, case[0]
