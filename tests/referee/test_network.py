# SPDX-License-Identifier: GPL-2.0-or-later
"""Referee 2, on the network: the kernel's stack in the machine and in QEMU sends the same bytes in the same order."""

from pathlib import Path

import pytest

from tests.helpers.captures import office
from tests.helpers.network import Outcome, arp_answer, run
from tests.helpers.qemu_network import QemuNetwork, qemu_with_network

FRAMES = 200
FEW = 60
PASS = 33
SECONDS_TO_ANSWER = 20.0
RULES = (
    "-P FORWARD DROP -A FORWARD -p udp -j ACCEPT -A FORWARD -p icmp -j REJECT -A POSTROUTING -j MASQUERADE"
)

pytestmark = pytest.mark.qemu


def exchange(network: QemuNetwork, card: str, frame: bytes, expected: int) -> list[tuple[str, bytes]]:
    """Send a frame; what the guest sends then, until it is as much as expected. ARP requests are answered."""
    network.send(card, frame)
    got: list[tuple[str, bytes]] = []
    if not expected:
        return got
    for name, sent in network.receive(SECONDS_TO_ANSWER):
        got.append((name, sent))
        answer = arp_answer(sent)
        if answer:
            network.send(name, answer)
        if len(got) == expected:
            break
    return got


def by_card(sent: list[tuple[str, bytes]]) -> dict[str, list[str]]:
    """The frames of each card in words that a difference can be read from."""
    return {card: [frame.hex() for name, frame in sent if name == card] for card in ("eth0", "eth1")}


def compare(network: QemuNetwork, frames: list[tuple[str, bytes]], ours: Outcome) -> None:
    """Every frame brings out of QEMU's guest what it brought out of ours, and nothing comes behind the last."""
    for number, (card, frame) in enumerate(frames, start=1):
        wanted = [sent for sent, offered in zip(ours.sent, ours.offered, strict=True) if offered == number]
        got = exchange(network, card, frame, len(wanted))
        assert by_card(got) == by_card(wanted), f"frame {number}: {frame.hex()}"
    assert list(network.receive()) == []


def test_an_office_s_traffic_is_answered_and_passed_on_alike(tmp_path: Path) -> None:
    frames = [(card, data) for _, card, data in office(FRAMES, seed=1)]
    ours = run(frames, program="udpecho")
    assert len(ours.sent) > FRAMES / 2
    with qemu_with_network("program=udpecho", tmp_path) as network:
        network.wait_for_console(b"echo on port 7")
        compare(network, frames, ours)


@pytest.mark.parametrize("path", ["kernel", "copy", "ukshm", "ring"])
def test_rules_reject_and_translate_alike(path: str, tmp_path: Path) -> None:
    frames = [(card, data) for _, card, data in office(FRAMES if path == "kernel" else FEW, seed=2)]
    words = [*RULES.split()]
    ours = run(frames, program="firewall", arguments=words, firewall__path=path)
    assert {"RULE", "REJECTED", "NAT", "sent"} <= set(ours.arrivals())
    with qemu_with_network(
        " ".join(["program=firewall", *(f"arg={word}" for word in words), f"firewall.path={path}"]), tmp_path
    ) as network:
        network.wait_for_console(b"paging on")
        assert list(network.receive(2.0)) == [], "the rules are loaded meanwhile"
        compare(network, frames, ours)


def test_the_guest_in_qemu_ends_in_order_and_has_all_its_memory_back(tmp_path: Path) -> None:
    frames = [(card, data) for _, card, data in office(FRAMES, seed=3)]
    with qemu_with_network("program=udpecho arg=1", tmp_path) as network:
        network.wait_for_console(b"echo on port 7")
        for card, frame in frames:
            network.send(card, frame)
        from tests.helpers.network import UDP, inside

        network.send("eth0", bytes(inside() / UDP(sport=9, dport=7) / b"the last"))
        console, _ = network.process.communicate(timeout=60)
    assert b"leak" not in console
    assert b"8 bytes from 10.0.0.2 port 9" in console
    assert network.process.returncode == PASS
