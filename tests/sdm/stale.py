# SPDX-License-Identifier: GPL-2.0-or-later
"""A page whose tables change under a TLB: what memory says of it now, and what the MMU does."""

from emu.bits import LinearAddress
from emu.mmu import ACCESS_TYPES, Refused
from emu.paging.fault import Reason
from emu.paging.modes import PagingMode
from emu.paging.rights import check
from emu.tlb.geometry import Geometry
from tests.helpers.bench import PAGE, READ, Bench, array, tlbs

PLAIN = tlbs(array(serves="both", sizes="4K 2M 4M 1G", entries=64))
WITH_STRUCTURE_CACHES = tlbs(
    array(serves="both", sizes="4K 2M 4M 1G", entries=64), pml5e=8, pml4e=8, pdpte=8, pde=8
)
LINEAR, OTHER = 0x4040_3000, 0x4040_5000
"""The page that changes, and one that shares every table with it."""
OLD, NEW, OTHER_OLD, OTHER_NEW = 0x10_0000, 0x20_0000, 0x11_0000, 0x21_0000

Answer = int | Reason
"""What comes of an access: a physical address, or why it was refused."""


class Scene:
    """Two pages, and a second set of tables that maps them elsewhere: to take changed entries from."""

    def __init__(self, mode: PagingMode, geometry: Geometry, flags: int = PAGE) -> None:
        self.mode = mode
        self.bench = Bench(geometry, 16 << 20, mode)
        self.others = self.bench.new_tables()
        for tables, frame, other in ((self.bench.tables, OLD, OTHER_OLD), (self.others, NEW, OTHER_NEW)):
            tables.map(LinearAddress(LINEAR), frame, flags=flags)
            tables.map(LinearAddress(OTHER), other, flags=flags)
        self.bench.set()

    def get(self, level: str) -> int:
        """The entry of LINEAR at `level`."""
        return self.bench.entry(self.bench.tables.entry_address(LINEAR, level))

    def put(self, level: str, value: int) -> None:
        self.bench.set_entry(self.bench.tables.entry_address(LINEAR, level), value)

    def elsewhere(self, level: str) -> int:
        """The entry that leads to the other frames, to be put at `level`."""
        return self.bench.entry(self.others.entry_address(LINEAR, level))

    def memory_says(self, linear: int, kind: int = READ, user: bool = True) -> Answer:
        """What an access comes to if nothing is cached."""
        found = self.bench.mmu.walk(LinearAddress(linear))
        assert found is not None
        reason = found.reason or check(
            found.rights_so_far, ACCESS_TYPES[kind], user, False, False, found.controls
        )
        return reason or found.physical

    def answer(self, linear: int, kind: int = READ, user: bool = True) -> Answer:
        """Make an access; a refused one is delivered as a fault."""
        found = self.bench.translate(linear, kind, user)
        if isinstance(found, Refused):
            self.bench.mmu.fault(found, LinearAddress(linear))
            return found.reason
        return self.bench.access(linear, kind, user)
