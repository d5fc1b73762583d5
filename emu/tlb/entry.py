# SPDX-License-Identifier: GPL-2.0-or-later
"""What a TLB keeps of one walk, and the place it keeps it in."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emu.bits import PAGE_SHIFT, PAGE_SIZE_NAMES, PhysicalAddress, hexadecimal

if TYPE_CHECKING:
    from emu.tlb.cache import TlbArray


@dataclass(slots=True, eq=False)
class TlbEntry:
    """One cached translation: from a page number to a frame, with the rights the walk gave.

    It is a copy, not a view: when the paging structures change afterwards, it does not (SDM vol. 3A, "Caching
    Translation Information", 4.10.2). `chain` holds the entries it was made from, so that anyone can ask whether
    memory still says the same.
    """

    page: int
    """Linear page number in units of `page_bytes`."""
    page_bytes: int
    frame: PhysicalAddress
    """Physical address of the page's first byte."""
    US: bool
    RW: bool
    XD: bool
    D: bool
    is_global: bool
    pcid: int
    chain: tuple[tuple[PhysicalAddress, int], ...]
    """(address, value with A and D masked out) of each paging-structure entry of the walk, root first."""
    filled_insn: int
    """Instructions completed when the walk was made."""
    filled_rip: int
    suspect: bool = False
    """An entry of `chain` was written since it was last compared."""
    slots: list["Slot"] = field(default_factory=lambda: [])
    """Where it is held. Kept by whoever fills and drops; empty means that nobody can use it any more."""

    @property
    def linear(self) -> int:
        """The first linear address of the page (bits 47:0 kept as walked)."""
        return self.page * self.page_bytes

    @property
    def rights(self) -> str:
        """The rights in letters: U or S, R or W, X or -, then D and G where set.

        >>> TlbEntry.letters(True, True, True)
        'UW-'
        """
        return (
            self.letters(self.US, self.RW, self.XD)
            + ("D" if self.D else "")
            + ("G" if self.is_global else "")
        )

    @staticmethod
    def letters(user: bool, write: bool, execute_disable: bool) -> str:
        """Three letters for a set of rights."""
        return ("U" if user else "S") + ("W" if write else "R") + ("-" if execute_disable else "X")

    def __str__(self) -> str:
        size = PAGE_SIZE_NAMES.get(self.page_bytes, str(self.page_bytes))
        return f"{hexadecimal(self.linear)} -> {hexadecimal(self.frame)} {size} {self.rights}"


@dataclass(slots=True, eq=False)
class Slot:
    """One place of an array. `stamp` is the array clock at its last use, `filled` at its fill."""

    array: "TlbArray"
    set: int
    way: int
    entry: TlbEntry | None = None
    stamp: int = 0
    filled: int = 0

    @property
    def name(self) -> str:
        """Where this is, as events say it: "L1D 3.1" is set 3, way 1."""
        return f"{self.array.name} {self.set}.{self.way}"


def page_number(linear_page: int, page_bytes: int) -> int:
    """The number, in units of `page_bytes`, of the page that holds the 4 KiB page `linear_page`."""
    return linear_page // (page_bytes >> PAGE_SHIFT)
