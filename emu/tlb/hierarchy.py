# SPDX-License-Identifier: GPL-2.0-or-later
"""All arrays of one CPU together, and the page records kept in step with them.

Three things must never disagree: what the arrays hold, what the page records promise to the hot path, and which
paging structures the held entries were made from. Every fill and every drop goes through here.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from emu.bits import PAGE_SHIFT, PhysicalAddress, hexadecimal
from emu.events import Journal, TlbEvicted, TlbFilled
from emu.tlb.cache import ArrayState, TlbArray
from emu.tlb.counters import FETCH, READ, WRITE
from emu.tlb.entry import Slot, TlbEntry
from emu.tlb.geometry import Geometry
from emu.tlb.record import PageRecord

Records = dict[int, PageRecord]
"""Page records by 4 KiB linear page."""
PendingOutcome = tuple[bool, int, int, str]
"""(for fetches, page, access type, outcome): a translation that no access has used yet."""
HierarchyState = tuple[tuple[ArrayState, ...], tuple[PendingOutcome, ...]]


class TlbHierarchy:
    """The arrays of a geometry. Levels neither include nor exclude each other."""

    def __init__(self, geometry: Geometry, journal: Journal) -> None:
        self.journal = journal
        self.arrays = [TlbArray(array) for array in geometry.arrays]
        self.data: Records = {}
        self.code: Records = {}
        self.stale_grants = False
        """A page lost a translation that the engine was granted: it must forget before the next instruction."""
        self.on_grant_lost: Callable[[PageRecord], None] = lambda record: None
        self._by_type = [
            [
                [a for a in self.arrays if a.level == level and kind in a.kinds]
                for kind in (FETCH, READ, WRITE)
            ]
            for level in (1, 2)
        ]
        self._data_arrays = [array for array in self.arrays if array.kinds != (FETCH,)]
        self._watched: dict[int, list[TlbEntry]] = {}
        self.table_frames: dict[int, int] = {}
        """How many held entries were made from paging structures in each frame."""
        self._unpaged = Slot(self.arrays[0], 0, 0)

    # -- looking up -----------------------------------------------------------------------------------------------

    def record(self, page: int, kind: int, pcid: int) -> PageRecord | None:
        """The record of a page that some array answering accesses of type index `kind` translates, or None."""
        records = self.code if kind == FETCH else self.data
        record = records.get(page)
        if record is None:
            slot = self.find(page, kind, pcid)
            if slot is not None and slot.entry is not None:
                return self._record(page, kind, slot.entry)
        return record

    def find(self, page: int, kind: int, pcid: int) -> Slot | None:
        """The slot that would answer an access, level 1 before level 2. Changes nothing."""
        for level in self._by_type:
            for array in level[kind]:
                slot = array.lookup(page, pcid)
                if slot is not None:
                    return slot
        return None

    def holding(self, page: int, pcid: int) -> list[Slot]:
        """Every slot that holds a translation of `page`."""
        found = (array.lookup(page, pcid) for array in self.arrays)
        return [slot for slot in found if slot is not None]

    def unpaged(self, page: int, kind: int) -> PageRecord:
        """The record of a page while paging is off: the frame of the same number, always at hand."""
        records = self.code if kind == FETCH else self.data
        record = records.get(page)
        if record is None:
            record = records[page] = PageRecord(page, page, None)
            record.l1 = [self._unpaged] * 3
        return record

    # -- filling --------------------------------------------------------------------------------------------------

    def install(self, page: int, kind: int, entry: TlbEntry, cause: str) -> PageRecord:
        """Fill a fresh translation into both levels.

        All arrays that answer data accesses hold one entry for a page, so that loads and stores agree on the frame:
        a fresh one takes the places of an older one.
        """
        self._watch(entry)
        filled = (array for level in self._by_type for array in level[kind] if array in self._data_arrays)
        if any(entry.page_bytes in array.page_bytes for array in filled):
            self._replace_data(page, entry)
        self.fill(entry, kind, 2, cause)
        self.fill(entry, kind, 1, cause)
        if not entry.slots:
            self._forget(entry)
            record = PageRecord(page, frame_of(entry, page), entry)
            self.stale_grants = True
            return record
        return self._record(page, kind, entry)

    def fill(self, entry: TlbEntry, kind: int, level: int, cause: str) -> None:
        """Put `entry` into every array of `level` that answers type `kind` and takes its page size."""
        page = entry.page * (entry.page_bytes >> PAGE_SHIFT)
        for array in self._by_type[level - 1][kind]:
            if entry.page_bytes not in array.page_bytes:
                continue
            slot = array.lookup(page, entry.pcid) or array.place(entry)
            if slot.entry is not None:
                self._report_slot(TlbEvicted, slot, slot.entry, cause)
                self.empty(slot)
            array.put(slot, entry)
            entry.slots.append(slot)
            for record in self._records_of(entry):
                self._link(record, slot, record is self.code.get(record.page))
            self._report_slot(TlbFilled, slot, entry, cause)

    def take_over(self, old: TlbEntry, entry: TlbEntry) -> None:
        """Put `entry`, a fresh walk to the same frame, in all places of `old` that answer data accesses."""
        self._watch(entry)
        self._take_over(old, entry)

    def _take_over(self, old: TlbEntry, entry: TlbEntry) -> None:
        records = list(self._records_of(old))
        for slot in [slot for slot in old.slots if slot.array.kinds != (FETCH,)]:
            old.slots.remove(slot)
            slot.entry = entry
            entry.slots.append(slot)
        for sharing in records:
            if self.code.get(sharing.page) is sharing:
                del self.code[sharing.page]
            else:
                sharing.entry = entry
        if not old.slots:
            self._forget(old)
        if (old.US, old.RW, old.D and not entry.D) != (entry.US, entry.RW, False):
            self.stale_grants = True

    def _replace_data(self, page: int, entry: TlbEntry) -> None:
        """Let `entry` take the places of other entries that answer data accesses to `page`, or evict them."""
        for array in self._data_arrays:
            slot = array.lookup(page, entry.pcid)
            if slot is None or slot.entry is None or slot.entry is entry:
                continue
            if (slot.entry.frame, slot.entry.page_bytes) == (entry.frame, entry.page_bytes):
                self._take_over(slot.entry, entry)
            else:
                self._report_slot(TlbEvicted, slot, slot.entry, "replaced")
                self.empty(slot)

    def _record(self, page: int, kind: int, entry: TlbEntry) -> PageRecord:
        records = self.code if kind == FETCH else self.data
        record = records.get(page)
        if record is None or record.entry is not entry:
            record = records[page] = PageRecord(page, frame_of(entry, page), entry)
        for slot in entry.slots:
            self._link(record, slot, kind == FETCH)
        return record

    @staticmethod
    def _link(record: PageRecord, slot: Slot, for_fetch: bool) -> None:
        places = record.l1 if slot.array.level == 1 else record.l2
        for kind in slot.array.kinds:
            if (kind == FETCH) == for_fetch:
                places[kind] = slot

    def _report_slot(
        self, make: type[TlbFilled] | type[TlbEvicted], slot: Slot, entry: TlbEntry, cause: str
    ) -> None:
        if not self.journal.observers:
            self.journal.seq += 1
            return
        self.journal.report(
            make,
            array=slot.array.name,
            set=slot.set,
            way=slot.way,
            page=entry.page,
            frame=entry.frame >> PAGE_SHIFT,
            page_bytes=entry.page_bytes,
            pcid=entry.pcid,
            is_global=entry.is_global,
            rights=entry.rights,
            cause=cause,
        )

    # -- dropping -------------------------------------------------------------------------------------------------

    def drop_page(self, page: int, pcid: int) -> list[str]:
        """Drop what any array holds for `page`, global or not; where each was, in words."""
        dropped: list[str] = []
        for array in self.arrays:
            while (slot := array.lookup(page, pcid)) is not None:
                dropped.append(describe(slot))
                self.empty(slot)
        return dropped

    def drop_all(self, keep_global: bool) -> list[str]:
        """Drop everything, or everything but global pages; where each was, in words."""
        dropped: list[str] = []
        for array in self.arrays:
            for slot in array.holding(lambda entry: not (keep_global and entry.is_global)):
                dropped.append(describe(slot))
                self.empty(slot)
        return dropped

    def empty(self, slot: Slot) -> None:
        """Take the entry out of `slot`, and out of every record that counted on it."""
        entry = slot.entry
        assert entry is not None
        slot.entry = None
        entry.slots.remove(slot)
        for record in self._records_of(entry):
            for kind in (FETCH, READ, WRITE):
                if record.l1[kind] is slot:
                    record.l1[kind] = record.fast[kind] = None
                if record.l2[kind] is slot:
                    record.l2[kind] = None
                if record.granted >> kind & 1 and not record.answers(kind):
                    record.granted = 0
                    self.stale_grants = True
            if not record.held():
                side = self.data if self.data.get(record.page) is record else self.code
                del side[record.page]
                self.on_grant_lost(record)
        if not entry.slots:
            self._forget(entry)

    def forget_records(self) -> None:
        """Drop the records, not the translations: whoever was granted anything must ask again."""
        for record in self.data.values():
            self.on_grant_lost(record)
        self.data.clear()
        self.code.clear()
        self.stale_grants = True

    def slow_down(self) -> None:
        """Send the next access of every page the long way round once."""
        for side in (self.data, self.code):
            for record in side.values():
                record.fast = [None, None, None]

    # -- what the entries were made from --------------------------------------------------------------------------

    def note_write(self, address: PhysicalAddress, size: int) -> None:
        """Bytes of RAM were (or are about to be) written: doubt every translation made from them."""
        if not any(
            f in self.table_frames
            for f in range(address >> PAGE_SHIFT, ((address + size - 1) >> PAGE_SHIFT) + 1)
        ):
            return
        for watched in range(address & ~7, address + size, 4):
            for entry in self._watched.get(watched, ()):
                entry.suspect = True
                for record in self._records_of(entry):
                    record.fast = [None, None, None]

    def _records_of(self, entry: TlbEntry) -> Iterator[PageRecord]:
        first = entry.page * (entry.page_bytes >> PAGE_SHIFT)
        count = entry.page_bytes >> PAGE_SHIFT
        for side in (self.data, self.code):
            if count == 1:
                record = side.get(first)
                if record is not None and record.entry is entry:
                    yield record
            else:
                yield from [r for r in side.values() if r.entry is entry]

    def _watch(self, entry: TlbEntry) -> None:
        for address, _ in entry.chain:
            self._watched.setdefault(address, []).append(entry)
            frame = address >> PAGE_SHIFT
            count = self.table_frames.get(frame, 0)
            self.table_frames[frame] = count + 1
            if count == 0:
                self._slow_stores_to(frame)

    def _slow_stores_to(self, frame: int) -> None:
        for record in self.data.values():
            if record.frame == frame:
                record.fast[WRITE] = None

    def _forget(self, entry: TlbEntry) -> None:
        for address, _ in entry.chain:
            watchers = self._watched[address]
            watchers.remove(entry)
            if not watchers:
                del self._watched[address]
            frame = address >> PAGE_SHIFT
            self.table_frames[frame] -= 1
            if not self.table_frames[frame]:
                del self.table_frames[frame]

    # -- checkpoints ----------------------------------------------------------------------------------------------

    def state(self) -> HierarchyState:
        """A copy of all that decides what happens next."""
        pending = tuple(
            (side is self.code, page, kind, outcome)
            for side in (self.data, self.code)
            for page, record in side.items()
            for kind, outcome in enumerate(record.pending)
            if outcome is not None
        )
        return tuple(array.state() for array in self.arrays), pending

    def load_state(self, state: HierarchyState, pcid: int) -> None:
        """Go back to `state`, with entries of our own: another machine may have been restored from it too."""
        arrays, pending = state
        for array, saved in zip(self.arrays, arrays, strict=True):
            array.load_state(saved)
        self.forget_records()
        self._watched.clear()
        self.table_frames.clear()
        copies: dict[int, TlbEntry] = {}
        for slot in (slot for array in self.arrays for slot in array if slot.entry is not None):
            assert slot.entry is not None
            own = copies.get(id(slot.entry))
            if own is None:
                own = copies[id(slot.entry)] = replace(slot.entry, suspect=True, slots=[])
                self._watch(own)
            slot.entry = own
            own.slots.append(slot)
        for _, page, kind, outcome in pending:
            record = self.record(page, kind, pcid)
            if record is not None:
                record.pending[kind] = outcome


def frame_of(entry: TlbEntry, page: int) -> int:
    """The 4 KiB frame that `entry`, whose page may be large, gives for the 4 KiB page `page`."""
    return (entry.frame >> PAGE_SHIFT) + (page - (entry.page * (entry.page_bytes >> PAGE_SHIFT)))


def describe(slot: Slot) -> str:
    """A full slot in words: "L1D 4K 3.1 0x0000_..."."""
    assert slot.entry is not None
    return f"{slot.name} {hexadecimal(slot.entry.linear)}"
