# SPDX-License-Identifier: GPL-2.0-or-later
"""The evaluator of rules against a second one, written from the manual, and what it does with a set that is none."""

import ctypes
from random import Random

import pytest

from tests.helpers.iptables import BUILT_IN, Iptables
from tests.helpers.random_rules import random_packet, random_rules
from tests.helpers.rules_library import BadRules, RuleSet

from .rules_fixture import CARDS, in_words, rules

SETS, PACKETS = 250, 60
JUMP_DEPTH_MAX = 16
JUMP, COUNT = 1, 3


def _cards(hook: str, random: Random) -> tuple[int, int]:
    """Which cards a packet has come from and goes to, at a hook."""
    card_in = 0 if hook in ("OUTPUT", "POSTROUTING") else random.choice([1, 2])
    card_out = 0 if hook in ("PREROUTING", "INPUT") else random.choice([1, 2])
    return card_in, card_out


@pytest.mark.parametrize("hook", BUILT_IN)
def test_random_packets_meet_random_rules_as_the_manual_says(hook: str) -> None:
    for seed in range(SETS // len(BUILT_IN)):
        random = Random(f"{hook} {seed}")
        text = random_rules(random, hook)
        ours, theirs = rules(text), Iptables(text)
        for _ in range(PACKETS):
            packet = random_packet(random)
            card_in, card_out = _cards(hook, random)
            verdict = in_words(ours.judge(BUILT_IN.index(hook), packet, card_in, card_out))
            expected = theirs.judge(hook, packet, CARDS[card_in], CARDS[card_out])
            assert verdict == expected, f"{packet.hex()}\n{text}"
        assert ours.counted() == [
            (line, n, theirs.bytes[line]) for line, n in sorted(theirs.packets.items())
        ], text
        policies = [packets for packets, _ in ours.policies()]
        assert policies[BUILT_IN.index(hook)] == theirs.policy_packets[hook]


def test_the_random_rules_and_packets_bring_every_verdict_and_every_kind_of_match() -> None:
    seen: set[str] = set()
    lines = ""
    for hook in BUILT_IN:
        for seed in range(SETS // len(BUILT_IN)):
            random = Random(f"{hook} {seed}")
            text = random_rules(random, hook)
            lines += text
            theirs = Iptables(text)
            for _ in range(PACKETS):
                packet = random_packet(random)
                seen.add(theirs.judge(hook, packet, *(CARDS[n] for n in _cards(hook, random)))[0])
    assert seen == {"DROP", "ACCEPT", "REJECT", "FORWARD", "MASQUERADE"}
    for word in (
        "! --sport",
        "! -s",
        "--syn",
        "--tcp-flags",
        "! -f",
        "--icmp-type",
        "-m tcp",
        "-j RETURN",
        "! -i eth+",
    ):
        assert word in lines


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        ("-f", True),
        ("! -f", False),
        ("-p tcp", True),
        ("-p tcp -m tcp", False),
        ("-p tcp --dport 0:65535", False),
        ("-p tcp ! --dport 80", False),
    ],
)
def test_a_fragment_behind_the_first_has_no_ports_not_even_other_ones(rule: str, matches: bool) -> None:
    fragment = bytes.fromhex("4500003c 00010010 40060000 0a000001 0a000002") + bytes(40)
    counted = rules(f"-A INPUT {rule}")
    counted.judge(1, fragment, 1)
    assert bool(counted.counted()) is matches


def test_the_facts_of_a_fragment_hold_no_ports() -> None:
    fragment = bytes.fromhex("4500003c 00010010 40060000 0a000001 0a000002") + bytes([1] * 40)
    facts = rules("").facts(fragment, 1)
    assert (facts.is_fragment, facts.overlaps, facts.has_ports, facts.source_port) == (True, False, False, 0)


