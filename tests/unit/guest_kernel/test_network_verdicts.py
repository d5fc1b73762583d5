# SPDX-License-Identifier: GPL-2.0-or-later
"""Which words are a verdict at which hook, and what becomes of a packet that a program has changed."""

from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, UDP

from tests.helpers.network import FAR, inside, run

VERDICTS = str(Path(__file__).parent / "guests" / "verdicts.c")
INVALID = -22
COPY = {"firewall__path": "copy"}
WORDS = [
    *("REJECT 3", "REJECT 4", "FORWARD", "FORWARD eth1", "FORWARD 3"),
    *("MASQUERADE", "MASQUERADE 9-5", "nothing", "high bits"),
]
ALLOWED = {
    "PREROUTING": {"FORWARD", "FORWARD eth1"},
    "INPUT": {"REJECT 3"},
    "FORWARD": {"REJECT 3", "FORWARD", "FORWARD eth1"},
    "OUTPUT": {"REJECT 3"},
    "POSTROUTING": {"MASQUERADE"},
}


def test_a_target_may_be_said_where_it_belongs_and_nonsense_nowhere() -> None:
    frames = [frame for _ in range(8) for frame in (inside() / ICMP(), inside(dst=FAR) / UDP())]
    outcome = run(frames, program=VERDICTS, **COPY)
    said = [line.removeprefix("2: ").rpartition(": ") for line in outcome.lines if line.startswith("2: ")]
    got = {(words.split()[0], words.partition(" ")[2]): int(result) for words, _, result in said}
    assert got == {
        (hook, word): 0 if word in allowed else INVALID for hook, allowed in ALLOWED.items() for word in WORDS
    }


FRAME = inside(dst=FAR, id=1) / UDP(sport=1, dport=2) / b"12345678"


@pytest.mark.parametrize(
    ("offset", "byte", "length", "fate"),
    [
        *((0, 0x65, 0, "version"), (0, 0x44, 0, "header"), (0, 0x4F, 0, "a header behind the end")),
        *((3, 200, 0, "longer than it is"), (3, 19, 0, "shorter than its header"), (10, 0, 0, "checksum")),
        *((8, 0, 0, "no time to live"), (30, 1, 35, "a byte less"), (30, 1, 10, "half a header")),
        (30, 1, 40, "bytes behind its end"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_packet_that_is_none_any_more_ends_as_changed(
    offset: int, byte: int, length: int, fate: str
) -> None:
    outcome = run(
        [FRAME], program=VERDICTS, arguments=["change", str(offset), str(byte), str(length)], **COPY
    )
    assert outcome.arrivals() == ["CHANGED"], fate
    assert outcome.packets() == []


def test_a_program_may_give_a_packet_another_life_and_destination() -> None:
    (packet,) = run([FRAME], program=VERDICTS, arguments=["change", "8", "5", "0"], **COPY).packets()
    assert packet.ttl == 4
    (packet,) = run([FRAME], program=VERDICTS, arguments=["change", "19", "77", "0"], **COPY).packets()
    assert packet.dst == "203.0.113.77"


def test_a_change_that_leaves_a_packet_one_goes_out() -> None:
    outcome = run([FRAME], program=VERDICTS, arguments=["change", "28", "88", "0"], **COPY)
    (packet,) = outcome.packets("eth1")
    assert bytes(packet[UDP].payload) == b"X2345678"
    assert packet.ttl == 63
