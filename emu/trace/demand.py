# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses alone through the MMU: page tables are built as the addresses come, and no data exist.

A recorded address trace says where a program reached, not what its kernel mapped. So every page is mapped at its
first use, before the access: user page, writable, executable, A and D clear. Nothing faults, `page_faults` stays 0,
and `pages` says how often a kernel that maps on demand would have taken a minor fault.
"""

from collections.abc import Iterable
from typing import Final

from emu.bits import PAGE_BYTES, PAGE_SHIFT, PAGE_SIZES, LinearAddress, PhysicalAddress
from emu.events import Journal
from emu.mem import PhysicalMemory
from emu.mmu import Mmu
from emu.paging.build import TableBuilder
from emu.paging.modes import FOUR_LEVEL
from emu.paging.rights import Controls
from emu.tlb.geometry import Geometry
from emu.tlb.record import PageRecord

Touch = tuple[int, int, int, int, int]
"""One access within one page: type index, 4 KiB page number, offset and size in bytes, instructions begun by it."""

TABLE_BYTES: Final = 256 << 20
"""Room for page tables: enough for 128 GiB of 4 KiB pages that lie together."""
MAXPHYADDR: Final = 52
_RING_3: Final = 3
_ENTRIES_SHIFT: Final = 9


class TablesFull(Exception):
    """The pages lie so far apart that their tables fill the room: what, and the mend."""


class DemandPaged:
    """An MMU, and an address space that grows by a page whenever an access needs one.

    RAM holds page tables and nothing else. The frames of pages are numbers above it, in order of first use.
    """

    def __init__(
        self,
        geometry: Geometry,
        page_size: str = "4K",
        table_bytes: int = TABLE_BYTES,
        seed: int = 0,
        fast: bool = True,
    ) -> None:
        """`page_size`: "4K" or "2M"; `table_bytes`: room for tables, a multiple of 2 MiB; `seed`: for random policies.

        With `fast` off every access goes the long way: the same counts, slower.
        """
        self.pages = 0
        """Pages mapped so far."""
        self.page_size: Final = page_size
        self._page_bytes: Final = PAGE_SIZES[page_size]
        self._shift: Final = self._page_bytes.bit_length() - 1 - PAGE_SHIFT
        self._mapped: dict[int, int] = {}
        """A bit for each page, 512 of them a number: a set of page numbers would weigh more than the tables."""
        self._fast: Final = fast
        self._memory: Final = PhysicalMemory(table_bytes)
        self._free_table = 0
        self._journal: Final = Journal()
        self._journal.cpl = _RING_3
        self.mmu: Final = Mmu(self._memory, geometry, self._journal, seed)
        self._tables: Final = TableBuilder(self._memory, self._allocate, FOUR_LEVEL)
        self.mmu.set_controls(
            Controls(
                mode=FOUR_LEVEL,
                root=self._tables.root,
                maxphyaddr=MAXPHYADDR,
                WP=True,
                SMEP=True,
                SMAP=True,
                NXE=True,
                PGE=True,
            )
        )

    @property
    def instructions(self) -> int:
        """Instructions begun so far."""
        return self._journal.insn

    def counters(self) -> dict[str, int]:
        """Every counter by its PMU name, as `pagewalk run --json` gives them."""
        return self.mmu.counters.report(self.instructions, self.mmu.geometry.cost)

    def run(self, touches: Iterable[Touch]) -> None:
        """Make accesses. TablesFull if their pages lie too far apart."""
        journal = self._journal
        accesses = self.mmu.counters.accesses
        tlb = self.mmu.tlb
        none: dict[int, PageRecord] = {}
        records = (tlb.code, tlb.data, tlb.data) if self._fast else (none, none, none)
        for kind, page, offset, size, begun in touches:
            journal.insn += begun
            record = records[kind].get(page)
            if record is not None:
                slot = record.fast[kind]
                if slot is not None:
                    accesses[kind] += 1
                    journal.seq += 1
                    array = slot.array
                    array.clock = slot.stamp = array.clock + 1
                    continue
            self._touch_slow(kind, page, offset, size)

    def _touch_slow(self, kind: int, page: int, offset: int, size: int) -> None:
        self._need(page)
        record = self.mmu.translate(page, kind, user=True)
        assert isinstance(record, PageRecord), f"a page mapped on demand refused: {record}"
        self.mmu.touch(record, offset, size, kind)

    def _need(self, page: int) -> None:
        """See to it that the 4 KiB page `page` is mapped."""
        number = page >> self._shift
        region, bit = number >> _ENTRIES_SHIFT, 1 << (number & ((1 << _ENTRIES_SHIFT) - 1))
        mapped = self._mapped.get(region, 0)
        if mapped & bit:
            return
        frame = PhysicalAddress(self._memory.size_bytes + self.pages * self._page_bytes)
        self._tables.map(LinearAddress(number * self._page_bytes), frame, self._page_bytes)
        self._mapped[region] = mapped | bit
        self.pages += 1

    def _allocate(self) -> PhysicalAddress:
        address = self._free_table
        if address >= self._memory.size_bytes:
            raise TablesFull(
                f"the page tables of {self.pages:,} pages fill {self._memory.size_bytes >> 20} MiB; "
                "--page-size 2M needs fewer tables, or cut the trace"
            )
        self._free_table += PAGE_BYTES
        return PhysicalAddress(address)
