# SPDX-License-Identifier: GPL-2.0-or-later
"""What a performance monitoring unit would count, under the names Linux's event lists give it."""

from collections.abc import Mapping
from typing import Final

from emu.bits import PAGE_SIZES
from emu.tlb.geometry import CostModel

FETCH: Final = 0
READ: Final = 1
WRITE: Final = 2
TYPE_NAMES: Final = ("fetch", "read", "write")
"""Access types by index, for the tables below and the page records."""
PMU_UNITS: Final = ("ITLB_MISSES", "DTLB_LOAD_MISSES", "DTLB_STORE_MISSES")
BySize = dict[int, int]
"""How many, by page size in bytes."""
_LARGE: Final = ("2M", "4M")
_STLB_HIT: Final = {"4K": ("4K",), "2M": _LARGE}
"""Haswell's names of STLB_HIT by page size, and the sizes counted under each; a 1G hit is in the sum alone."""
_COMPLETED: Final = {"4K": ("4K",), "2M_4M": _LARGE, "1G": ("1G",)}


class Counters:
    """Plain numbers, by access type where they have one. Cycles are computed from them by the cost model.

    The names are those of Linux's event lists (tools/perf/pmu-events/arch/x86: haswell and, for WALK_ACTIVE, skylake),
    so that `perf stat -e` on such a machine counts what bears the same name here.
    """

    __slots__ = (
        "accesses",
        "completed",
        "faults",
        "flushes",
        "invalidations",
        "ring_changes",
        "steps",
        "stlb_hits",
        "stlb_hits_by_size",
        "structure_hits",
        "walks",
    )

    def __init__(self) -> None:
        self.accesses = [0, 0, 0]
        self.stlb_hits = [0, 0, 0]
        """Accesses that missed level 1 and hit level 2."""
        self.stlb_hits_by_size: list[BySize] = [{}, {}, {}]
        self.walks = [0, 0, 0]
        """Misses that started a walk, refused ones included."""
        self.steps = [0, 0, 0]
        """Paging-structure entries read from memory."""
        self.structure_hits = [0, 0, 0]
        """Walks whose upper part a paging-structure cache knew."""
        self.completed: list[BySize] = [{}, {}, {}]
        """Walks that ended in a translation."""
        self.invalidations = 0
        self.flushes = 0
        self.faults = 0
        self.ring_changes = 0

    def stlb_hit(self, kind: int, page_bytes: int) -> None:
        """Count one level-2 hit, on an entry of `page_bytes`."""
        self.stlb_hits[kind] += 1
        by_size = self.stlb_hits_by_size[kind]
        by_size[page_bytes] = by_size.get(page_bytes, 0) + 1

    def complete(self, kind: int, page_bytes: int) -> None:
        """Count one finished walk to a page of `page_bytes`."""
        by_size = self.completed[kind]
        by_size[page_bytes] = by_size.get(page_bytes, 0) + 1

    def walk_cycles(self, kind: int, cost: CostModel) -> int:
        """What the walks for accesses of that type cost by the model, refused ones included."""
        return self.steps[kind] * cost.walk_step_memory + self.structure_hits[kind] * cost.walk_step_cached

    def report(self, instructions: int, cost: CostModel) -> dict[str, int]:
        """Every counter by name; `cycles.model` is instructions plus what the cost model charges."""
        result = {"instructions": instructions}
        for kind, name in enumerate(TYPE_NAMES):
            result[f"accesses.{name}"] = self.accesses[kind]
        for kind, unit in enumerate(PMU_UNITS):
            result[f"{unit}.MISS_CAUSES_A_WALK"] = self.walks[kind]
            result[f"{unit}.STLB_HIT"] = self.stlb_hits[kind]
            result |= _sums(f"{unit}.STLB_HIT", _STLB_HIT, self.stlb_hits_by_size[kind])
            result[f"{unit}.WALK_COMPLETED"] = sum(self.completed[kind].values())
            result |= _sums(f"{unit}.WALK_COMPLETED", _COMPLETED, self.completed[kind])
            result[f"{unit}.WALK_ACTIVE"] = self.walk_cycles(kind, cost)
        result["page_faults"] = self.faults
        result["invalidations"] = self.invalidations
        result["cycles.model"] = (
            instructions
            + sum(self.accesses) * cost.l1_hit
            + sum(self.stlb_hits) * cost.l2_hit
            + sum(self.walk_cycles(kind, cost) for kind in (FETCH, READ, WRITE))
            + self.invalidations * cost.invalidate_page
            + self.flushes * cost.flush
            + self.faults * cost.fault
            + self.ring_changes * cost.ring_change
        )
        return result

    def copy(self) -> "Counters":
        """An independent copy, for a checkpoint."""
        other = Counters()
        other.load(self)
        return other

    def load(self, saved: "Counters") -> None:
        """Take over the numbers of `saved`. The lists keep their identity: hot paths hold them."""
        self.accesses[:] = saved.accesses
        self.stlb_hits[:] = saved.stlb_hits
        self.stlb_hits_by_size = [dict(sizes) for sizes in saved.stlb_hits_by_size]
        self.walks[:] = saved.walks
        self.steps[:] = saved.steps
        self.structure_hits[:] = saved.structure_hits
        self.completed = [dict(sizes) for sizes in saved.completed]
        self.invalidations = saved.invalidations
        self.flushes = saved.flushes
        self.faults = saved.faults
        self.ring_changes = saved.ring_changes


def _sums(event: str, names: Mapping[str, tuple[str, ...]], by_size: BySize) -> dict[str, int]:
    """The numbers `by_size` under the event's names with a size behind."""
    return {
        f"{event}_{name}": sum(by_size.get(PAGE_SIZES[size], 0) for size in sizes)
        for name, sizes in names.items()
    }