@pytest.mark.parametrize(
    ("offset", "protocol", "verdict"), [(1, 6, "DROP"), (2, 6, "ACCEPT"), (1, 17, "ACCEPT")]
)
def test_a_tcp_fragment_over_the_flags_of_the_header_is_dropped_where_tcp_is_looked_at(
    offset: int, protocol: int, verdict: str
) -> None:
    header = f"4500003c 0001{offset:04x} 40{protocol:02x}0000 0a000001 0a000002"
    name = {6: "tcp", 17: "udp"}[protocol]
    judged = rules(f"-A INPUT -p {name} --dport 80 -j DROP\n")
    assert in_words(judged.judge(1, bytes.fromhex(header) + bytes(40), 1))[0] == verdict


def test_what_a_match_must_read_and_cannot_is_dropped_there_and_then() -> None:
    cut = bytes.fromhex("4500001b 00010000 40110000 0a000001 0a000002") + bytes(7)
    assert in_words(rules("-A INPUT -p udp --dport 53\n").judge(1, cut, 1))[0] == "DROP"
    assert in_words(rules("-A INPUT -p udp -j ACCEPT\n").judge(1, cut, 1))[0] == "ACCEPT"
    assert in_words(rules("-A INPUT -p tcp --dport 53\n").judge(1, cut, 1))[0] == "ACCEPT"


# ---- bounds, whatever the set says ----


def _chains(count: int, rule: str) -> str:
    """Chains c0 to c<count>: INPUT jumps to c0, each to the next."""
    lines = [f"-N c{n}" for n in range(count)] + ["-A INPUT -j c0"]
    return "\n".join(lines + [f"-A c{n} {rule.format(n + 1)}" for n in range(count - 1)])


def test_sixteen_jumps_one_out_of_the_other_are_the_most() -> None:
    rules(_chains(JUMP_DEPTH_MAX, "-j c{}"))
    with pytest.raises(BadRules, match="more than 16 jumps"):
        rules(_chains(JUMP_DEPTH_MAX + 1, "-j c{}"))
    with pytest.raises(BadRules, match="more than 16 jumps"):
        rules("-A PREROUTING -j c9\n" + _chains(JUMP_DEPTH_MAX + 1, "-j c{}"))


def test_chains_that_jump_and_jump_again_are_refused_before_they_take_for_ever() -> None:
    twice = "\n".join(f"-A c{n} -j c{n + 1}" for n in range(15))
    with pytest.raises(BadRules, match="more than 4096 rules"):
        rules(_chains(16, "-j c{}") + "\n" + twice)


def test_the_evaluator_ends_by_itself_in_a_circle_and_denies() -> None:
    circle = rules("-N a\n-N b\n-A INPUT -j a\n-A a -j b\n-A b\n")
    circle.set.rules[2].action, circle.set.rules[2].chain = JUMP, 5  # b jumps to a
    assert "circle" in str(circle.check())
    assert in_words(circle.judge(1, bytes(20), 1))[0] == "DROP"


def test_the_evaluator_ends_by_itself_where_chains_multiply_and_denies() -> None:
    wide = rules(_chains(JUMP_DEPTH_MAX, "-j c{}") + "\n" + "\n".join(f"-A c{n}" for n in range(15)))
    for rule in wide.set.rules[: wide.set.rule_count]:
        if rule.action == COUNT:  # each chain jumps to the next once more: 2 ** 15 ways
            rule.action, rule.chain = JUMP, wide.set.rules[rule_before(wide.set, rule.line)].chain
    assert "more than 4096 rules" in str(wide.check())
    assert in_words(wide.judge(1, bytes(20), 1)) == ("DROP", 0, 0, 0)
    assert wide.policies()[1] == (0, 0), "the policy, ACCEPT, was not reached"


def rule_before(set_: RuleSet, line: int) -> int:
    """The index of the rule in front of the one of this line."""
    return next(n for n in range(set_.rule_count) if set_.rules[n].line == line) - 1


# ---- rules_check: what the kernel asks of a set that a program hands it ----

GOOD = "-P INPUT DROP\n-N web\n-A INPUT -i eth0 -p tcp --dport 80 -j web\n-A web -j REJECT\n-A web -p icmp\n"


