# SPDX-License-Identifier: GPL-2.0-or-later
"""The counters that a lesson looks at, with what this stop added. Cost-model numbers are marked ~."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from emu.view.spans import Line, Span, line

SHOWN: Final = (
    ("load walks", "DTLB_LOAD_MISSES.MISS_CAUSES_A_WALK"),
    ("store walks", "DTLB_STORE_MISSES.MISS_CAUSES_A_WALK"),
    ("fetch walks", "ITLB_MISSES.MISS_CAUSES_A_WALK"),
    ("load L2 hit", "DTLB_LOAD_MISSES.STLB_HIT"),
    ("store L2 hit", "DTLB_STORE_MISSES.STLB_HIT"),
    ("fetch L2 hit", "ITLB_MISSES.STLB_HIT"),
    ("page faults", "page_faults"),
    ("invalidated", "invalidations"),
    ("fetches", "accesses.fetch"),
    ("reads", "accesses.read"),
    ("writes", "accesses.write"),
    ("~ cycles", "cycles.model"),
)


@dataclass(frozen=True, slots=True)
class CounterRow:
    """One counter by its short and its PMU name. `delta`: since the last stop, None if there was none."""

    label: str
    name: str
    value: int
    delta: int | None

    def line(self, width: int) -> Line:
        """The row of the panel."""
        delta = _short(self.delta, 5 if width < 30 else 9) if self.delta else ""
        label = f"{self.label:<13}{self.name:<40}" if width >= 70 else f"{self.label:<12}"
        number = f"{self.value:>{8 if width > 26 else 7},}"
        return line(label, Span(number, "number"), " ", Span(delta, "fill", bool(delta)))


def _short(delta: int, room: int) -> str:
    """A delta in at most `room` columns: "+117", "+20k"."""
    text = f"{delta:+,}"
    if len(text) <= room:
        return text
    return f"{delta // 1000:+}k" if abs(delta) < 1_000_000 else f"{delta // 1_000_000:+}M"


def counter_rows(counters: Mapping[str, int], before: Sequence[CounterRow]) -> tuple[CounterRow, ...]:
    """The shown counters; deltas against the rows `before`."""
    old = {row.name: row.value for row in before}
    return tuple(
        CounterRow(label, name, counters[name], counters[name] - old[name] if name in old else None)
        for label, name in SHOWN
        if name in counters
    )
