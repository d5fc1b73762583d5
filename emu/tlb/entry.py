# SPDX-License-Identifier: GPL-2.0-or-later
"""What a TLB keeps of one walk, the place it keeps it in, and how events and lists name the two."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from emu.bits import PAGE_SHIFT, PAGE_SIZE_NAMES, PhysicalAddress, hexadecimal
from emu.events import Journal, TlbEvicted, TlbFilled, Told
from emu.paging.rights import Controls

if TYPE_CHECKING:
    from emu.tlb.cache import TlbArray

Chain = tuple[tuple[PhysicalAddress, int], ...]
"""(address, value without A and D) of each paging-structure entry in memory that a walk used, root first."""

A_AND_D: Final = 0x60
"""The flags that the CPU itself sets: a difference in them alone makes no translation stale."""


@dataclass(slots=True, eq=False)
class TlbEntry:
    """One cached translation: from a page number to a frame, with the rights the walk gave.

    It is a copy, not a view: when the paging structures change afterwards, it does not (SDM vol. 3A, "Caching
    Translation Information", 4.10.2). `chain` holds the entries it was made from, so that anyone can ask whether
    memory still says the same. The PDPTE registers of PAE paging are not in it: they are no memory.
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
    chain: Chain
    filled_insn: int
    """Instructions completed when the walk was made."""
    filled_rip: int
    key: int = 0
    """The protection key."""
    piece_of: int | None = None
    """The size of the page of which this is only a piece, None if it is a page."""
    entry_bytes: int = 8
    """How large the entries of `chain` are."""
    suspect: bool = False
    """An entry of `chain` was written since it was last compared."""
    agreed: dict[PhysicalAddress, tuple[Controls, Chain]] = field(default_factory=lambda: {})
    """The walks from other roots that were found to end as this one, by root: their controls, and what they read."""
    slots: list["Slot"] = field(default_factory=lambda: [])
    """Where it is held. Kept by whoever fills and drops; empty means that nobody can use it any more."""

    @property
    def linear(self) -> int:
        """The first linear address of the page (bits 47:0 kept as walked)."""
        return self.page * self.page_bytes

    @property
    def whole_bytes(self) -> int:
        """The size of the page that the paging structures map, of which this may be a piece."""
        return self.piece_of or self.page_bytes

    @property
    def rights(self) -> str:
        """The rights in letters: U or S, R or W, X or -, then D and G where set, and a key that is not 0.

        >>> TlbEntry.letters(True, True, True)
        'UW-'
        """
        return (
            self.letters(self.US, self.RW, self.XD)
            + ("D" if self.D else "")
            + ("G" if self.is_global else "")
            + (f" key {self.key}" if self.key else "")
        )

    @staticmethod
    def letters(user: bool, write: bool, execute_disable: bool) -> str:
        """Three letters for a set of rights."""
        return ("U" if user else "S") + ("W" if write else "R") + ("-" if execute_disable else "X")

    def frame_of(self, linear_page: int) -> int:
        """The 4 KiB frame that the 4 KiB page `linear_page` of this page lies in."""
        return (self.frame - self.linear >> PAGE_SHIFT) + linear_page

    def piece(self, linear_page: int, page_bytes: int) -> "TlbEntry":
        """The piece of `page_bytes` that holds the 4 KiB page `linear_page`; this entry itself if it is so large."""
        if page_bytes == self.page_bytes:
            return self
        page = page_number(linear_page, page_bytes)
        frame = PhysicalAddress(self.frame + page * page_bytes - self.linear)
        return replace(
            self, page=page, page_bytes=page_bytes, frame=frame, piece_of=self.whole_bytes, slots=[]
        )

    def same_walk(self, other: "TlbEntry") -> bool:
        """Whether both were made from one walk. A walk's pieces share its chain, and nobody else has it."""
        return self.chain is other.chain

    def usable(self, pcid: int) -> bool:
        """Whether it answers while `pcid` is the current one."""
        return self.is_global or self.pcid == pcid

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
    def where(self) -> tuple[str, int, int]:
        """Where this is: array, set and way."""
        return self.array.name, self.set, self.way

    @property
    def name(self) -> str:
        """Where this is, as events say it: "L1D 3.1" is set 3, way 1."""
        return f"{self.array.name} {self.set}.{self.way}"


def page_number(linear_page: int, page_bytes: int) -> int:
    """The number, in units of `page_bytes`, of the page that holds the 4 KiB page `linear_page`."""
    return linear_page // (page_bytes >> PAGE_SHIFT)


def describe(place: str, entry: TlbEntry) -> str:
    """What is held where, in words: "L1D 4K 3.1 0x0000_..."."""
    return f"{place} {hexadecimal(entry.linear)}"


def report(
    journal: Journal,
    make: type[TlbFilled] | type[TlbEvicted],
    where: tuple[str, int, int],
    entry: TlbEntry,
    cause: str,
    **more: int,
) -> None:
    """Report that `entry` came to or left a place: `where` is (array name, set, way), `more` what its event adds."""
    if not journal.wants(make):
        journal.pass_over(1, _tell, make, where, entry, cause, more)
        return
    for told, fields in _tell(make, where, entry, cause, more):
        journal.report(told, **fields)


def _tell(
    make: type[TlbFilled] | type[TlbEvicted],
    where: tuple[str, int, int],
    entry: TlbEntry,
    cause: str,
    more: dict[str, int],
) -> Iterable[Told]:
    array, set_number, way = where
    fields = {
        "array": array,
        "set": set_number,
        "way": way,
        "page": entry.page,
        "frame": entry.frame >> PAGE_SHIFT,
        "page_bytes": entry.page_bytes,
        "pcid": entry.pcid,
        "is_global": entry.is_global,
        "rights": entry.rights,
        "cause": cause,
        **more,
    }
    return ((make, fields),)