def _spoil(change: str) -> str | None:
    """What is said of the good set after one statement on s (the set)."""
    spoilt = rules(GOOD)
    exec(change, {"s": spoilt.set})  # the table below reads best as statements
    return spoilt.check()


def test_a_set_that_is_right_is_taken() -> None:
    assert rules(GOOD).check() is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("s.magic = 0", "not a rule set"),
        ("s.chain_count = 4", "too many chains or rules, or too few"),
        ("s.chain_count = 33", "too many chains or rules, or too few"),
        ("s.rule_count = 257", "too many chains or rules, or too few"),
        ("s.chains[5].first = 2", "longer than the rules"),
        ("s.chains[1].count = 65535", "longer than the rules"),
        ("s.chains[1].first = 65535", "longer than the rules"),
        ("s.chains[0].policy = 2", "neither ACCEPT nor DROP"),
        ("s.rules[0].action = 5", "an unknown action"),
        ("s.rules[0].chain = 1", "a jump to a chain that there is not"),
        ("s.rules[0].chain = 6", "a jump to a chain that there is not"),
        ("s.rules[0].chain = 65535", "a jump to a chain that there is not"),
        ("s.rules[1].action = 1; s.rules[1].chain = 5", "a jump in a circle"),
        ("s.rules[1].verdict = 5", "a target that there is not"),
        ("s.rules[1].verdict = 2 | 4 << 8", "a target that there is not"),
        ("s.rules[1].verdict = 1 | 1 << 63", "a target that there is not"),
        ("s.rules[1].verdict = 4 | 9 << 16 | 8 << 32", "a target that there is not"),
        ("s.rules[1].verdict = 4", "not at this hook"),
        ("s.rules[1].verdict = 3", "not at this hook"),
        ("s.rules[0].matches = 1024", "an unknown match"),
        ("s.rules[0].inverted = 1 << 31", "an unknown match"),
        ("s.rules[0].card_in = 3", "an unknown interface"),
        ("s.rules[0].source_port[0] = 2; s.rules[0].source_port[1] = 1", "from the higher to the lower"),
        ("s.rules[0].protocol = 1", "neither TCP nor UDP"),
        ("s.rules[0].inverted = 16", "neither TCP nor UDP"),
        ("s.rules[2].matches |= 512", "TCP flags of another protocol"),
        ("s.rules[0].matches |= 128", "an ICMP type of another protocol"),
    ],
)
def test_a_set_that_leads_out_of_itself_is_refused(change: str, words: str) -> None:
    assert words in str(_spoil(change))


def test_a_name_without_an_end_is_refused() -> None:
    spoilt = rules(GOOD)
    ctypes.memset(ctypes.addressof(spoilt.set.chains[5]), ord("x"), 24)
    assert spoilt.check() == "a chain's name without an end"


@pytest.mark.parametrize("size", [0, 1, 7, 1543, 1544, 1544 + 2 * 72, 1544 + 3 * 72 - 1, 1544 + 3 * 72 + 1])
def test_a_set_of_another_size_than_it_says_is_refused(size: int) -> None:
    assert rules(GOOD).check(size) in ("not a rule set", "cut off, or too long")


def test_bytes_that_are_random_behind_the_magic_word_are_looked_at_and_never_led_astray() -> None:
    random = Random(5)
    good = rules(GOOD)
    fine = bytes(good.set)
    taken = 0
    for _ in range(3000):
        spoilt = bytearray(fine)
        for _ in range(random.randrange(1, 6)):
            spoilt[random.randrange(4, 1544 + 3 * 72)] = random.choice(
                [0, 1, 2, 3, 5, 6, 255, random.randrange(256)]
            )
        good.set = RuleSet.from_buffer_copy(spoilt)
        if good.check() is None:
            taken += 1
            good.judge(random.randrange(5), random_packet(random), 1, 2)
    assert 100 < taken < 2900
