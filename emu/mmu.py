# SPDX-License-Identifier: GPL-2.0-or-later
"""The single door between a linear address and memory: translate, then touch.

`translate` answers whether and where an access reaches memory: from a TLB, or by a walk that fills one. It counts
nothing; it leaves what it found out on the page's record. `touch` is told of every access that is made, says how it
hit, and keeps the ages. The engine below caches what `translate` granted, so between the two calls it may make many
accesses of its own; all of them reach `touch`.

Choices the SDM leaves to the CPU, and ours:
- an access that hits a TLB entry whose cached rights refuse it faults on those rights, with no new walk (vol. 3A,
  "Recommended Invalidation", 4.10.4.3, allows the one spurious fault); the fault drops the entry, so the retry walks;
- a store that hits an entry with D clear walks again, and what that walk says replaces what was cached;
- A is set only by walks that end in a translation; nothing is filled ahead of use.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from emu.bits import PAGE_SHIFT, LinearAddress, PhysicalAddress, hexadecimal
from emu.events import Accessed, EntryRead, EntryWritten, Faulted, Invalidated, Journal, TlbEvicted, TlbFilled
from emu.mem import PhysicalMemory
from emu.paging.fault import Reason, describe_error, error_code
from emu.paging.rights import AccessType, Controls, Rights, check
from emu.paging.walk import Walk, accessed_updates, walk
from emu.tlb.cache import ArrayState, TlbArray
from emu.tlb.counters import FETCH, READ, TYPE_NAMES, WRITE, Counters
from emu.tlb.entry import Slot, TlbEntry
from emu.tlb.geometry import Geometry

ACCESS_TYPES: Final = (AccessType.FETCH, AccessType.READ, AccessType.WRITE)
_A_AND_D: Final = 0x60
_KEEP: Final = ~_A_AND_D


class PageRecord:
    """How one 4 KiB linear page reaches memory now, for fetches or for data: the object that a hot path looks at.

    `l1` and `l2` name, by access type, the slot that would answer. `fast` is the level-1 slot when an access needs
    no more than a new age; None sends the access the long way round. `pending` is the outcome of a translation that
    no access has used yet. `home` is the number under which the engine knows the page, -1 for none.
    """

    __slots__ = ("entry", "fast", "frame", "granted", "home", "l1", "l2", "page", "pending")

    def __init__(self, page: int, frame: int, entry: TlbEntry | None) -> None:
        self.page = page
        self.frame = frame
        self.entry = entry
        self.l1: list[Slot | None] = [None, None, None]
        self.l2: list[Slot | None] = [None, None, None]
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


@dataclass(frozen=True, slots=True)
class Refused:
    """A translation that was not given: the reason, the error code of a page fault, and what refused.

    `vector` is 14, or 13 for a non-canonical address (12 when the stack was meant: the CPU knows). `cached` tells
    that the rights in a TLB entry refused, and not memory.
    """

    page: int
    type: int
    reason: Reason
    error: int
    vector: int
    entry: PhysicalAddress | None
    entry_value: int | None
    level: str | None
    cached: bool


@dataclass(frozen=True, slots=True)
class MmuState:
    """Everything of the MMU that decides its future."""

    controls: Controls | None
    pcid: int
    arrays: tuple[ArrayState, ...]
    counters: Counters
    pending: tuple[tuple[bool, int, int, str], ...]


class Mmu:
    """One CPU's MMU: the arrays of a geometry over one physical memory."""

    def __init__(self, memory: PhysicalMemory, geometry: Geometry, journal: Journal) -> None:
        self.memory = memory
        self.geometry = geometry
        self.journal = journal
        self.controls: Controls | None = None
        """None while CR0.PG = 0."""
        self.pcid = 0
        self.counters = Counters()
        self.arrays = [TlbArray(array) for array in geometry.arrays]
        self.report_all = False
        """Report plain level-1 hits too."""
        self.data: dict[int, PageRecord] = {}
        self.code: dict[int, PageRecord] = {}
        self.stale_grants = False
        """A page lost a translation that the engine was granted: it must forget before the next instruction."""
        self.on_grant_lost: Callable[[PageRecord], None] = lambda record: None
        self._by_type = [
            [
                [a for a in self.arrays if a.geometry.level == level and name in a.geometry.types]
                for name in TYPE_NAMES
            ]
            for level in (1, 2)
        ]
        self._data_arrays = [array for array in self.arrays if array.geometry.types != ("fetch",)]
        self._watched: dict[int, list[TlbEntry]] = {}
        self.table_frames: dict[int, int] = {}
        """How many cached entries were made from paging structures in each frame."""
        self._unpaged = Slot(self.arrays[0], 0, 0)
        memory.listeners.append(self.note_write)

    # -- translate ----------------------------------------------------------------------------------------------

    def translate(
        self, page: int, kind: int, user: bool, implicit: bool = False, ac: bool = False
    ) -> PageRecord | Refused:
        """The record through which an access of type index `kind` to 4 KiB page `page` reaches memory, or why not.

        `user`: made in user mode (CPL 3 and not implicit). `ac`: EFLAGS.AC, which SMAP looks at.
        """
        controls = self.controls
        records = self.code if kind == FETCH else self.data
        record = records.get(page)
        if controls is None:
            return record or self._unpaged_record(page, records)
        if record is None:
            record = self._adopt(page, kind, records)
        if record is not None:
            slot = record.l1[kind]
            outcome = None
            if slot is None:
                slot = record.l2[kind]
                outcome = "l2_hit"
            if slot is not None:
                return self._translate_hit(record, slot, outcome, kind, user, implicit, ac, controls)
        return self._translate_miss(page, kind, user, implicit, ac, controls)

    def _translate_hit(
        self,
        record: PageRecord,
        slot: Slot,
        outcome: str | None,
        kind: int,
        user: bool,
        implicit: bool,
        ac: bool,
        controls: Controls,
    ) -> PageRecord | Refused:
        entry = slot.entry
        assert entry is not None
        rights = Rights(entry.US, entry.RW, entry.XD)
        reason = check(rights, ACCESS_TYPES[kind], user, implicit, ac, controls)
        if reason is not None:
            address, value = entry.chain[-1]
            level = controls.mode.levels[len(entry.chain) - 1].name
            error = error_code(reason, ACCESS_TYPES[kind], user, controls)
            return Refused(record.page, kind, reason, error, 14, address, value, level, True)
        if kind == WRITE and not entry.D:
            return self._set_dirty(record, entry, user, implicit, ac, controls, outcome)
        if outcome is not None:
            record.pending[kind] = outcome
            self._fill(entry, kind, 1, "l2_hit")
        return record

    def _translate_miss(
        self, page: int, kind: int, user: bool, implicit: bool, ac: bool, controls: Controls
    ) -> PageRecord | Refused:
        entry = self._walk(page, kind, user, implicit, ac, controls, "miss")
        if isinstance(entry, Refused):
            return entry
        record = self._install(page, kind, entry, "miss")
        record.pending[kind] = "miss"
        return record

    def _set_dirty(
        self,
        record: PageRecord,
        old: TlbEntry,
        user: bool,
        implicit: bool,
        ac: bool,
        controls: Controls,
        outcome: str | None,
    ) -> PageRecord | Refused:
        """A store through an entry with D clear: walk, set D; the fresh translation takes the old one's places."""
        entry = self._walk(record.page, WRITE, user, implicit, ac, controls, "D")
        if isinstance(entry, Refused):
            return entry
        if entry.frame != old.frame or entry.page_bytes != old.page_bytes:
            fresh = self._install(record.page, WRITE, entry, "D")
            fresh.pending[WRITE] = outcome
            return fresh
        self._watch(entry)
        self._take_over(old, entry)
        if outcome is not None:
            record.pending[WRITE] = outcome
            self._fill(entry, WRITE, 1, "l2_hit")
        return record

    def _take_over(self, old: TlbEntry, entry: TlbEntry) -> None:
        """Put `entry`, a newer walk to the same frame, in all places of `old` that answer data accesses."""
        records = list(self._records_of(old))
        for slot in [slot for slot in old.slots if slot.array.geometry.types != ("fetch",)]:
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

    def _walk(
        self, page: int, kind: int, user: bool, implicit: bool, ac: bool, controls: Controls, why: str
    ) -> TlbEntry | Refused:
        """Walk for one access, report what was read, set A and D if it is allowed, and make the entry."""
        journal = self.journal
        linear = LinearAddress(page << PAGE_SHIFT)
        found = walk(self.memory.read_entry, linear, controls)
        self.counters.steps[kind] += len(found.steps)
        if journal.observers:
            self._report_steps(found, why)
        else:
            journal.seq += len(found.steps)
        refusal = found.refusal
        reason = (
            refusal.reason
            if refusal
            else check(found.rights, ACCESS_TYPES[kind], user, implicit, ac, controls)
        )
        if reason is not None:
            step = refusal.step if refusal else found.steps[-1]
            if step is None:
                return Refused(page, kind, reason, 0, 13, None, None, None, False)
            error = error_code(reason, ACCESS_TYPES[kind], user, controls)
            return Refused(
                page, kind, reason, error, 14, step.address, step.entry.raw, step.level.name, False
            )
        dirty = kind == WRITE
        for update in accessed_updates(found, dirty):
            step = update.step
            self.memory.write_entry(step.address, update.after, controls.mode.entry_bytes)
            journal.report(
                EntryWritten,
                level=step.level.name,
                table=step.table,
                index=step.index,
                address=step.address,
                before=update.before,
                after=update.after,
                why=update.why,
            )
        leaf = found.leaf
        return TlbEntry(
            page=linear // found.page_bytes,
            page_bytes=found.page_bytes,
            frame=found.frame,
            US=found.rights.US,
            RW=found.rights.RW,
            XD=found.rights.XD,
            D=dirty or leaf.entry.D,
            is_global=found.is_global,
            pcid=self.pcid,
            chain=tuple((step.address, step.entry.raw & _KEEP) for step in found.steps),
            filled_insn=journal.insn,
            filled_rip=journal.rip,
        )

    def _report_steps(self, found: Walk, why: str) -> None:
        for step in found.steps:
            self.journal.report(
                EntryRead,
                level=step.level.name,
                table=step.table,
                index=step.index,
                address=step.address,
                before=step.entry.raw,
                after=step.entry.raw,
                why=why,
            )

    # -- touch --------------------------------------------------------------------------------------------------

    def touch(self, record: PageRecord, offset: int, size: int, kind: int, implicit: bool = False) -> None:
        """Note one access of `size` bytes at `offset` of the record's page, all of it within the page."""
        self.counters.accesses[kind] += 1
        outcome = record.pending[kind]
        record.pending[kind] = None
        slot = record.l1[kind]
        if outcome is None:
            outcome = "l1_hit"
            if slot is None:
                outcome = self._touch_below(record, kind)
                slot = record.l1[kind]
        if outcome == "l2_hit":
            self.counters.stlb_hits[kind] += 1
            below = record.l2[kind]
            if below is not None:
                below.array.use(below)
        elif outcome == "miss":
            self.counters.walks[kind] += 1
            assert record.entry is not None
            self.counters.complete(kind, record.entry.page_bytes)
        if slot is not None:
            slot.array.use(slot)
        entry = slot.entry if slot is not None else record.entry
        stale = entry is not None and entry.suspect and self.is_stale(entry)
        if self.report_all or stale or outcome != "l1_hit":
            self.journal.report(
                Accessed,
                linear=(record.page << PAGE_SHIFT) | offset,
                physical=(record.frame << PAGE_SHIFT) | offset,
                size=size,
                type=TYPE_NAMES[kind],
                implicit=implicit,
                tlb=outcome,
                stale=stale,
            )
        else:
            self.journal.seq += 1
        if kind == WRITE and record.frame in self.table_frames:
            self.note_write(PhysicalAddress((record.frame << PAGE_SHIFT) | offset), size)
        elif not (self.report_all or stale):
            record.fast[kind] = slot

    def _touch_below(self, record: PageRecord, kind: int) -> str:
        """An access the engine made through a page that left level 1: level 2 answers, or it walks after all."""
        slot = record.l2[kind]
        if slot is not None and slot.entry is not None:
            self._fill(slot.entry, kind, 1, "l2_hit")
            return "l2_hit"
        assert self.controls is not None
        self._walk(record.page, kind, self.journal.cpl == 3, False, True, self.controls, "miss")
        return "miss"

    # -- faults -------------------------------------------------------------------------------------------------

    def fault(self, refused: Refused, linear: LinearAddress) -> None:
        """Count and report the fault that `refused` becomes, and do its own invalidation.

        SDM vol. 3A, "Operations that Invalidate TLBs and Paging-Structure Caches", 4.10.4.1: a page fault drops what
        is cached for its address.
        """
        self.counters.accesses[refused.type] += 1
        self.counters.faults += refused.vector == 14
        if not refused.cached and refused.vector == 14:
            self.counters.walks[refused.type] += 1
        self.journal.report(
            Faulted,
            vector=refused.vector,
            error=refused.error,
            error_bits=describe_error(refused.error) if refused.vector == 14 else "",
            cr2=linear if refused.vector == 14 else None,
            reason=refused.reason.name,
            entry=refused.entry,
            entry_value=refused.entry_value,
            level=refused.level,
        )
        if refused.vector == 14:
            dropped = self._drop_page(refused.page)
            if dropped:
                self._report_invalidation("PAGE_FAULT", hexadecimal(linear), dropped)

    # -- what software invalidates --------------------------------------------------------------------------------

    def invlpg(self, linear: LinearAddress) -> None:
        """INVLPG: drop what any array holds for the page, global or not."""
        self.counters.invalidations += 1
        dropped = self._drop_page(linear >> PAGE_SHIFT)
        self._report_invalidation("INVLPG", hexadecimal(linear), dropped)

    def flush(self, operation: str, keep_global: bool) -> None:
        """Drop everything (MOV CR0, MOV CR4), or everything but global pages (MOV CR3)."""
        self.counters.flushes += 1
        dropped: list[str] = []
        for array in self.arrays:
            for slot in array.holding(lambda entry: not (keep_global and entry.is_global)):
                dropped.append(self._describe(slot))
                self._empty(slot)
        self._report_invalidation(operation, "all but global" if keep_global else "all", dropped)

    def _drop_page(self, page: int) -> list[str]:
        dropped: list[str] = []
        for array in self.arrays:
            while (slot := array.lookup(page, self.pcid)) is not None:
                dropped.append(self._describe(slot))
                self._empty(slot)
        return dropped

    @staticmethod
    def _describe(slot: Slot) -> str:
        assert slot.entry is not None
        return f"{slot.name} {hexadecimal(slot.entry.linear)}"

    def _report_invalidation(self, operation: str, scope: str, dropped: list[str]) -> None:
        self.journal.report(Invalidated, operation=operation, scope=scope, dropped=dropped)

    def set_controls(self, controls: Controls | None) -> None:
        """CR0, CR3, CR4 or EFER changed. What the TLBs keep is the business of `flush`; records are made anew."""
        if controls != self.controls:
            self.controls = controls
            self.forget_records()

    # -- asking without changing anything -----------------------------------------------------------------------

    def peek(self, page: int) -> int | None:
        """The frame a fetch from `page` would reach, or None. Looks at no rights, changes nothing."""
        controls = self.controls
        if controls is None:
            return page
        for level in self._by_type:
            for array in level[FETCH]:
                slot = array.lookup(page, self.pcid)
                if slot is not None and slot.entry is not None:
                    return self._frame_of(slot.entry, page)
        found = self.walk(LinearAddress(page << PAGE_SHIFT))
        return found.physical >> PAGE_SHIFT if found is not None and found.complete else None

    def walk(self, linear: LinearAddress) -> Walk | None:
        """What memory says about `linear` now, without a trace of the question; None while paging is off."""
        return None if self.controls is None else walk(self.memory.read_entry, linear, self.controls)

    def holding(self, linear: LinearAddress) -> list[Slot]:
        """Every slot that holds a translation of `linear`."""
        found = (array.lookup(linear >> PAGE_SHIFT, self.pcid) for array in self.arrays)
        return [slot for slot in found if slot is not None]

    def is_stale(self, entry: TlbEntry) -> bool:
        """Whether memory would give another translation than `entry` has: its chain was rewritten (A and D aside)."""
        assert self.controls is not None
        width = self.controls.mode.entry_bytes
        stale = any(self.memory.read_entry(address, width) & _KEEP != value for address, value in entry.chain)
        entry.suspect = stale
        return stale

    # -- keeping arrays, records and watched entries in step ------------------------------------------------------

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

    def _unpaged_record(self, page: int, records: dict[int, PageRecord]) -> PageRecord:
        record = records[page] = PageRecord(page, page, None)
        record.l1 = [self._unpaged] * 3
        return record

    def _adopt(self, page: int, kind: int, records: dict[int, PageRecord]) -> PageRecord | None:
        """A record for a page that some array already translates, or None."""
        for level in self._by_type:
            for array in level[kind]:
                slot = array.lookup(page, self.pcid)
                if slot is not None and slot.entry is not None:
                    return self._record(page, kind, slot.entry, records)
        return None

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
                self._empty(slot)

    def _record(self, page: int, kind: int, entry: TlbEntry, records: dict[int, PageRecord]) -> PageRecord:
        record = records.get(page)
        if record is None or record.entry is not entry:
            record = records[page] = PageRecord(page, self._frame_of(entry, page), entry)
        for slot in entry.slots:
            self._link(record, slot, kind == FETCH)
        return record

    @staticmethod
    def _frame_of(entry: TlbEntry, page: int) -> int:
        return (entry.frame >> PAGE_SHIFT) + (page - (entry.page * (entry.page_bytes >> PAGE_SHIFT)))

    @staticmethod
    def _link(record: PageRecord, slot: Slot, for_fetch: bool) -> None:
        places = record.l1 if slot.array.geometry.level == 1 else record.l2
        for name in slot.array.geometry.types:
            kind = TYPE_NAMES.index(name)
            if (kind == FETCH) == for_fetch:
                places[kind] = slot

    def _install(self, page: int, kind: int, entry: TlbEntry, cause: str) -> PageRecord:
        """Fill a fresh translation into both levels.

        All arrays that answer data accesses hold one entry for a page, so that loads and stores agree on the frame:
        a fresh one takes the places of an older one.
        """
        self._watch(entry)
        filled = (array for level in self._by_type for array in level[kind] if array in self._data_arrays)
        if any(entry.page_bytes in array.geometry.page_bytes for array in filled):
            self._replace_data(page, entry)
        self._fill(entry, kind, 2, cause)
        self._fill(entry, kind, 1, cause)
        if not entry.slots:
            self._forget(entry)
            record = PageRecord(page, self._frame_of(entry, page), entry)
            self.stale_grants = True
            return record
        return self._record(page, kind, entry, self.code if kind == FETCH else self.data)

    def _fill(self, entry: TlbEntry, kind: int, level: int, cause: str) -> None:
        page = entry.page * (entry.page_bytes >> PAGE_SHIFT)
        for array in self._by_type[level - 1][kind]:
            if entry.page_bytes not in array.geometry.page_bytes:
                continue
            slot = array.lookup(page, entry.pcid) or array.place(entry)
            if slot.entry is not None:
                self._report_slot(TlbEvicted, slot, slot.entry, cause)
                self._empty(slot)
            array.put(slot, entry)
            entry.slots.append(slot)
            for record in self._records_of(entry):
                self._link(record, slot, record is self.code.get(record.page))
            self._report_slot(TlbFilled, slot, entry, cause)

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

    def _empty(self, slot: Slot) -> None:
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

    # -- checkpoints ----------------------------------------------------------------------------------------------

    def state(self) -> MmuState:
        """A copy of all that decides what happens next."""
        pending = tuple(
            (side is self.code, page, kind, outcome)
            for side in (self.data, self.code)
            for page, record in side.items()
            for kind, outcome in enumerate(record.pending)
            if outcome is not None
        )
        arrays = tuple(array.state() for array in self.arrays)
        return MmuState(self.controls, self.pcid, arrays, self.counters.copy(), pending)

    def load_state(self, state: MmuState) -> None:
        """Go back to `state`."""
        self.controls, self.pcid = state.controls, state.pcid
        for array, saved in zip(self.arrays, state.arrays, strict=True):
            array.load_state(saved)
        self.counters.load(state.counters)
        self.forget_records()
        self._watched.clear()
        self.table_frames.clear()
        copies: dict[int, TlbEntry] = {}
        for array in self.arrays:
            for slot in array:
                if slot.entry is not None:
                    own = copies.get(id(slot.entry))
                    if own is None:
                        own = copies[id(slot.entry)] = replace(slot.entry, suspect=True, slots=[])
                        self._watch(own)
                    slot.entry = own
                    own.slots.append(slot)
        for is_code, page, kind, outcome in state.pending:
            records = self.code if is_code else self.data
            record = records.get(page) or self._adopt(page, kind, records)
            if record is not None:
                record.pending[kind] = outcome
