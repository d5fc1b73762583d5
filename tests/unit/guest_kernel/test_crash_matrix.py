# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever happens to the firewall's program at whatever point of a packet's life: the kernel lives, no frame is lost,
and the policy holds.

One packet is let through first. The second is stopped at a point of its life, and there the program is spoilt: its
code is overwritten so that it faults, hangs or lies, or it is killed. A third comes to a firewall that is dead (or as
good as dead), a fourth to the one that was started after it.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from scapy.layers.inet import UDP
from scapy.layers.l2 import Ether

from emu.bits import LinearAddress
from emu.checker.findings import Severity
from emu.events import Kind
from emu.lesson import Call, Lab, happened
from emu.lesson.wire import udp

PATHS = ("copy", "ukshm", "ring")
RULES = "-P FORWARD DROP\n-A FORWARD -p udp --dport 53 -j ACCEPT\n"
DEADLINE_TICKS = 5
WHILE = 1_200_000
"""Instructions in which every deadline passes."""
SPOILT = {
    "faults": b"\x0f\x0b",  # UD2
    "hangs": b"\xeb\xfe",  # a jump to itself
    "lies": b"\xb8\x77\x77\x00\x00\xc3",  # the verdict 0x7777, which no target has
}


def packet(number: int) -> bytes:
    return udp(f"10.0.0.2:{1000 + number}", "203.0.113.9:53", b"name?")


def passed(lab: Lab) -> list[int]:
    """The numbers of the packets that went out through the other card."""
    frames = [Ether(frame) for frame in lab.sent("eth1")]
    return [frame[UDP].sport - 1000 for frame in frames if UDP in frame]


def start(path: str, folder: Path) -> Lab:
    rules = folder / "names.rules"
    rules.write_text(RULES)
    lab = Lab()
    switches = {"firewall.path": path, "ukshm.deadline": str(DEADLINE_TICKS)}
    lab.boot("warden", "names.rules", switches=switches, network=True, files=[rules])
    lab.machine.run(900_000)
    assert lab.value("firewall_state") == 1, str(lab.console)
    return lab


def offer(lab: Lab, number: int) -> None:
    lab.inject(packet(number))
    lab.machine.run(WHILE)


def to_queue(lab: Lab, path: str) -> None:
    lab.run_until(Call("upcall_submit" if path == "ukshm" else "firewall_ask"), then="return")


def to_question(lab: Lab, path: str) -> None:
    lab.run_until(happened(Kind.UPCALL))


def to_judgement(lab: Lab, path: str) -> None:
    address = lab.inspector.symbols.programs["firewall"].address_of("judge")
    lab.machine.run_until(WHILE, addresses={address})
    assert lab.inspector.rip() == address


def to_answer(lab: Lab, path: str) -> None:
    lab.run_until(happened(Kind.ACK))


def to_card(lab: Lab, path: str) -> None:
    lab.run_until(Call("virtio_net_send"))


POINTS: dict[str, tuple[Callable[[Lab, str], None], bool]] = {
    "waits for its turn": (to_queue, False),
    "has just been asked about": (to_question, False),
    "is being judged": (to_judgement, False),
    "has been answered for": (to_answer, True),
    "is on its way to the card": (to_card, True),
}
"""How to get there, and whether its verdict has been given by then."""


def spoil(lab: Lab, how: str) -> None:
    if how == "is killed":
        lab.kill("firewall")
        return
    judge = lab.inspector.symbols.programs["firewall"].address_of("judge")
    walk = lab.walk(LinearAddress(judge), process="firewall")
    assert walk.physical is not None
    lab.machine.input("poke", walk.physical, SPOILT[how])


def cells() -> list[object]:
    rows: list[object] = []
    for path in PATHS:
        for point in POINTS:
            for how in ("faults", "is killed", "hangs", "lies"):
                name = f"{path}: it {how} when a packet {point}"
                marks = [] if (path, how) == ("ukshm", "faults") else [pytest.mark.nightly]
                rows.append(pytest.param(path, point, how, id=name, marks=marks))
    return rows


@pytest.mark.parametrize(("path", "point", "how"), cells())
def test_the_kernel_lives_and_the_policy_holds(path: str, point: str, how: str, tmp_path: Path) -> None:
    lab = start(path, tmp_path)
    offer(lab, 1)
    assert passed(lab) == [1]
    reach, decided = POINTS[point]
    lab.inject(packet(2))
    reach(lab, path)
    spoil(lab, how)
    lab.machine.run(WHILE)
    offer(lab, 3)
    assert passed(lab) == ([1, 2] if decided else [1])
    if "has ended with status" not in str(lab.console):
        lab.kill("firewall")
        lab.machine.run(WHILE)
    assert "2: the firewall has ended with status" in str(lab.console)
    assert lab.value("firewall_state") == 2
    assert not [finding for finding in lab.check().report.findings if finding.severity is not Severity.NOTE]
    lab.type("again\n")
    lab.machine.run(900_000)
    offer(lab, 4)
    assert passed(lab)[-1] == 4 and 3 not in passed(lab)
    lab.kill("firewall")
    lab.type("end\n")
    ended = lab.run_to_exit()
    text = str(lab.console)
    assert ended is not None and ended.code == 0x10
    assert not [word for word in ("leak", "bug", "damage", "self-check", "panic") if word in text], text


@pytest.mark.parametrize("path", PATHS)
def test_a_dead_firewall_lets_all_pass_where_the_policy_says_so(path: str, tmp_path: Path) -> None:
    lab = start(path, tmp_path)
    lab.set_switch("firewall.dead", "allow")
    lab.inject(packet(1))
    to_question(lab, path)
    lab.kill("firewall")
    lab.machine.run(WHILE)
    offer(lab, 2)
    assert passed(lab) == [1, 2]
