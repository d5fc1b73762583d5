# SPDX-License-Identifier: GPL-2.0-or-later
"""All arrays of one CPU together, the paging-structure caches beside them, and the page records kept in step.

Three things must never disagree: what the arrays hold, what the page records promise to the hot path, and which
paging structures the held entries were made from. Every fill and every drop goes through here.

A record says what a search of the arrays finds, level 1 first, in the order of the geometry. Loads and stores of a
page must reach one frame: where two arrays hold different translations of it, the first one found answers, and the
other is as good as absent until a fresh translation takes its place. Levels neither include nor exclude each other.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from emu.bits import PAGE_SHIFT, PAGE_SIZE_NAMES, PhysicalAddress
from emu.events import Journal, TlbEvicted, TlbFilled
from emu.tlb.cache import ArrayState, TlbArray
from emu.tlb.counters import FETCH, READ, WRITE
from emu.tlb.entry import Slot, TlbEntry, describe, page_number, report
from emu.tlb.geometry import Geometry
from emu.tlb.record import DATA, FETCHES, PageRecord, Records
from emu.tlb.structure_cache import PagingStructureCaches, StructureState
from emu.tlb.watch import Watch

PendingOutcome = tuple[int, int, str]
"""(page, access type, outcome): a translation that no access has used yet."""


class HierarchyState(NamedTuple):
    """What `TlbHierarchy.state` saves."""

    arrays: tuple[ArrayState, ...]
    structures: StructureState
    pending: tuple[PendingOutcome, ...]


class TlbHierarchy:
    """The arrays of a geometry, and its paging-structure caches."""

    def __init__(self, geometry: Geometry, journal: Journal, seed: int = 0) -> None:
        """`seed` decides what the policy "random" draws."""
        self.journal = journal
        self.pcid = 0
        """The current one: records serve no other."""
        self.arrays = [TlbArray(array, seed) for array in geometry.arrays]
        self.stale_grants = False
        """A page lost a translation that the engine was granted: it must forget before the next instruction."""
        self.on_grant_lost: Callable[[PageRecord], None] = lambda record: None
        self._records = Records()
        self.data = self._records.data
        self.code = self._records.code
        self._fast_stores: dict[int, dict[PageRecord, None]] = {}
        self._watch = Watch(self._slow_stores_to)
        self.table_frames = self._watch.frames
        """The frames in which a store may change what a held entry was made from."""
        self.structures = PagingStructureCaches(geometry.structure_caches, journal, self._watch)
        levels = sorted(self.arrays, key=lambda array: array.level)
        self._data_arrays = [array for array in levels if array.kinds != (FETCH,)]
        self._code_arrays = [array for array in levels if FETCH in array.kinds]
        self._keepers = {
            (level, kind, page_bytes): [
                (array, piece)
                for array in self.arrays
                if array.level == level
                and kind in array.kinds
                and (piece := array.geometry.piece_bytes(page_bytes)) is not None
            ]
            for level in (1, 2)
            for kind in (FETCH, READ, WRITE)
            for page_bytes in PAGE_SIZE_NAMES
        }
        self._pieces: dict[tuple[int, int], dict[TlbEntry, None]] = {}
        """The held pieces of pages, by page number and size of the page."""
        self._unpaged = Slot(self.arrays[0], 0, 0)

    # -- looking up -----------------------------------------------------------------------------------------------

    def record(self, page: int, kind: int) -> PageRecord | None:
        """The record of a page for accesses of type index `kind`; None if no array that answers such holds it."""
        record = (self.code if kind == FETCH else self.data).get(page)
        if record is None:
            record = self._look_up(page, FETCHES if kind == FETCH else DATA)
            if record is not None:
                self._records.add(record)
        return record

    def _look_up(self, page: int, kinds: tuple[int, ...]) -> PageRecord | None:
        """What the arrays hold for a page, as a record of its own. Changes nothing."""
        record = None
        for array in self._code_arrays if kinds is FETCHES else self._data_arrays:
            slot = array.lookup(page, self.pcid)
            if slot is None:
                continue
            assert slot.entry is not None
            if record is None:
                record = PageRecord(page, kinds, slot.entry)
            if record.agrees(slot.entry):
                record.link(slot)
            else:
                record.disputed = True
        return record

    def fetch_frame(self, page: int) -> int | None:
        """The frame that a fetch from `page` would reach without a walk, or None. Changes nothing."""
        record = self.code.get(page) or self._look_up(page, FETCHES)
        return None if record is None else record.frame

    def holding(self, page: int) -> list[Slot]:
        """Every slot that holds a translation of `page` usable now."""
        return [slot for slot in self._covering(page) if slot.entry and slot.entry.usable(self.pcid)]

    def _covering(self, page: int) -> list[Slot]:
        """Every slot that holds a translation of `page`, whatever its PCID, array by array."""
        return [slot for array in self.arrays for slot in array.covering(page)]

    def unpaged(self, page: int, kind: int) -> PageRecord:
        """The record of a page while paging is off: the frame of the same number, always at hand."""
        record = (self.code if kind == FETCH else self.data).get(page)
        if record is None:
            record = PageRecord(page, FETCHES if kind == FETCH else DATA, None)
            record.l1 = [self._unpaged] * 3
            self._records.add(record)
        return record

    # -- filling --------------------------------------------------------------------------------------------------

    def install(self, page: int, kind: int, entry: TlbEntry, cause: str) -> PageRecord:
        """Fill a fresh translation of `page` into both levels: the record through which the access goes.

        Whoever calls has asked for the record of `page`, in vain or for another type of access.
        """
        record = None
        if kind != FETCH and page in self.data:
            self.replace(page, entry)
            record = self.record(page, kind)
        if record is None:
            record = PageRecord(page, FETCHES if kind == FETCH else DATA, entry)
            self._records.add(record)
        self.fill(page, kind, 2, entry, cause)
        self.fill(page, kind, 1, entry, cause)
        if not record.answers(kind):
            self.stale_grants = True
        if not record.held():
            self._records.remove(record)
        return record

    def fill(self, page: int, kind: int, level: int, entry: TlbEntry, cause: str) -> None:
        """Put `entry`, or its piece for `page`, into every array of `level` that answers type `kind` and keeps it."""
        for array, piece_bytes in self._keepers[level, kind, entry.page_bytes]:
            piece = entry.piece(page, piece_bytes)
            held = array.lookup(page, self.pcid)
            if held is not None and held.entry is not None:
                if held.entry.same_walk(piece):
                    continue
                self._evict(held, "replaced")
            slot = array.place(piece)
            if slot.entry is not None:
                self._evict(slot, cause)
            array.put(slot, piece)
            self._hold(slot, piece)
            for record in self._records_of(piece):
                self._link(record, slot)
            report(self.journal, TlbFilled, slot.where, piece, cause)

    def replace(self, page: int, entry: TlbEntry) -> None:
        """Let no array that answers data accesses hold anything but `entry`, a fresh translation, for `page`.

        A place that holds the same mapping keeps it, as the fresh walk has it, and its age. Any other is evicted.
        """
        for array in self._data_arrays:
            while (slot := array.lookup(page, self.pcid)) is not None:
                old = slot.entry
                assert old is not None
                if old.same_walk(entry):
                    break
                if old.whole_bytes == entry.page_bytes and old.frame_of(page) == entry.frame_of(page):
                    self._take_over(slot, old, entry.piece(page, old.page_bytes))
                else:
                    self._evict(slot, "replaced")

    def _take_over(self, slot: Slot, old: TlbEntry, entry: TlbEntry) -> None:
        self._let_go(slot, old)
        slot.array.hold(slot, entry)
        self._hold(slot, entry)
        for record in self._records_of(entry):
            self._renew(record)

    def _evict(self, slot: Slot, cause: str) -> None:
        assert slot.entry is not None
        report(self.journal, TlbEvicted, slot.where, slot.entry, cause, age=slot.array.age(slot))
        self.empty(slot)

    # -- dropping -------------------------------------------------------------------------------------------------

    def drop_page(self, page: int, pcid: int, keep_global: bool = False) -> list[str]:
        """Drop what any array holds for `page` under `pcid`, every piece of a page kept in pieces; each in words.

        With it go global translations of the page, whatever their PCID, unless `keep_global`.
        """
        pieces = [
            slot
            for page_bytes in PAGE_SIZE_NAMES
            for entry in self._pieces.get((page_number(page, page_bytes), page_bytes), ())
            for slot in entry.slots
        ]
        found = [*self._covering(page), *pieces]
        if pieces:
            found = sorted(dict.fromkeys(found), key=self._position)
        return self._drop(
            [slot for slot in found if slot.entry and _doomed(slot.entry, pcid, keep_global, True)]
        )

    def drop_all(self, pcid: int | None, keep_global: bool) -> list[str]:
        """Drop everything, or all that has that PCID, or all of that but global pages; where each was, in words."""
        self.forget_records()
        return self._drop(
            [
                slot
                for array in self.arrays
                for slot in array.holding(lambda entry: _doomed(entry, pcid, keep_global, False))
            ]
        )

    def _drop(self, slots: list[Slot]) -> list[str]:
        dropped: list[str] = []
        for slot in slots:
            assert slot.entry is not None
            dropped.append(describe(slot.name, slot.entry))
            self.empty(slot)
        return dropped

    def _position(self, slot: Slot) -> tuple[int, int, int]:
        return self.arrays.index(slot.array), slot.set, slot.way

    def empty(self, slot: Slot) -> None:
        """Take the entry out of `slot`, and out of every record that counted on it."""
        entry = slot.entry
        assert entry is not None
        slot.array.hold(slot, None)
        self._let_go(slot, entry)
        for record in self._records_of(entry):
            if record.unlink(slot):
                self._miss(record, slot.array)

    def forget_records(self) -> None:
        """Drop the records, not the translations: whoever was granted anything must ask again."""
        for record in self._records:
            self.on_grant_lost(record)
        self._records.clear()
        self._fast_stores.clear()
        self.stale_grants = True

    # -- records --------------------------------------------------------------------------------------------------

    def _records_of(self, entry: TlbEntry) -> list[PageRecord]:
        """The records of all 4 KiB pages that `entry` covers."""
        count = entry.page_bytes >> PAGE_SHIFT
        return self._records.within(entry.page * count, count)

    def _link(self, record: PageRecord, slot: Slot) -> None:
        """`slot` was filled with a translation of the record's page: it answers too."""
        if record.takes(slot):
            record.link(slot)
        else:
            self._renew(record)

    def _miss(self, record: PageRecord, array: TlbArray) -> None:
        """A slot of `array` answers for the record's page no more: others may."""
        if record.also or record.disputed or array.lookup(record.page, self.pcid) is not None:
            self._renew(record)
        elif not record.held():
            self._lose(record)
        else:
            self._check_grants(record)

    def _renew(self, record: PageRecord) -> None:
        """Search the arrays again: `record` goes if they hold nothing of its page now, or something else."""
        fresh = self._look_up(record.page, record.kinds)
        if fresh is None or (fresh.frame, fresh.rights) != (record.frame, record.rights):
            self._lose(record)
            return
        record.entry, record.l1, record.l2 = fresh.entry, fresh.l1, fresh.l2
        record.also, record.disputed = fresh.also, fresh.disputed
        record.fast = [None, None, None]
        self._check_grants(record)

    def _lose(self, record: PageRecord) -> None:
        self._records.remove(record)
        self._fast_stores.get(record.frame, {}).pop(record, None)
        record.l1, record.l2, record.fast = [None] * 3, [None] * 3, [None] * 3
        self._check_grants(record)
        self.on_grant_lost(record)

    def _check_grants(self, record: PageRecord) -> None:
        """Take back what the engine was granted if an access would have to ask now."""
        for kind in record.kinds:
            if record.granted >> kind & 1:
                slot = record.l1[kind] or record.l2[kind]
                if slot is None or slot.entry is None or (kind == WRITE and not slot.entry.D):
                    record.granted = 0
                    self.stale_grants = True

    def make_fast(self, record: PageRecord, kind: int, slot: Slot | None) -> None:
        """Let accesses of type index `kind` make `slot` young and do no more, as long as nothing changes."""
        if slot is None or record.also:
            return
        record.fast[kind] = slot
        if kind == WRITE:
            self._fast_stores.setdefault(record.frame, {})[record] = None

    def slow_down(self) -> None:
        """Send the next access of every page the long way round once."""
        for record in self._records:
            record.fast = [None, None, None]
        self._fast_stores.clear()

    # -- what the entries were made from --------------------------------------------------------------------------

    def note_write(self, address: PhysicalAddress, size: int) -> None:
        """Bytes of RAM were (or are about to be) written: doubt every translation made from them."""
        for entry in self._watch.written(address, size):
            if entry.slots:
                for record in self._records_of(entry):
                    record.fast = [None, None, None]

    def _slow_stores_to(self, frame: int) -> None:
        for record in self._fast_stores.pop(frame, ()):
            record.fast[WRITE] = None

    def _hold(self, slot: Slot, entry: TlbEntry) -> None:
        if not entry.slots:
            self._watch.add(entry)
            if entry.piece_of is not None:
                self._pieces.setdefault(_whole(entry), {})[entry] = None
        entry.slots.append(slot)

    def _let_go(self, slot: Slot, entry: TlbEntry) -> None:
        entry.slots.remove(slot)
        if entry.slots:
            return
        self._watch.remove(entry)
        if entry.piece_of is not None:
            pieces = self._pieces[_whole(entry)]
            del pieces[entry]
            if not pieces:
                del self._pieces[_whole(entry)]

    # -- checkpoints ----------------------------------------------------------------------------------------------

    def state(self) -> HierarchyState:
        """A copy of all that decides what happens next."""
        pending = tuple(
            (record.page, kind, outcome)
            for record in self._records
            for kind, outcome in enumerate(record.pending)
            if outcome is not None
        )
        arrays = tuple(array.state() for array in self.arrays)
        return HierarchyState(arrays, self.structures.state(), pending)

    def load_state(self, state: HierarchyState, pcid: int) -> None:
        """Go back to `state`, with entries of our own: another machine may have been restored from it too."""
        for array, saved in zip(self.arrays, state.arrays, strict=True):
            array.load_state(saved)
        self.switch(pcid)
        self._watch.clear()
        self._pieces.clear()
        self.structures.load_state(state.structures)
        copies: dict[TlbEntry, TlbEntry] = {}
        for slot in (slot for array in self.arrays for slot in array if slot.entry is not None):
            assert slot.entry is not None
            own = copies.get(slot.entry)
            if own is None:
                own = copies[slot.entry] = replace(slot.entry, suspect=True, slots=[])
            slot.array.hold(slot, own)
            self._hold(slot, own)
        for page, kind, outcome in state.pending:
            record = self.record(page, kind)
            if record is not None:
                record.pending[kind] = outcome

    def switch(self, pcid: int) -> None:
        """Make `pcid` the current one, with records of its own; the arrays keep what they hold."""
        self.pcid = pcid
        self.forget_records()


def _doomed(entry: TlbEntry, pcid: int | None, keep_global: bool, global_of_any: bool) -> bool:
    """Whether an invalidation of `pcid` (None: every one) takes `entry` with it."""
    if entry.is_global and (keep_global or global_of_any):
        return not keep_global
    return pcid in (None, entry.pcid)


def _whole(entry: TlbEntry) -> tuple[int, int]:
    """Number and size of the page that `entry` is, or is a piece of."""
    return entry.linear // entry.whole_bytes, entry.whole_bytes
