# SPDX-License-Identifier: GPL-2.0-or-later
"""How one page reaches memory now: what a hot path looks at instead of searching the arrays."""

from collections.abc import Iterator
from typing import Final

from emu.paging.rights import Rights
from emu.tlb.counters import FETCH, READ, WRITE
from emu.tlb.entry import Slot, TlbEntry

FETCHES: Final = (FETCH,)
DATA: Final = (READ, WRITE)
_NO_LIMIT: Final = Rights(True, True, False)
_REGION_SHIFT: Final = 9


class PageRecord:
    """How one 4 KiB linear page reaches memory, for fetches or for data: what a search of the arrays would find.

    `l1` and `l2` name, by access type, the slot that answers; `also` are further slots that hold the page and age
    with those. All of them hold one translation: `frame` and `rights` are its. `disputed` tells that some array
    holds another one of the page, which does not answer. `fast` is the level-1 slot when an access needs no more than
    a new age; None sends the access the long way round. `pending` is the outcome of a translation that no access has
    used yet. `home` is the number under which the engine knows the page, -1 for none.
    """

    __slots__ = (
        "also",
        "disputed",
        "entry",
        "fast",
        "frame",
        "granted",
        "home",
        "kinds",
        "l1",
        "l2",
        "page",
        "pending",
        "rights",
    )

    def __init__(self, page: int, kinds: tuple[int, ...], entry: TlbEntry | None) -> None:
        """Made from `entry`, or while paging is off (None) from the frame of the page's own number."""
        self.page = page
        self.kinds = kinds
        self.entry = entry
        self.frame = page if entry is None else entry.frame_of(page)
        self.rights = _NO_LIMIT if entry is None else Rights(entry.US, entry.RW, entry.XD, entry.key)
        self.l1: list[Slot | None] = [None, None, None]
        self.l2: list[Slot | None] = [None, None, None]
        self.also: tuple[Slot, ...] = ()
        self.disputed = False
        self.fast: list[Slot | None] = [None, None, None]
        self.pending: list[str | None] = [None, None, None]
        self.home = -1
        self.granted = 0
        """Bit per access type that the engine may make without asking."""

    def held(self) -> bool:
        """Whether any array still answers for the page."""
        return any(self.l1) or any(self.l2)

    def answers(self, kind: int) -> bool:
        """Whether some array answers accesses of type index `kind`."""
        return self.l1[kind] is not None or self.l2[kind] is not None

    def agrees(self, entry: TlbEntry) -> bool:
        """Whether `entry` says of the page what the record says."""
        return entry is self.entry or (
            entry.frame_of(self.page) == self.frame
            and (entry.US, entry.RW, entry.XD, entry.key) == self.rights
        )

    def takes(self, slot: Slot) -> bool:
        """Whether `slot`, just filled, is one more that answers, and nothing else changes by it."""
        if self.also or self.disputed or slot.entry is None or not self.agrees(slot.entry):
            return False
        places = self.l1 if slot.array.level == 1 else self.l2
        taken = [kind for kind in slot.array.kinds if places[kind] is not None]
        return not taken

    def link(self, slot: Slot) -> None:
        """Let `slot`, which holds the record's translation, answer, or age with the one that answers already."""
        places = self.l1 if slot.array.level == 1 else self.l2
        further = False
        for kind in slot.array.kinds:
            if kind in self.kinds:
                further |= places[kind] is not None
                places[kind] = places[kind] or slot
        if further:
            self.also += (slot,)

    def unlink(self, slot: Slot) -> bool:
        """Let `slot` answer no more; whether it did."""
        places = self.l1 if slot.array.level == 1 else self.l2
        linked = False
        for kind in self.kinds:
            if places[kind] is slot:
                places[kind] = self.fast[kind] = None
                linked = True
        return linked or slot in self.also

    def age(self, slot: Slot, kind: int) -> None:
        """Note that `slot`, and the others of its level, answered an access of type index `kind`."""
        slot.array.use(slot)
        for other in self.also:
            array = other.array
            if other is not slot and array.level == slot.array.level and kind in array.kinds:
                array.use(other)


class Records:
    """The page records of one CPU: those of fetches and of data, by page, and all of a large page together."""

    def __init__(self) -> None:
        self.data: dict[int, PageRecord] = {}
        self.code: dict[int, PageRecord] = {}
        self._regions: dict[int, dict[PageRecord, None]] = {}

    def __iter__(self) -> Iterator[PageRecord]:
        yield from self.data.values()
        yield from self.code.values()

    def add(self, record: PageRecord) -> None:
        """Keep `record`."""
        (self.code if record.kinds is FETCHES else self.data)[record.page] = record
        self._regions.setdefault(record.page >> _REGION_SHIFT, {})[record] = None

    def remove(self, record: PageRecord) -> None:
        """Forget `record`."""
        del (self.code if record.kinds is FETCHES else self.data)[record.page]
        region = self._regions[record.page >> _REGION_SHIFT]
        del region[record]
        if not region:
            del self._regions[record.page >> _REGION_SHIFT]

    def within(self, first: int, count: int) -> list[PageRecord]:
        """The records of the `count` pages from page `first`: one page, or an aligned multiple of 512."""
        if count == 1:
            both = self.data.get(first), self.code.get(first)
            return [record for record in both if record is not None]
        regions = range(first >> _REGION_SHIFT, first + count >> _REGION_SHIFT)
        known = self._regions
        if len(regions) > len(known):
            regions = [region for region in known if region in regions]
        return [record for region in regions for record in known.get(region, ())]

    def clear(self) -> None:
        """Forget everybody."""
        self.data.clear()
        self.code.clear()
        self._regions.clear()
