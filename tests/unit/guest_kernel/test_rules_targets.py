# SPDX-License-Identifier: GPL-2.0-or-later
"""User-defined targets: what the firewall's program does to a packet that the kernel knows nothing of."""

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Packet, Raw

from tests.helpers.random_rules import checksum
from tests.helpers.rules_library import BadRules

from .rules_fixture import in_words, rules

INPUT, FORWARD = 1, 2
PACKETS = [
    IP(src="10.0.0.2", dst="192.0.2.9", ttl=64) / UDP(sport=5000, dport=53) / Raw(b"hello"),
    IP(src="10.0.0.2", dst="192.0.2.9", ttl=1, id=0xFFFF) / TCP(sport=5000, dport=80, flags="S"),
    IP(src="10.0.0.3", dst="192.0.2.9", ttl=255) / ICMP() / Raw(b"ping"),
]


def sound(data: bytes) -> bool:
    """Whether every checksum of a packet is what scapy would compute."""
    packet = IP(data)
    again = IP(data)
    for layer in (IP, UDP, TCP, ICMP):
        if again.haslayer(layer):
            del again[layer].chksum
    return bytes(again) == bytes(packet)


@pytest.mark.parametrize("packet", PACKETS, ids=lambda packet: packet.lastlayer().name)
@pytest.mark.parametrize(
    ("option", "ttl"),
    [
        ("--ttl-set 17", lambda ttl: 17),
        ("--ttl-set 0", lambda ttl: 0),
        ("--ttl-inc 5", lambda ttl: min(ttl + 5, 255)),
        ("--ttl-dec 2", lambda ttl: max(ttl - 2, 0)),
        ("", lambda ttl: ttl),
    ],
)
def test_ttl_changes_one_byte_and_the_checksum_stays_right(packet: Packet, option: str, ttl: object) -> None:
    before = bytes(packet)
    assert sound(before)
    assert callable(ttl)
    verdict, after = rules(f"-A FORWARD -j TTL {option}\n").judge_in_program(FORWARD, before, 1, 2)
    assert in_words(verdict)[0] == "ACCEPT", "the packet goes on to the policy"
    assert after[8] == ttl(before[8])
    assert sound(after)
    assert before[:8] + before[9:10] + before[12:] == after[:8] + after[9:10] + after[12:]


@pytest.mark.parametrize(("before", "after"), [(200, 64), (1, 255)])
def test_ttl_mends_every_checksum_there_is(before: int, after: int) -> None:
    mend = rules(f"-A FORWARD -j TTL --ttl-set {after}\n")
    for number in range(0x10000):
        header = bytearray.fromhex("45000014 00000000 00110000 0a000002 c0000209")
        header[4:6] = number.to_bytes(2)
        header[8] = before
        header[10:12] = checksum(header).to_bytes(2)
        _, mended = mend.judge_in_program(FORWARD, bytes(header), 1, 2)
        assert mended[8] == after
        assert checksum(mended) == 0, header.hex()


@pytest.mark.parametrize("packet", PACKETS, ids=lambda packet: packet.lastlayer().name)
def test_mirror_sends_a_packet_back_with_every_checksum_right(packet: Packet) -> None:
    before = bytes(packet)
    mirrored = rules("-P INPUT DROP\n-A INPUT -j MIRROR\n-A INPUT -j DROP\n")
    verdict, after = mirrored.judge_in_program(INPUT, before, 1)
    assert in_words(verdict) == ("ACCEPT", 0, 0, 0)
    assert (IP(after).src, IP(after).dst) == (packet.dst, packet.src)
    assert sound(after)


def test_the_rules_behind_see_the_packet_as_a_target_has_left_it() -> None:
    text = """
-N mirror
-A FORWARD -s 10.0.0.2 -j TTL --ttl-set 9
-A FORWARD -s 10.0.0.2 -j LOG --log-prefix "seen: "
-A FORWARD -d 192.0.2.9 -j DROP
"""
    judged = rules(text)
    verdict, after = judged.judge_in_program(FORWARD, bytes(PACKETS[0]), 1, 2)
    assert in_words(verdict)[0] == "DROP"
    assert after[8] == 9
    assert [line for line, _, _ in judged.counted()] == [3, 4, 5]


def test_a_set_with_targets_of_the_program_passes_them_by_where_there_is_no_program() -> None:
    judged = rules("-A INPUT -j MIRROR\n-A INPUT -j DROP\n")
    assert in_words(judged.judge(INPUT, bytes(PACKETS[0]), 1))[0] == "DROP"


def test_a_packet_that_is_none_is_not_touched() -> None:
    judged = rules("-A INPUT -j TTL --ttl-set 5\n-A INPUT -j MIRROR\n-A INPUT -j LOG\n")
    for length in range(20):
        assert judged.judge_in_program(INPUT, bytes(length), 1)[1] == bytes(length)


def test_fifteen_different_prefixes_are_the_most_and_the_same_one_counts_once() -> None:
    lines = [f'-A INPUT -j LOG --log-prefix "prefix {n % 15}"' for n in range(30)]
    parsed = rules("\n".join(lines))
    assert [rule.verdict for rule in parsed.set.rules[:30]] == [*range(1, 16), *range(1, 16)]
    with pytest.raises(BadRules, match="too many prefixes; 15 different ones are the most"):
        rules("\n".join([*lines, "-A INPUT -j LOG --log-prefix another"]))
