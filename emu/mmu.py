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

from dataclasses import dataclass
from typing import Final, NamedTuple

from emu.bits import PAGE_SHIFT, LinearAddress, PhysicalAddress, hexadecimal
from emu.events import Accessed, EntryRead, EntryWritten, Faulted, Invalidated, Journal
from emu.mem import PhysicalMemory
from emu.paging.fault import Reason, describe_error, error_code
from emu.paging.rights import AccessType, Controls, Rights, check
from emu.paging.walk import Walk, accessed_updates, walk
from emu.tlb.counters import FETCH, TYPE_NAMES, WRITE, Counters
from emu.tlb.entry import Slot, TlbEntry
from emu.tlb.geometry import Geometry
from emu.tlb.hierarchy import HierarchyState, TlbHierarchy, frame_of
from emu.tlb.record import PageRecord

ACCESS_TYPES: Final = (AccessType.FETCH, AccessType.READ, AccessType.WRITE)
_A_AND_D: Final = 0x60
_KEEP: Final = ~_A_AND_D


class Access(NamedTuple):
    """What one access is: its type index; made in user mode (CPL 3, not implicit), implicitly, with EFLAGS.AC."""

    kind: int
    user: bool
    implicit: bool
    ac: bool


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
    counters: Counters
    tlb: HierarchyState


