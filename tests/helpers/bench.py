# SPDX-License-Identifier: GPL-2.0-or-later
"""An MMU on the bench: memory, page tables and TLBs with no CPU around them."""

from collections.abc import Iterator
from itertools import count
from typing import Any

from emu.bits import OFFSET_MASK, PAGE_BYTES, PAGE_SHIFT, LinearAddress, PhysicalAddress
from emu.events import Event, Journal
from emu.mem import PhysicalMemory
from emu.mmu import Mmu, Refused
from emu.paging.build import TableBuilder
from emu.paging.modes import FOUR_LEVEL, PagingMode
from emu.paging.rights import Controls
from emu.paging.walk import load_pdptes
from emu.tlb.counters import FETCH, READ, WRITE
from emu.tlb.geometry import ArrayGeometry, Geometry, StructureCaches
from emu.tlb.geometry_file import geometry
from emu.tlb.record import PageRecord

__all__ = ["FETCH", "READ", "WRITE", "Bench", "array", "tlbs"]

USER, WRITABLE, ACCESSED, DIRTY, GLOBAL, PRESENT, XD = 4, 2, 0x20, 0x40, 0x100, 1, 1 << 63
PAGE = PRESENT | WRITABLE | USER


def array(
    level: int = 1,
    serves: str = "data",
    sizes: str = "4K",
    entries: int = 4,
    ways: int | str = "full",
    policy: str = "lru",
    **splits: str,
) -> ArrayGeometry:
    """`splits` are given as _1G="2M": a name cannot begin with a digit."""
    pieces = tuple((size.removeprefix("_"), piece) for size, piece in splits.items())
    return ArrayGeometry(level, serves, tuple(sizes.split()), entries, ways, policy, pieces)


def tlbs(*arrays: ArrayGeometry, **structure_caches: int) -> Geometry:
    structures = StructureCaches(**structure_caches)
    return Geometry("bench", "made up for a test", "assumed", arrays, structure_caches=structures)


class Bench:
    """Tables from 4 MiB up, pages wherever a test puts them; every event is kept in `events`."""

    def __init__(
        self,
        of: Geometry | str = "haswell",
        memory_bytes: int = 8 << 20,
        mode: PagingMode = FOUR_LEVEL,
        seed: int = 0,
    ) -> None:
        self.mode = mode
        self.memory = PhysicalMemory(memory_bytes)
        self.journal = Journal()
        self.mmu = Mmu(self.memory, geometry(of) if isinstance(of, str) else of, self.journal, seed)
        self._frames: Iterator[int] = count(4 << 20, PAGE_BYTES)
        self.tables = self.new_tables()
        self.events: list[Event] = []
        self.journal.observers.append(self.events.append)
        self.set()
        self.mmu.tlb.stale_grants = False

    def new_tables(self) -> TableBuilder:
        """Another address space, with nothing in it."""
        return TableBuilder(self.memory, lambda: PhysicalAddress(next(self._frames)), self.mode)

    def set(self, pcid: int = 0, tables: TableBuilder | None = None, **changes: Any) -> None:
        """Set the control registers: WP, NXE and PGE on, SMEP and SMAP off, unless `changes` say otherwise.

        In PAE paging the PDPTE registers are loaded.
        """
        root = (tables or self.tables).root
        bits = {"WP": True, "SMEP": False, "SMAP": False, "NXE": True, "PGE": True, **changes}
        if self.mode.root_in_registers:
            bits["pdptes"] = load_pdptes(self.memory.read_entry, root, 40)
        self.mmu.set_controls(Controls(mode=self.mode, root=root, **bits), pcid)

    def map(
        self, linear: int, physical: int, flags: int = PAGE, page_bytes: int = PAGE_BYTES
    ) -> PhysicalAddress:
        """Map a page; the address of its entry is returned."""
        return self.tables.map(LinearAddress(linear), PhysicalAddress(physical), page_bytes, flags)

    def entry(self, address: int) -> int:
        return self.memory.read_entry(PhysicalAddress(address), self.mode.entry_bytes)

    def set_entry(self, address: int, value: int) -> None:
        self.memory.write_entry(PhysicalAddress(address), value, self.mode.entry_bytes)

    def translate(
        self, linear: int, kind: int = READ, user: bool = True, implicit: bool = False, ac: bool = False
    ) -> PageRecord | Refused:
        return self.mmu.translate(linear >> PAGE_SHIFT, kind, user, implicit, ac)

    def granted(self, linear: int, kind: int) -> PageRecord:
        """Do as an engine that goes on making such accesses without asking."""
        record = self.translate(linear, kind)
        assert isinstance(record, PageRecord), f"refused: {record}"
        record.granted |= 1 << kind
        self.mmu.tlb.stale_grants = False
        return record

    def access(
        self,
        linear: int,
        kind: int = READ,
        user: bool = True,
        implicit: bool = False,
        ac: bool = False,
        size: int = 1,
    ) -> int:
        """Make one access; the physical address that it reached. A refusal is an AssertionError."""
        found = self.translate(linear, kind, user, implicit, ac)
        assert isinstance(found, PageRecord), f"refused: {found}"
        self.mmu.touch(found, linear & OFFSET_MASK, size, kind, implicit)
        return found.frame << PAGE_SHIFT | linear & OFFSET_MASK

    def refused(self, linear: int, kind: int = READ, user: bool = True, ac: bool = False) -> Refused:
        """Make one access that must be refused, and the fault that comes of it."""
        found = self.translate(linear, kind, user, False, ac)
        assert isinstance(found, Refused), "the access was allowed"
        self.mmu.fault(found, LinearAddress(linear))
        return found

    def kinds(self) -> list[str]:
        """The kinds of the events since the last call, in order."""
        kinds = [str(event.kind) for event in self.events]
        self.events.clear()
        return kinds

    def counts(self) -> dict[str, int]:
        """The counters that are not 0, without cycles, instructions and the sums over page sizes of walks."""
        report = self.mmu.counters.report(0, self.mmu.geometry.cost)
        return {
            name: value
            for name, value in report.items()
            if value and name != "cycles.model" and not name.endswith((".WALK_ACTIVE", ".WALK_COMPLETED"))
        }
