# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets and going back: however a run is cut into pieces, each frame comes and goes at the same moment."""

import random
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap

from emu.bits import hexadecimal
from emu.events import Acknowledged, Event, UpcallMade
from emu.lesson.boot import Booted, BootRequest, boot, request_of
from emu.machine import Ending, Machine
from emu.trace.show import describe
from emu.view.explain import explain
from emu.view.scene import Scene
from tests.helpers.kernel import Trace

INSIDE = Ether(dst="52:54:00:12:34:56", src="02:00:0a:00:00:02")
OUTSIDE = Ether(dst="52:54:00:12:34:57", src="02:00:c0:00:02:fe")


def request(folder: Path, pace: str, path: str) -> BootRequest:
    """A firewall with packets from both sides, the last of them while it may have ended."""
    inside = [INSIDE / IP(src="10.0.0.2", dst="10.0.0.1") / ICMP(seq=n) for n in range(3)]
    inside += [INSIDE / IP(src="10.0.0.2", dst="198.51.100.7") / UDP(dport=n) for n in (53, 99)]
    outside = [OUTSIDE / IP(src="198.51.100.7", dst="192.0.2.1") / ICMP(seq=n) for n in range(3)]
    for number, packet in enumerate(inside):
        packet.time = 9 + number / 100
    for number, packet in enumerate(outside):
        packet.time = 5000 + number / 77
    wrpcap(str(folder / "in.pcap"), inside)
    wrpcap(str(folder / "out.pcap"), outside)
    (folder / "rules").write_text(
        "-P INPUT DROP\n-A INPUT -i eth0 -p icmp -j ACCEPT\n-A FORWARD -p udp --dport 53 -j ACCEPT\n"
    )
    return request_of(
        "firewall",
        ["rules"],
        switches={"firewall.path": path},
        net_in=[str(folder / "in.pcap"), f"eth1={folder / 'out.pcap'}"],
        net_pace=pace,
        files=[str(folder / "rules")],
    )


def sent(machine: Machine) -> list[list[tuple[int, bytes]]]:
    return [machine.network.frames_sent(card) for card in ("eth0", "eth1")]


def at_its_end(booted: Booted) -> tuple[str, object, object]:
    """The digest of the trace, the last numbers, and what was sent."""
    machine = booted.machine
    trace = Trace(machine)
    machine.run(20_000_000)
    assert machine.ended is not None and machine.ended.ending is Ending.EXITED
    return trace.digest(), machine.journal.state(), sent(machine)


@pytest.mark.parametrize(("pace", "path"), [("closed", "ukshm"), ("pcap", "kernel")])
def test_a_run_in_random_pieces_back_and_forth_equals_the_straight_one(
    tmp_path: Path, pace: str, path: str
) -> None:
    wanted = request(tmp_path, pace, path)
    digest, state, frames = at_its_end(boot(wanted, keep_history=False))
    chance = random.Random(11)
    machine = boot(wanted).machine
    trace = Trace(machine)
    furthest = 0
    while machine.ended is None:
        machine.run(chance.choice((1, 3, 50, 3000, 20_000, 90_000)))
        if machine.ended is None and chance.random() < 0.2:
            furthest = machine.journal.insn
            machine.seek(chance.randrange(furthest + 1))
            machine.seek(furthest)
    assert (trace.digest(), machine.journal.state(), sent(machine)) == (digest, state, frames)
    machine.seek(state[1] // 2)  # type: ignore[index]
    assert len(sent(machine)[0]) <= len(frames[0])  # type: ignore[index]
    machine.run(20_000_000)
    assert (machine.journal.state(), sent(machine)) == (state, frames)


def test_what_is_told_of_sent_frames_is_told_once(tmp_path: Path) -> None:
    machine = boot(request(tmp_path, "closed", "kernel")).machine
    told: list[tuple[str, int, bytes]] = []
    machine.sent_listeners.append(lambda card, clock, frame: told.append((card, clock, frame)))
    machine.run(20_000_000)
    machine.seek(machine.journal.insn // 3)
    machine.run(20_000_000)
    expected = [("eth0", *frame) for frame in sent(machine)[0]] + [
        ("eth1", *frame) for frame in sent(machine)[1]
    ]
    assert sorted(told) == sorted(expected) and len(told) > 3


def test_a_reverse_syscall_and_its_answer_are_events_that_say_who_and_what(tmp_path: Path) -> None:
    machine = boot(request(tmp_path, "closed", "ukshm"), keep_history=False).machine
    events: list[Event] = []
    for kind in (UpcallMade, Acknowledged):
        machine.journal.listen(kind, events.append)
    machine.run(20_000_000)
    upcall, answer = events[:2]
    assert isinstance(upcall, UpcallMade) and isinstance(answer, Acknowledged)
    pid, number, role, hook, linear, length = upcall.arguments
    assert (upcall.name, pid, role, length) == ("ROLE_FIREWALL", 2, 2, 28)
    assert answer.arguments[:2] == [pid, number] and answer.arguments[4] == 0
    assert len(events) % 2 == 0
    scene = Scene(hex)
    assert explain(upcall, scene) == (
        f"reverse syscall {number}: the kernel calls the handler that process 2 registered for firewall, in ring 3, "
        f"for operation {hook} with 28 bytes at {hexadecimal(linear)}"
    )
    assert explain(answer, scene).startswith(f"process 2 answers reverse syscall {number}: 28 bytes, verdict")
    assert explain(answer, scene).endswith("the kernel took it")
    assert describe(upcall).startswith(f"ROLE_FIREWALL(2, {number}, 2, {hook}, ")
