# SPDX-License-Identifier: GPL-2.0-or-later
"""What one packet through the firewall costs the guest on each of the four paths: counted, not timed."""

from dataclasses import dataclass
from typing import Final

from emu.lesson.lab import Lab
from emu.lesson.packet_costs import PacketCosts
from emu.lesson.wire import udp

PATHS: Final = ("kernel", "copy", "ukshm", "ring")
SIZES: Final = (64, 1500)
"""Bytes of the IPv4 packet: a small one, and the largest that fits a frame."""
_HEADERS: Final = 28
_RULE: Final = ("-A", "FORWARD", "-p", "udp", "-j", "ACCEPT")
_BEGIN: Final = 1_000_000
_REST: Final = 40_000
"""Instructions until the firewall waits, and until a packet has gone and all are idle."""
_WARM: Final = 40
"""Packets that are not counted. The first asks for neighbours and brings pages; a card's receive ring holds 32 pages
that were given to it before the ring path had any."""


@dataclass(frozen=True, slots=True)
class PathCost:
    """The mean of `count` packets of `size` bytes, one at a time, through one rule at FORWARD."""

    path: str
    size: int
    count: int
    counters: dict[str, float]
    """By the counters' names, `ring_changes` and `flushes` beside them."""

    @property
    def instructions(self) -> float:
        """Guest instructions a packet."""
        return self.counters["instructions"]


def _frame(number: int, size: int) -> bytes:
    return udp(f"10.0.0.2:{1024 + number}", "203.0.113.9:53", bytes(size - _HEADERS))


def measure_path(path: str, size: int, count: int) -> PathCost:
    """One path, one size."""
    lab = Lab()
    lab.boot("firewall", *_RULE, switches={"firewall.path": path}, network=True)
    lab.machine.run(_BEGIN)
    for number in range(_WARM):
        lab.inject(_frame(number, size))
        lab.machine.run(_REST)
    kernel = lab.inspector.symbols.kernel
    assert kernel is not None
    costs = PacketCosts(lab.machine, kernel)
    for number in range(_WARM, _WARM + count):
        lab.inject(_frame(number, size))
        lab.machine.run(_REST)
    report = costs.report()
    assert report["fates"] == {"sent": count}, report["fates"]
    return PathCost(path, size, count, report["per_packet"]["mean"])


def measure_paths(count: int = 20) -> list[PathCost]:
    """Every path and size."""
    return [measure_path(path, size, count) for path in PATHS for size in SIZES]
