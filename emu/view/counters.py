# SPDX-License-Identifier: GPL-2.0-or-later
"""The counters that a lesson looks at, with what this stop added. Cost-model numbers are marked ~.

The walks and level-2 hits of each page size follow below, as far as there are any.
"""

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
    ("~ load walks", "DTLB_LOAD_MISSES.WALK_ACTIVE"),
    ("~ store walk", "DTLB_STORE_MISSES.WALK_ACTIVE"),
    ("~ fetch walk", "ITLB_MISSES.WALK_ACTIVE"),
)
_UNITS: Final = {"load": "DTLB_LOAD_MISSES", "store": "DTLB_STORE_MISSES", "fetch": "ITLB_MISSES"}
_BY_SIZE: Final = (
    ("4K", "WALK_COMPLETED_4K"),
    ("2M/4M", "WALK_COMPLETED_2M_4M"),
    ("1G", "WALK_COMPLETED_1G"),
    ("L2 4K", "STLB_HIT_4K"),
    ("L2 2M", "STLB_HIT_2M"),
)
BY_PAGE_SIZE: Final = tuple(
    (f"{kind} {label}", f"{unit}.{event}") for label, event in _BY_SIZE for kind, unit in _UNITS.items()
)
"""Shown where they are not 0."""


def is_modelled(name: str) -> bool:
    """Whether the counter of that name comes from the cost model, and is marked ~."""
    return name == "cycles.model" or name.endswith(".WALK_ACTIVE")


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
    """The shown counters, and those by page size that are not 0; deltas against the rows `before`."""
    old = dict.fromkeys((name for _, name in BY_PAGE_SIZE), 0) if before else {}
    old |= {row.name: row.value for row in before}
    by_size = tuple(row for row in BY_PAGE_SIZE if counters.get(row[1]))
    return tuple(
        CounterRow(label, name, counters[name], counters[name] - old[name] if name in old else None)
        for label, name in (*SHOWN, *by_size)
        if name in counters
    )