class Mmu:
    """One CPU's MMU: the TLBs of a geometry over one physical memory."""

    def __init__(self, memory: PhysicalMemory, geometry: Geometry, journal: Journal) -> None:
        self.memory = memory
        self.geometry = geometry
        self.journal = journal
        self.controls: Controls | None = None
        """None while CR0.PG = 0."""
        self.pcid = 0
        self.counters = Counters()
        self.tlb = TlbHierarchy(geometry, journal)
        self.report_all = False
        """Report plain level-1 hits too."""
        memory.listeners.append(self.tlb.note_write)

    # -- translate ----------------------------------------------------------------------------------------------

    def translate(
        self, page: int, kind: int, user: bool, implicit: bool = False, ac: bool = False
    ) -> PageRecord | Refused:
        """The record through which an access of type index `kind` to 4 KiB page `page` reaches memory, or why not.

        `user`: made in user mode (CPL 3 and not implicit). `ac`: EFLAGS.AC, which SMAP looks at.
        """
        controls = self.controls
        if controls is None:
            return self.tlb.unpaged(page, kind)
        access = Access(kind, user, implicit, ac)
        record = self.tlb.record(page, kind, self.pcid)
        if record is not None:
            slot = record.l1[kind]
            if slot is not None:
                return self._translate_hit(record, slot, None, access, controls)
            slot = record.l2[kind]
            if slot is not None:
                return self._translate_hit(record, slot, "l2_hit", access, controls)
        return self._translate_miss(page, access, controls)

    def _translate_hit(
        self, record: PageRecord, slot: Slot, outcome: str | None, access: Access, controls: Controls
    ) -> PageRecord | Refused:
        entry = slot.entry
        assert entry is not None
        kind, user, implicit, ac = access
        rights = Rights(entry.US, entry.RW, entry.XD)
        reason = check(rights, ACCESS_TYPES[kind], user, implicit, ac, controls)
        if reason is not None:
            address, value = entry.chain[-1]
            level = controls.mode.levels[len(entry.chain) - 1].name
            error = error_code(reason, ACCESS_TYPES[kind], user, controls)
            return Refused(record.page, kind, reason, error, 14, address, value, level, True)
        if kind == WRITE and not entry.D:
            return self._set_dirty(record, entry, outcome, access, controls)
        if outcome is not None:
            record.pending[kind] = outcome
            self.tlb.fill(entry, kind, 1, "l2_hit")
        return record

    def _translate_miss(self, page: int, access: Access, controls: Controls) -> PageRecord | Refused:
        entry = self._walk(page, access, controls, "miss")
        if isinstance(entry, Refused):
            return entry
        record = self.tlb.install(page, access.kind, entry, "miss")
        record.pending[access.kind] = "miss"
        return record

    def _set_dirty(
        self, record: PageRecord, old: TlbEntry, outcome: str | None, access: Access, controls: Controls
    ) -> PageRecord | Refused:
        """A store through an entry with D clear: walk, set D; the fresh translation takes the old one's places."""
        entry = self._walk(record.page, access, controls, "D")
        if isinstance(entry, Refused):
            return entry
        if entry.frame != old.frame or entry.page_bytes != old.page_bytes:
            fresh = self.tlb.install(record.page, WRITE, entry, "D")
            fresh.pending[WRITE] = outcome
            return fresh
        self.tlb.take_over(old, entry)
        if outcome is not None:
            record.pending[WRITE] = outcome
            self.tlb.fill(entry, WRITE, 1, "l2_hit")
        return record

    def _walk(self, page: int, access: Access, controls: Controls, why: str) -> TlbEntry | Refused:
        """Walk for one access, report what was read, set A and D if it is allowed, and make the entry."""
        journal = self.journal
        kind, user, implicit, ac = access
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
        self._set_accessed(found, dirty, controls)
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

    def _set_accessed(self, found: Walk, dirty: bool, controls: Controls) -> None:
        """Write the A and D bits that a permitted access sets."""
        for update in accessed_updates(found, dirty):
            step = update.step
            self.memory.write_entry(step.address, update.after, controls.mode.entry_bytes)
            self.journal.report(
                EntryWritten,
                level=step.level.name,
                table=step.table,
                index=step.index,
                address=step.address,
                before=update.before,
                after=update.after,
                why=update.why,
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
        if kind == WRITE and record.frame in self.tlb.table_frames:
            self.tlb.note_write(PhysicalAddress((record.frame << PAGE_SHIFT) | offset), size)
        elif not (self.report_all or stale):
            record.fast[kind] = slot

    def _touch_below(self, record: PageRecord, kind: int) -> str:
        """An access the engine made through a page that left level 1: level 2 answers, or it walks after all."""
        slot = record.l2[kind]
        if slot is not None and slot.entry is not None:
            self.tlb.fill(slot.entry, kind, 1, "l2_hit")
            return "l2_hit"
        assert self.controls is not None
        self._walk(record.page, Access(kind, self.journal.cpl == 3, False, True), self.controls, "miss")
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
            dropped = self.tlb.drop_page(refused.page, self.pcid)
            if dropped:
                self._report_invalidation("PAGE_FAULT", hexadecimal(linear), dropped)

    # -- what software invalidates --------------------------------------------------------------------------------

    def invlpg(self, linear: LinearAddress) -> None:
        """INVLPG: drop what any array holds for the page, global or not."""
        self.counters.invalidations += 1
        dropped = self.tlb.drop_page(linear >> PAGE_SHIFT, self.pcid)
        self._report_invalidation("INVLPG", hexadecimal(linear), dropped)

    def flush(self, operation: str, keep_global: bool) -> None:
        """Drop everything (MOV CR0, MOV CR4), or everything but global pages (MOV CR3)."""
        self.counters.flushes += 1
        dropped = self.tlb.drop_all(keep_global)
        self._report_invalidation(operation, "all but global" if keep_global else "all", dropped)

    def _report_invalidation(self, operation: str, scope: str, dropped: list[str]) -> None:
        self.journal.report(Invalidated, operation=operation, scope=scope, dropped=dropped)

    def set_controls(self, controls: Controls | None) -> None:
        """CR0, CR3, CR4 or EFER changed. What the TLBs keep is the business of `flush`; records are made anew."""
        if controls != self.controls:
            self.controls = controls
            self.tlb.forget_records()

    # -- asking without changing anything -----------------------------------------------------------------------

    def peek(self, page: int) -> int | None:
        """The frame a fetch from `page` would reach, or None. Looks at no rights, changes nothing."""
        controls = self.controls
        if controls is None:
            return page
        slot = self.tlb.find(page, FETCH, self.pcid)
        if slot is not None and slot.entry is not None:
            return frame_of(slot.entry, page)
        found = self.walk(LinearAddress(page << PAGE_SHIFT))
        return found.physical >> PAGE_SHIFT if found is not None and found.complete else None

    def walk(self, linear: LinearAddress) -> Walk | None:
        """What memory says about `linear` now, without a trace of the question; None while paging is off."""
        return None if self.controls is None else walk(self.memory.read_entry, linear, self.controls)

    def holding(self, linear: LinearAddress) -> list[Slot]:
        """Every slot that holds a translation of `linear`."""
        return self.tlb.holding(linear >> PAGE_SHIFT, self.pcid)

    def is_stale(self, entry: TlbEntry) -> bool:
        """Whether memory would give another translation than `entry` has: its chain was rewritten (A and D aside)."""
        assert self.controls is not None
        width = self.controls.mode.entry_bytes
        stale = any(self.memory.read_entry(address, width) & _KEEP != value for address, value in entry.chain)
        entry.suspect = stale
        return stale

    # -- checkpoints ----------------------------------------------------------------------------------------------

    def state(self) -> MmuState:
        """A copy of all that decides what happens next."""
        return MmuState(self.controls, self.pcid, self.counters.copy(), self.tlb.state())

    def load_state(self, state: MmuState) -> None:
        """Go back to `state`."""
        self.controls, self.pcid = state.controls, state.pcid
        self.counters.load(state.counters)
        self.tlb.load_state(state.tlb, state.pcid)
