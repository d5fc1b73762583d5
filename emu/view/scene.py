# SPDX-License-Identifier: GPL-2.0-or-later
"""What a sentence about an event may draw on: names, the other events of its instruction, the MMU as it stands."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from emu.bits import PAGE_BYTES, PAGE_SHIFT, LinearAddress, hexadecimal, size_name
from emu.events import Accessed, EntryRead, Event, Faulted, TlbEvicted, TlbFilled
from emu.mmu import Mmu
from emu.paging.formats import EntryFormat
from emu.paging.rights import Controls
from emu.paging.walk import Walk
from emu.tlb.cache import TlbArray
from emu.tlb.entry import TlbEntry

NameOf = Callable[[int], str]
"""The name of what lies at a linear address."""
_DIGITS_32 = 8
_DIGITS_64 = 16


@dataclass(frozen=True, slots=True)
class Scene:
    """Around one event: `step` are the events of its instruction.

    `mmu` tells the mode and the shape of the TLBs; only if `now`, if its machine stands right behind the step, are
    tables and TLBs as the event left them.
    """

    name: NameOf
    step: Sequence[Event] = ()
    mmu: Mmu | None = None
    now: bool = False

    @property
    def controls(self) -> Controls | None:
        """The control registers, None if nobody knows them."""
        return self.mmu.controls if self.mmu is not None else None

    def place(self, linear: int) -> str:
        """What lies at `linear`, by name; its first byte by the name alone."""
        return self.name(linear).removesuffix("+0x0")

    def walk(self, linear: int) -> Walk | None:
        """What memory says about `linear` right behind the step; None if that cannot be known."""
        return self.mmu.walk(LinearAddress(linear)) if self.mmu is not None and self.now else None

    def array(self, name: str) -> TlbArray | None:
        """The array of that name."""
        arrays = self.mmu.tlb.arrays if self.mmu is not None else ()
        return next((array for array in arrays if array.name == name), None)

    def form(self, level: str, raw: int) -> EntryFormat | None:
        """How an entry `raw` of `level` ("PDE") reads, None in a mode that has no such level or is not known."""
        if self.controls is not None:
            for planned in self.controls.levels:
                if planned.level.name == level:
                    return planned.sides[raw >> 7 & 1].format
        return None

    def reads_before(self, seq: int) -> list[EntryRead]:
        """The entries read by the last walk that ended before event `seq`, root first."""
        reads: list[EntryRead] = []
        for event in reversed(self.step):
            if event.seq >= seq:
                continue
            if isinstance(event, EntryRead):
                reads.append(event)
            elif reads or isinstance(event, Accessed | Faulted):
                break
        return list(reversed(reads))

    def reads_of(self, access: Accessed) -> list[EntryRead]:
        """The entries that the walk for `access` read, root first; none if it hit."""
        return self.reads_before(min((fill.seq for fill in self.fills_of(access)), default=access.seq))

    def fills_of(self, access: Accessed) -> list[TlbFilled]:
        """Where the translation of `access` was put for it; paging-structure caches are not meant."""
        page = access.linear >> PAGE_SHIFT
        before = [e for e in self.step if isinstance(e, Accessed) and e.seq < access.seq]
        since = max((e.seq for e in before if e.linear >> PAGE_SHIFT == page), default=-1)
        return [
            e
            for e in self.step
            if isinstance(e, TlbFilled)
            and since < e.seq < access.seq
            and covers(e, access.linear)
            and self._answers(e.array, access.type)
        ]

    def _answers(self, name: str, type: str) -> bool:
        """Whether it is an array that answers such accesses, as far as one knows."""
        array = self.array(name)
        return type in array.geometry.types if array is not None else not name.endswith(" cache")

    def evicted_from(self, fill: TlbFilled) -> list[TlbEvicted]:
        """Who left the place of `fill` for it."""
        place = fill.array, fill.set, fill.way
        return [e for e in self.step if isinstance(e, TlbEvicted) and (e.array, e.set, e.way) == place]


def covers(entry: TlbFilled | TlbEvicted, linear: int) -> bool:
    """Whether the entry's page holds `linear`."""
    return linear // entry.page_bytes == entry.page


def linear_text(linear: int, controls: Controls | None) -> str:
    """A linear address with as many digits as the mode's have bits."""
    narrow = controls is not None and controls.mode.linear_bits <= 32
    return hexadecimal(linear, _DIGITS_32 if narrow else _DIGITS_64)


def physical_text(address: int) -> str:
    """A physical address, eight digits or more."""
    return hexadecimal(address, _DIGITS_32)


def value_text(value: int) -> str:
    """A value with the digits that it has."""
    return hexadecimal(value, 1)


def frame_number(address: int) -> int:
    """The 4 KiB frame of a physical address."""
    return address >> PAGE_SHIFT


def entry_size(entry: TlbEntry) -> str:
    """The size of a translation's page, and of what it is a piece: "4K", "2M of 1G"."""
    whole = f" of {size_name(entry.piece_of)}" if entry.piece_of else ""
    return size_name(entry.page_bytes) + whole


def entry_tags(entry: TlbEntry) -> str:
    """What is not usual of a translation, in short words: "2M", "2M of 1G", "PCID 3"."""
    usual = entry.page_bytes == PAGE_BYTES and not entry.piece_of
    return " ".join(
        filter(None, ("" if usual else entry_size(entry), f"PCID {entry.pcid}" if entry.pcid else ""))
    )
