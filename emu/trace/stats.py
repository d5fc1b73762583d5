# SPDX-License-Identifier: GPL-2.0-or-later
"""What a trace holds, counted."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from emu.events import Accessed, Event, Faulted, Invalidated, Kind


@dataclass(slots=True)
class TraceStats:
    """Counts of the events that a trace holds (not of all that happened: see its header's kinds)."""

    events: int = 0
    first_insn: int | None = None
    last_insn: int | None = None
    by_kind: dict[Kind, int] = field(default_factory=dict[Kind, int])
    accesses: dict[str, int] = field(default_factory=dict[str, int])
    faults: dict[str, int] = field(default_factory=dict[str, int])
    invalidations: dict[str, int] = field(default_factory=dict[str, int])


def count(events: Iterable[Event]) -> TraceStats:
    """Count `events` in one pass: by kind, accesses by type and TLB outcome, faults by reason."""
    stats = TraceStats()
    kinds: Counter[Kind] = Counter()
    accesses: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    invalidations: Counter[str] = Counter()
    for event in events:
        stats.events += 1
        stats.first_insn = event.insn if stats.first_insn is None else stats.first_insn
        stats.last_insn = event.insn
        kinds[event.kind] += 1
        if isinstance(event, Accessed):
            accesses[f"{event.type}.{event.tlb}"] += 1
        elif isinstance(event, Faulted):
            faults[event.reason] += 1
        elif isinstance(event, Invalidated):
            invalidations[event.operation] += 1
    stats.by_kind = {kind: kinds[kind] for kind in Kind if kinds[kind]}
    stats.accesses = dict(sorted(accesses.items()))
    stats.faults = dict(sorted(faults.items()))
    stats.invalidations = dict(sorted(invalidations.items()))
    return stats
