# SPDX-License-Identifier: GPL-2.0-or-later
"""The paging modes as tables of levels. Page sizes, indexes and reserved bits all derive from these tables.

Source: SDM vol. 3A, "Paging Modes and Control Bits", 4.1; "32-Bit Paging", 4.3; "PAE Paging", 4.4; "4-Level Paging
and 5-Level Paging", 4.5.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

from emu.bits import LinearAddress, extract, is_canonical
from emu.paging.formats import (
    PDE,
    PDE_2M,
    PDE_2M_PAE,
    PDE_4M,
    PDE_32,
    PDE_PAE,
    PDPTE,
    PDPTE_1G,
    PDPTE_PAE,
    PML4E,
    PML5E,
    PS,
    PTE,
    PTE_32,
    PTE_PAE,
    EntryFormat,
)


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


class Side(NamedTuple):
    """How an entry of one level reads with PS = 0, or with PS = 1, ready for a walk: plain masks."""

    reserved: int
    implied: int
    address_mask: int
    maps_page: bool
    format: EntryFormat


class PlannedLevel(NamedTuple):
    """A level made ready for a walk. `sides`: by the value of PS, 0 or 1."""

    shift: int
    index_mask: int
    sides: tuple[Side, Side]
    level: Level


@dataclass(frozen=True, slots=True, eq=False)
class PagingMode:
    """A paging mode: its levels from the root down, the width of its linear addresses and of its entries.

    `sign_extended`: the bits above `linear_bits` must repeat the top one (canonical form). `root_in_registers`: the
    entries of the root table are loaded into the CPU with CR3, and a walk takes them from there.
    """

    name: str
    levels: tuple[Level, ...]
    linear_bits: int
    entry_bytes: int = 8
    sign_extended: bool = True
    root_in_registers: bool = False

    @property
    def has_xd(self) -> bool:
        """Whether entries can forbid fetches."""
        return "XD" in self.levels[-1].table.flag_masks

    @property
    def has_keys(self) -> bool:
        """Whether the entry that maps a page gives it a protection key: in long mode alone, whatever CR4.PKE is."""
        return any(f.name == "key" for f in self.levels[-1].table.fields)

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
def plan(
    mode: PagingMode, maxphyaddr: int, nxe: bool, pse: bool, page_1g: bool, pse36: bool
) -> tuple[PlannedLevel, ...]:
    """The levels of `mode` on this CPU, in this setting: `maxphyaddr`, `page_1g` and `pse36` are what CPUID reports.

    Without 1-GByte pages PS in a PDPTE is reserved; without CR4.PSE it means nothing in 32-bit paging; without PSE-36
    a 4-MByte page lies below 4 GBytes.
    """
    planned: list[PlannedLevel] = []
    for level in mode.levels:
        table, page, not_offered, width = level.table, level.page or level.table, 0, maxphyaddr
        if page is PDPTE_1G and not page_1g:
            page, not_offered = table, PS
        if page is PDE_4M:
            page, width = (page if pse else table), (maxphyaddr if pse36 else 32)
        sides = (
            _side(table, table.reserved_mask(maxphyaddr, nxe)),
            _side(page, page.reserved_mask(width, nxe) | not_offered),
        )
        planned.append(PlannedLevel(level.shift, (1 << level.index_bits) - 1, sides, level))
    return tuple(planned)


def _side(form: EntryFormat, reserved: int) -> Side:
    return Side(reserved, form.implied, form.address_mask, form.maps_page, form)


TWO_LEVEL: Final = PagingMode(
    "32-bit",
    (Level("PDE", 22, 10, PDE_32, PDE_4M), Level("PTE", 12, 10, PTE_32, PTE_32)),
    linear_bits=32,
    entry_bytes=4,
    sign_extended=False,
)
PAE: Final = PagingMode(
    "PAE",
    (
        Level("PDPTE", 30, 2, PDPTE_PAE, None),
        Level("PDE", 21, 9, PDE_PAE, PDE_2M_PAE),
        Level("PTE", 12, 9, PTE_PAE, PTE_PAE),
    ),
    linear_bits=32,
    sign_extended=False,
    root_in_registers=True,
)
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
MODES: Final[dict[str, PagingMode]] = {mode.name: mode for mode in (TWO_LEVEL, PAE, FOUR_LEVEL, FIVE_LEVEL)}
"""Every mode, by name."""
