# SPDX-License-Identifier: GPL-2.0-or-later
"""The counters that a trace's events give, under the names that a run has; null where the events are not there."""

from typing import TYPE_CHECKING

from emu.events import Accessed, Event, Faulted, Invalidated, Kind, TlbFilled

if TYPE_CHECKING:
    from emu.trace.header import TraceHeader

_UNITS = {"fetch": "ITLB_MISSES", "read": "DTLB_LOAD_MISSES", "write": "DTLB_STORE_MISSES"}
_STRUCTURES = " cache"
"""How the names of paging-structure caches end: what they are filled with is no page."""
_SIZES = {1 << 12: "4K", 1 << 21: "2M_4M", 1 << 22: "2M_4M", 1 << 30: "1G"}


class TraceCounters:
    """An observer of a trace's events. Every number is of the trace's window, not of the whole run."""

    def __init__(self, header: "TraceHeader") -> None:
        self._all = "all" in header.kinds
        self._kinds = set(Kind) if self._all or not header.kinds else {Kind(kind) for kind in header.kinds}
        self._first: int | None = None
        self._last = 0
        self._accesses = dict.fromkeys(_UNITS, 0)
        self._hits = dict.fromkeys(_UNITS, 0)
        self._walks = dict.fromkeys(_UNITS, 0)
        self._completed: dict[tuple[str, str], int] = {}
        self._sizes: dict[int, int] = {}
        self._faults = 0
        self._invalidations = 0

    def __call__(self, event: Event) -> None:
        """Count one event."""
        self._first = event.insn if self._first is None else self._first
        self._last = event.insn
        match event:
            case Accessed():
                self._access(event)
            case TlbFilled() if not event.array.endswith(_STRUCTURES):
                self._sizes[event.page * event.page_bytes] = event.page_bytes
            case Faulted() if event.vector == 14:
                self._fault(event)
            case Invalidated() if event.operation in ("INVLPG", "INVPCID"):
                self._invalidations += 1
            case _:
                pass

    def _access(self, event: Accessed) -> None:
        if event.type not in _UNITS:
            return
        self._accesses[event.type] += 1
        self._hits[event.type] += event.tlb == "l2_hit"
        if event.tlb == "miss":
            self._walks[event.type] += 1
            sizes = (size for size in reversed(_SIZES) if self._sizes.get(event.linear & -size) == size)
            for size in sizes:
                key = event.type, _SIZES[size]
                self._completed[key] = self._completed.get(key, 0) + 1
                break
        self._sizes.clear()

    def _fault(self, event: Faulted) -> None:
        self._faults += 1
        bits = event.error or 0
        kind = "fetch" if bits & 16 else "write" if bits & 2 else "read"
        self._accesses[kind] += 1

    def report(self) -> dict[str, int | None]:
        """Every counter of a run by name; None where the trace's kinds do not settle it."""
        accesses, fills = Kind.ACCESS in self._kinds, Kind.TLB_FILL in self._kinds
        faults = Kind.FAULT in self._kinds
        result: dict[str, int | None] = {
            "instructions": self._last - (self._first or 0) + (self._first is not None)
        }
        for kind in _UNITS:
            result[f"accesses.{kind}"] = self._accesses[kind] if self._all else None
        for kind, unit in _UNITS.items():
            result[f"{unit}.MISS_CAUSES_A_WALK"] = None
            result[f"{unit}.STLB_HIT"] = self._hits[kind] if accesses else None
            result[f"{unit}.STLB_HIT_4K"] = result[f"{unit}.STLB_HIT_2M"] = None
            sizes = {size: self._completed.get((kind, size), 0) for size in ("4K", "2M_4M", "1G")}
            known = accesses and fills
            result[f"{unit}.WALK_COMPLETED"] = sum(sizes.values()) if known else None
            for size, walks in sizes.items():
                result[f"{unit}.WALK_COMPLETED_{size}"] = walks if known else None
            result[f"{unit}.WALK_ACTIVE"] = None
        result["page_faults"] = self._faults if faults else None
        result["invalidations"] = self._invalidations if Kind.INVALIDATE in self._kinds else None
        result["cycles.model"] = None
        return result
