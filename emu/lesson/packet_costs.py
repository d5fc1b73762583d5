# SPDX-License-Identifier: GPL-2.0-or-later
"""What packets cost the guest, and what became of them, from the marks that its kernel makes.

Counted is all that the machine does while the guest holds at least one packet: from the mark `packet_in` of the first
to the mark `packet_end` of the last. Nothing is left out, so interrupts and other processes that come in between are
in it; what the guest does before the first mark (the card's interrupt) and while it idles is not. The mean is over the
packets that came in through a card.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from emu.events import Event, Marked
from emu.guest.symbols import SymbolTable
from emu.machine import Machine

FATES: Final = ("sent", "delivered")
"""Reasons of `packet_end` that are no drops; behind them comes enum drop_reason."""
_TARGET_BITS: Final = 0xFF


class PacketCosts:
    """Listens to the marks of a machine. `symbols`: the kernel's, for the names of reasons, hooks and targets."""

    def __init__(self, machine: Machine, symbols: SymbolTable) -> None:
        self._machine = machine
        self._reasons = symbols.enumeration("drop_reason")
        self._hooks = symbols.enumeration("hook")
        self._targets = symbols.enumeration("target")
        self.came_in = 0
        """Packets that a card brought."""
        self.made = 0
        """Packets that the guest made itself."""
        self.fates: Counter[str] = Counter()
        self.verdicts: dict[str, Counter[str]] = {}
        """Hook -> target -> how many packets."""
        self._held: set[int] = set()
        self._start: dict[str, int] = {}
        self._total: Counter[str] = Counter()
        machine.journal.listen(Marked, self)

    def __call__(self, event: Event) -> None:
        """Take note of one mark."""
        assert isinstance(event, Marked)
        match event.name:
            case "packet_in":
                self._begin(_number(event, "id"), _number(event, "interface"))
            case "packet_end":
                self._end(_number(event, "id"), _number(event, "reason"))
            case "verdict":
                hook = _name(self._hooks, _number(event, "hook"), "HOOK_")
                target = _name(self._targets, _number(event, "verdict") & _TARGET_BITS, "TARGET_")
                self.verdicts.setdefault(hook, Counter())[target] += 1
            case _:
                pass

    def _begin(self, number: int, interface: int) -> None:
        if interface:
            self.came_in += 1
        else:
            self.made += 1
        if not self._held:
            self._start = self._now()
        self._held.add(number)

    def _end(self, number: int, reason: int) -> None:
        self.fates[fate_name(reason, self._reasons)] += 1
        self._held.discard(number)
        if not self._held and self._start:
            self._total.update(self._since_start())
            self._start = {}

    def _now(self) -> dict[str, int]:
        machine = self._machine
        counters = machine.mmu.counters
        extra = {"flushes": counters.flushes, "ring_changes": counters.ring_changes}
        return counters.report(machine.journal.insn, machine.geometry.cost) | extra

    def _since_start(self) -> dict[str, int]:
        return {name: value - self._start[name] for name, value in self._now().items()}

    def total(self) -> dict[str, int]:
        """Every counter, for the times in which the guest held a packet; the present one included."""
        names = dict.fromkeys(self._now(), 0)
        running = self._since_start() if self._start else names
        return {name: self._total[name] + running[name] for name in names}

    def report(self) -> dict[str, Any]:
        """The object `network` of `pagewalk run --json`."""
        network = self._machine.network
        total = self.total()
        return {
            "pace": "closed" if network.closed else "pcap",
            "cards": {
                name: {"offered": card.offered, "received": card.received, "sent": card.sent}
                for name, card in network.cards.items()
            },
            "packets": {"came_in": self.came_in, "made": self.made, "in_flight": len(self._held)},
            "verdicts": {
                hook: dict(sorted(targets.items())) for hook, targets in sorted(self.verdicts.items())
            },
            "fates": dict(sorted(self.fates.items())),
            "per_packet": {
                "packets": self.came_in,
                "mean": {name: round(value / max(self.came_in, 1), 2) for name, value in total.items()},
                "total": total,
            },
        }


def fate_name(reason: int, drop_reasons: Mapping[int, str]) -> str:
    """What became of a packet, by the number of its `packet_end`. `drop_reasons` is the kernel's enum drop_reason."""
    if reason < len(FATES):
        return FATES[reason]
    words = _name(drop_reasons, reason - len(FATES), "DROP_").lower().replace("_", " ")
    return f"dropped: {words}"


def _number(event: Marked, name: str) -> int:
    value = event.arguments.get(name, 0)
    return value if isinstance(value, int) else 0


def _name(names: Mapping[int, str], number: int, prefix: str) -> str:
    return names.get(number, f"{prefix}{number}").removeprefix(prefix)
