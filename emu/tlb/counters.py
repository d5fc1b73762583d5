# SPDX-License-Identifier: GPL-2.0-or-later
"""What a performance monitoring unit would count, under the names Linux's event lists give it."""

from typing import Final

from emu.bits import PAGE_SIZES
from emu.tlb.geometry import CostModel

FETCH: Final = 0
READ: Final = 1
WRITE: Final = 2
TYPE_NAMES: Final = ("fetch", "read", "write")
"""Access types by index, for the tables below and the page records."""
PMU_UNITS: Final = ("ITLB_MISSES", "DTLB_LOAD_MISSES", "DTLB_STORE_MISSES")
_COMPLETED: Final = {
    "4K": (PAGE_SIZES["4K"],),
    "2M_4M": (PAGE_SIZES["2M"], PAGE_SIZES["4M"]),
    "1G": (PAGE_SIZES["1G"],),
}


class Counters:
    """Plain numbers, by access type where they have one. Cycles are computed from them by the cost model."""

    __slots__ = (
        "accesses",
        "completed",
        "faults",
        "flushes",
        "invalidations",
        "ring_changes",
        "steps",
        "stlb_hits",
        "walks",
    )

    def __init__(self) -> None:
        self.accesses = [0, 0, 0]
        self.stlb_hits = [0, 0, 0]
        self.walks = [0, 0, 0]
        """Misses that started a walk, refused ones included."""
        self.steps = [0, 0, 0]
        """Paging-structure entries read."""
        self.completed: list[dict[int, int]] = [{}, {}, {}]
        """Walks that ended in a translation, by page size in bytes."""
        self.invalidations = 0
        self.flushes = 0
        self.faults = 0
        self.ring_changes = 0

    def complete(self, kind: int, page_bytes: int) -> None:
        """Count one finished walk."""
        by_size = self.completed[kind]
        by_size[page_bytes] = by_size.get(page_bytes, 0) + 1

    def report(self, instructions: int, cost: CostModel) -> dict[str, int]:
        """Every counter by name; `cycles.model` is instructions plus what the cost model charges."""
        result = {"instructions": instructions}
        for kind, name in enumerate(TYPE_NAMES):
            result[f"accesses.{name}"] = self.accesses[kind]
        for kind, unit in enumerate(PMU_UNITS):
            result[f"{unit}.MISS_CAUSES_A_WALK"] = self.walks[kind]
            result[f"{unit}.STLB_HIT"] = self.stlb_hits[kind]
            for size, page_sizes in _COMPLETED.items():
                walks = sum(self.completed[kind].get(page_bytes, 0) for page_bytes in page_sizes)
                result[f"{unit}.WALK_COMPLETED_{size}"] = walks
            result[f"{unit}.WALK_ACTIVE"] = self.steps[kind] * cost.walk_step_memory
        result["page_faults"] = self.faults
        result["invalidations"] = self.invalidations
        result["cycles.model"] = (
            instructions
            + sum(self.accesses) * cost.l1_hit
            + sum(self.stlb_hits) * cost.l2_hit
            + sum(self.steps) * cost.walk_step_memory
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
        self.walks[:] = saved.walks
        self.steps[:] = saved.steps
        self.completed = [dict(sizes) for sizes in saved.completed]
        self.invalidations = saved.invalidations
        self.flushes = saved.flushes
        self.faults = saved.faults
        self.ring_changes = saved.ring_changes
