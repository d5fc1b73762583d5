# SPDX-License-Identifier: GPL-2.0-or-later
"""The paging modes as tables of levels. Page sizes, indexes and reserved bits all derive from these tables.

Source: SDM vol. 3A, "Paging Modes and Control Bits", 4.1, and "4-Level Paging and 5-Level Paging", 4.5.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

from emu.bits import LinearAddress, extract, is_canonical
from emu.paging.formats import PDE, PDE_2M, PDPTE, PDPTE_1G, PML4E, PML5E, PS, PTE, EntryFormat


@dataclass(frozen=True, slots=True)
class Level:
    """One level of the hierarchy: which bits of the linear address index its table, and how an entry reads.

    `table` is the format with PS = 0, `page` the one with PS = 1 (None where this level maps no pages). At
    the last level both are the one format there is.
    """

    name: str
    shift: int
    index_bits: int
    table: EntryFormat
    page: EntryFormat | None

    @property
    def page_bytes(self) -> int:
        """How much linear space one entry covers: the page size, if it maps a page."""
        return 1 << self.shift

    def index(self, linear: LinearAddress) -> int:
        """Which entry of this level's table translates `linear`."""
        return extract(linear, self.shift, self.shift + self.index_bits - 1)


class PlannedLevel(NamedTuple):
    """A level made ready for a walk: its formats and reserved bits, each a pair for PS = 0 and PS = 1."""

    level: Level
    shift: int
    index_mask: int
    formats: tuple[EntryFormat, EntryFormat]
    reserved: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class PagingMode:
    """A paging mode: its levels from the root down, the width of its linear addresses and of its entries.

    `sign_extended`: the bits above `linear_bits` must repeat the top one (canonical form).
    """

    name: str
    levels: tuple[Level, ...]
    linear_bits: int
    entry_bytes: int = 8
    sign_extended: bool = True

    @property
    def has_xd(self) -> bool:
        """Whether entries can forbid fetches."""
        return "XD" in self.levels[-1].table.flag_masks

    def is_canonical(self, linear: LinearAddress) -> bool:
        """Whether the mode can translate `linear` at all."""
        return not self.sign_extended or is_canonical(linear, self.linear_bits)

    def level(self, name: str) -> Level:
        """The level called `name` ("PDE"). KeyError if the mode has none."""
        for level in self.levels:
            if level.name == name:
                return level
        raise KeyError(f"{self.name} paging has no level {name}")


@cache
def plan(mode: PagingMode, maxphyaddr: int, nxe: bool, page_1g: bool) -> tuple[PlannedLevel, ...]:
    """The levels of `mode` with their reserved bits on this CPU; without `page_1g` PS in a PDPTE is one."""
    planned: list[PlannedLevel] = []
    for level in mode.levels:
        table, page, not_offered = level.table, level.page or level.table, 0
        if page is PDPTE_1G and not page_1g:
            page, not_offered = table, PS
        reserved = (
            table.reserved_mask(maxphyaddr, nxe),
            page.reserved_mask(maxphyaddr, nxe) | not_offered,
        )
        planned.append(PlannedLevel(level, level.shift, (1 << level.index_bits) - 1, (table, page), reserved))
    return tuple(planned)


FOUR_LEVEL: Final = PagingMode(
    "4-level",
    (
        Level("PML4E", 39, 9, PML4E, None),
        Level("PDPTE", 30, 9, PDPTE, PDPTE_1G),
        Level("PDE", 21, 9, PDE, PDE_2M),
        Level("PTE", 12, 9, PTE, PTE),
    ),
    linear_bits=48,
)
FIVE_LEVEL: Final = PagingMode(
    "5-level", (Level("PML5E", 48, 9, PML5E, None), *FOUR_LEVEL.levels), linear_bits=57
)
MODES: Final[dict[str, PagingMode]] = {mode.name: mode for mode in (FOUR_LEVEL, FIVE_LEVEL)}
"""Every mode, by name."""
