# SPDX-License-Identifier: GPL-2.0-or-later
"""One capture, one rule file, four designs: the kernel's own rules, a copy, a reverse syscall, a ring.

Offered one packet at a time, they must give the same verdicts and send the same bytes in the same order. What they
send is read by scapy, which computes every checksum again.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether

from emu.events import Event, Marked
from emu.lesson import Lab
from tests.helpers.captures import OUTSIDE, office, write_captures

RULES = Path(__file__).parent / "rules"
SETS = ("office", "crossing", "open")
PATHS = ("kernel", "copy", "ukshm", "ring")
FEW = 150
MANY = 1000
LIMIT = 400_000_000
LENGTHS = {"office": pytest.mark.long, "crossing": pytest.mark.nightly, "open": pytest.mark.nightly}


@dataclass(frozen=True)
class Run:
    """What a path did: (packet, hook, verdict), (packet, what became of it), and the frames sent by card.

    `ends` is in the order of packets. In time, a REJECT's message may end before the packet that it is about, or
    behind it, where a program is asked about the message first.
    """

    verdicts: tuple[tuple[int, int, int], ...]
    ends: tuple[tuple[int, int], ...]
    sent: dict[str, tuple[bytes, ...]]
    console: str


@cache
def run(rules: str, path: str, packets: int, seed: int) -> Run:
    verdicts: list[tuple[int, int, int]] = []
    ends: list[tuple[int, int]] = []

    def note(event: Event) -> None:
        assert isinstance(event, Marked)
        if event.name == "verdict":
            verdicts.append(tuple(int(event.arguments[name]) for name in ("id", "hook", "verdict")))  # pyright: ignore[reportArgumentType]
        elif event.name == "packet_end":
            ends.append((int(event.arguments["id"]), int(event.arguments["reason"])))

    with TemporaryDirectory() as folder:
        captures = write_captures(office(packets, seed), Path(folder))
        lab = Lab()
        lab.on_boot.append(lambda booted: booted.machine.journal.listen(Marked, note))
        lab.boot(
            "firewall",
            f"{rules}.rules",
            switches={"firewall.path": path},
            net_in=[f"{card}={file}" for card, file in captures.items()],
            net_pace="closed",
            files=[RULES / f"{rules}.rules"],
        )
        ended = lab.run_to_exit(LIMIT)
    assert ended is not None and ended.code == 0x10, (path, ended, str(lab.console)[-500:])
    sent = {card: tuple(bytes(frame) for frame in lab.sent(card)) for card in ("eth0", "eth1")}
    return Run(tuple(verdicts), tuple(sorted(ends)), sent, str(lab.console))


def captures() -> list[object]:
    """(rules, packets): every set with a few packets, and a thousand of them."""
    few = [pytest.param(rules, FEW, id=f"{rules}-{FEW}") for rules in SETS]
    many = [pytest.param(rules, MANY, id=f"{rules}-{MANY}", marks=LENGTHS[rules]) for rules in SETS]
    return [*few, *many]


@pytest.mark.parametrize(("rules", "packets"), captures())
@pytest.mark.parametrize("path", PATHS[1:])
def test_a_path_gives_the_verdicts_of_the_kernels_own_rules_and_sends_their_bytes(
    rules: str, path: str, packets: int
) -> None:
    ours, theirs = run(rules, path, packets, 1), run(rules, "kernel", packets, 1)
    assert ours.verdicts == theirs.verdicts
    assert ours.ends == theirs.ends
    assert ours.sent == theirs.sent


@pytest.mark.parametrize("rules", SETS)
@pytest.mark.parametrize("path", PATHS)
def test_a_path_counts_every_rule_alike_and_leaks_nothing(rules: str, path: str) -> None:
    ours, theirs = run(rules, path, FEW, 1), run(rules, "kernel", FEW, 1)
    assert ours.console == theirs.console
    assert "leak" not in ours.console and "Chain" in ours.console


@pytest.mark.parametrize("rules", SETS)
def test_the_rule_sets_have_something_to_decide(rules: str) -> None:
    found = run(rules, "kernel", FEW, 1)
    targets = {verdict & 0xFF for _, _, verdict in found.verdicts}
    assert targets >= {"office": {0, 1, 2, 4}, "crossing": {0, 1, 2, 3}, "open": {1}}[rules]
    assert (
        len(Counter(reason for _, reason in found.ends)) > 4
    )  # sent, delivered, and several ways to be dropped
    assert len(found.sent["eth0"]) > 5 and len(found.sent["eth1"]) > 20


def layers_with_checksums(frame: bytes) -> list[tuple[int | None, int | None]]:
    """(the checksum in the packet, the one that scapy computes) of each layer; None where the field says "none"."""
    packet = Ether(frame)
    pairs: list[tuple[int | None, int | None]] = []
    again = packet.copy()
    for layer in (IP, ICMP, TCP, UDP):
        if layer in again:
            del again[layer].chksum
    again = Ether(bytes(again))
    whole = packet[IP].flags.MF == 0 and packet[IP].frag == 0
    for layer in (IP, ICMP, TCP, UDP):
        if layer in packet and (layer is IP or whole) and not (layer is UDP and packet[UDP].chksum == 0):
            pairs.append((packet[layer].chksum, again[layer].chksum))
    return pairs


@pytest.mark.parametrize("rules", SETS)
def test_scapy_agrees_with_every_checksum_of_what_was_sent(rules: str) -> None:
    frames = [frame for card in run(rules, "ukshm", FEW, 1).sent.values() for frame in card]
    checked = [pair for frame in frames if IP in Ether(frame) for pair in layers_with_checksums(frame)]
    assert len(checked) > 60
    assert [pair for pair in checked if pair[0] != pair[1]] == []


def test_nobody_outside_sees_an_inside_address() -> None:
    frames = [Ether(frame) for frame in run("office", "ring", FEW, 1).sent["eth1"]]
    sources = {frame[IP].src for frame in frames if IP in frame}
    assert sources == {OUTSIDE}
