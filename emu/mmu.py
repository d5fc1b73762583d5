# SPDX-License-Identifier: GPL-2.0-or-later
"""The single door between a linear address and memory: translate, then touch.

`translate` answers whether and where an access reaches memory: from a TLB, or by a walk that fills one. It counts
nothing; it leaves what it found out on the page's record. `touch` is told of every access that is made, says how it
hit, and keeps the ages. The engine below caches what `translate` granted, so between the two calls it may make many
accesses of its own; all of them reach `touch`.

Choices the SDM leaves to the CPU, and ours:
- an access that hits a TLB entry whose cached rights refuse it faults on those rights, with no new walk (vol. 3A,
  "Optional Invalidation", 4.10.4.3, allows the one spurious fault); the fault drops the entry, so the retry walks;
- a store that hits an entry with D clear walks again, and what that walk says replaces what was cached;
- A is set only by walks that end in a translation; nothing is filled ahead of use;
- INVPCID of one address drops every paging-structure-cache entry of its PCID, as INVLPG does, and no global page;
- an operation that must drop the entries of the current PCID drops the global ones filled under it too, unless it
  spares global pages, and those filled under another PCID never;
- a PDPTE register of PAE paging is no memory: a PDPTE changed in memory makes nothing stale, as no walk reads it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from emu.bits import PAGE_SHIFT, LinearAddress, PhysicalAddress, hexadecimal
from emu.events import Accessed, EntryRead, EntryWritten, Faulted, Invalidated, Journal, Told
from emu.mem import PhysicalMemory
from emu.paging.fault import Reason, describe_error, error_code
from emu.paging.formats import D
from emu.paging.rights import AccessType, Controls, Rights, check, key_refusal
from emu.paging.walk import NOTHING_KNOWN, EntryUpdate, Walk, WalkStep, accessed_updates, walk
from emu.tlb.counters import TYPE_NAMES, WRITE, Counters
from emu.tlb.entry import A_AND_D, Chain, Slot, TlbEntry
from emu.tlb.geometry import Geometry
from emu.tlb.hierarchy import HierarchyState, TlbHierarchy
from emu.tlb.record import PageRecord
from emu.tlb.structure_cache import Place, StructureEntry, chain_of

ACCESS_TYPES: Final = (AccessType.FETCH, AccessType.READ, AccessType.WRITE)
_ONE_ADDRESS: Final = 0
_ONE_PCID: Final = 1
_ALL_WITH_GLOBAL: Final = 2


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

    def __init__(self, memory: PhysicalMemory, geometry: Geometry, journal: Journal, seed: int = 0) -> None:
        """`seed` decides what arrays of the policy "random" draw."""
        self.memory = memory
        self.geometry = geometry
        self.journal = journal
        self.controls: Controls | None = None
        """None while CR0.PG = 0."""
        self.pcid = 0
        self.counters = Counters()
        self.tlb = TlbHierarchy(geometry, journal, seed)
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
        record = self.tlb.record(page, kind)
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
        entry.suspect = entry.suspect or (self._made_elsewhere(entry) and not self._shares_tables(entry))
        kind, user, implicit, ac = access
        reason = check(record.rights, ACCESS_TYPES[kind], user, implicit, ac, controls)
        if reason is not None:
            address, value = entry.chain[-1]
            level = next(
                level.name for level in controls.mode.levels if level.page_bytes == entry.whole_bytes
            )
            error = self._error(reason, record.rights, access, controls)
            return Refused(record.page, kind, reason, error, 14, address, value, level, True)
        if kind == WRITE and not entry.D:
            return self._set_dirty(record, outcome, access, controls)
        if outcome is not None:
            record.pending[kind] = outcome
            self.tlb.fill(record.page, kind, 1, entry, "l2_hit")
        return record

    def _translate_miss(self, page: int, access: Access, controls: Controls) -> PageRecord | Refused:
        entry = self._walk(page, access, controls, "miss")
        if isinstance(entry, Refused):
            return entry
        record = self.tlb.install(page, access.kind, entry, "miss")
        record.pending[access.kind] = "miss"
        return record

    def _set_dirty(
        self, old: PageRecord, outcome: str | None, access: Access, controls: Controls
    ) -> PageRecord | Refused:
        """A store through an entry with D clear: walk, set D; the fresh translation takes the old one's places."""
        entry = self._walk(old.page, access, controls, "D")
        if isinstance(entry, Refused):
            return entry
        tlb = self.tlb
        tlb.replace(old.page, entry)
        record = tlb.record(old.page, WRITE)
        if record is None or not record.answers(WRITE):
            record = tlb.install(old.page, WRITE, entry, "D")
        elif outcome is not None:
            tlb.fill(old.page, WRITE, 1, entry, "l2_hit")
        record.pending[WRITE] = outcome
        return record

    def _walk(self, page: int, access: Access, controls: Controls, why: str) -> TlbEntry | Refused:
        """Walk for one access, report what was read, set A and D if it is allowed, and make the entry."""
        kind, user, implicit, ac = access
        found, place = self._walk_from(LinearAddress(page << PAGE_SHIFT), controls)
        self._count(found, place, kind, why)
        reason = found.reason
        if reason is None:
            reason = check(found.rights_so_far, ACCESS_TYPES[kind], user, implicit, ac, controls)
        if reason is not None:
            return self._refused(found, reason, access)
        dirty = kind == WRITE
        begun = None if place is None else place.entry
        self._set_accessed(found, dirty, controls)
        self.tlb.structures.fill(found, begun, self.pcid, why)
        return self._entry(found, begun, dirty)

    def _walk_from(self, linear: LinearAddress, controls: Controls) -> tuple[Walk, Place | None]:
        """Walk as the CPU does, below what a paging-structure cache holds. Reads memory and changes nothing."""
        place = self.tlb.structures.find(linear, self.pcid)
        known = NOTHING_KNOWN if place is None or place.entry is None else place.entry.known
        return walk(self.memory.read_entry, linear, controls, known), place

    def _count(self, found: Walk, place: Place | None, kind: int, why: str) -> None:
        reads = found.reads
        self.counters.steps[kind] += reads
        if place is not None:
            self.counters.structure_hits[kind] += 1
            place.cache.use(place)
        if self.journal.wants(EntryRead):
            for make, fields in _reads(found, why):
                self.journal.report(make, **fields)
        else:
            self.journal.pass_over(reads, _reads, found, why)

    def _refused(self, found: Walk, reason: Reason, access: Access) -> Refused:
        page, kind = found.linear >> PAGE_SHIFT, access.kind
        if not found.values:
            return Refused(page, kind, reason, 0, 13, None, None, None, False)
        rights = found.rights_so_far
        error = self._error(reason, rights, access, found.controls)
        level = found.controls.mode.levels[len(found.values) - 1].name
        return Refused(page, kind, reason, error, 14, found.addresses[-1], found.values[-1], level, False)

    @staticmethod
    def _error(reason: Reason, rights: Rights, access: Access, controls: Controls) -> int:
        """The error code. A key can deny only what has a page."""
        type = ACCESS_TYPES[access.kind]
        has_page = reason is not Reason.NOT_PRESENT and reason is not Reason.RESERVED_BIT_SET
        key_denies = has_page and key_refusal(rights, type, access.user, controls) is not None
        return error_code(reason, type, access.user, controls, key_denies)

    def _entry(self, found: Walk, begun: StructureEntry | None, dirty: bool) -> TlbEntry:
        page_bytes = found.page_bytes
        rights = found.rights_so_far
        return TlbEntry(
            page=found.linear // page_bytes,
            page_bytes=page_bytes,
            frame=found.frame,
            US=rights.US,
            RW=rights.RW,
            XD=rights.XD,
            D=dirty or found.leaf_value & D != 0,
            is_global=found.is_global,
            pcid=self.pcid,
            chain=chain_of(found, len(found.values), begun),
            filled_insn=self.journal.insn,
            filled_rip=self.journal.rip,
            key=rights.key,
            entry_bytes=found.controls.mode.entry_bytes,
            suspect=begun is not None and begun.suspect,
        )

    def _set_accessed(self, found: Walk, dirty: bool, controls: Controls) -> None:
        """Write the A and D bits that a permitted access sets."""
        for update in accessed_updates(found, dirty):
            self.memory.write_entry(update.address, update.after, controls.mode.entry_bytes)
            if self.journal.wants(EntryWritten):
                for make, fields in _write(update):
                    self.journal.report(make, **fields)
            else:
                self.journal.pass_over(1, _write, update)

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
        below = record.l2[kind]
        if outcome == "l2_hit":
            self._count_below(record, below, kind)
        elif outcome == "miss":
            self.counters.walks[kind] += 1
            assert record.entry is not None
            self.counters.complete(kind, record.entry.whole_bytes)
        if slot is not None:
            record.age(slot, kind)
        answering = slot or below
        entry = record.entry if answering is None else answering.entry
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
            self.tlb.make_fast(record, kind, slot)

    def _count_below(self, record: PageRecord, below: Slot | None, kind: int) -> None:
        """Level 2 answered. It may have lost the page since (`below` is None): the access was under way."""
        entry = record.entry if below is None else below.entry
        assert entry is not None
        self.counters.stlb_hit(kind, entry.page_bytes)
        if below is not None:
            record.age(below, kind)

    def _touch_below(self, record: PageRecord, kind: int) -> str:
        """An access the engine made through a page that left level 1: level 2 answers, or it walks after all."""
        slot = record.l2[kind]
        if slot is not None and slot.entry is not None:
            self.tlb.fill(record.page, kind, 1, slot.entry, "l2_hit")
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
            dropped += self.tlb.structures.drop(self.pcid, LinearAddress(refused.page << PAGE_SHIFT))
            if dropped:
                self._report_invalidation("PAGE_FAULT", self._scope(linear), dropped)

    # -- what software invalidates --------------------------------------------------------------------------------
    # SDM vol. 3A, "Operations that Invalidate TLBs and Paging-Structure Caches", 4.10.4.1

    def invlpg(self, linear: LinearAddress) -> None:
        """INVLPG: drop what is held for the page under the current PCID or as global, and its structure caches."""
        self.counters.invalidations += 1
        dropped = self.tlb.drop_page(linear >> PAGE_SHIFT, self.pcid)
        dropped += self.tlb.structures.drop(self.pcid)
        self._report_invalidation("INVLPG", self._scope(linear), dropped)

    def invpcid(self, kind: int, pcid: int, linear: LinearAddress) -> None:
        """INVPCID of type `kind`: one address (0) or all (1) of `pcid`, but global; everything (2); all but global (3).

        ValueError for another `kind`: the CPU raises #GP before it comes here.
        """
        if kind == _ONE_ADDRESS:
            self.counters.invalidations += 1
            dropped = self.tlb.drop_page(linear >> PAGE_SHIFT, pcid, keep_global=True)
            dropped += self.tlb.structures.drop(pcid)
            scope = f"{hexadecimal(linear)} in PCID {pcid}, but global"
            self._report_invalidation("INVPCID", scope, dropped)
        elif kind in (1, 2, 3):
            self.flush("INVPCID", pcid if kind == _ONE_PCID else None, keep_global=kind != _ALL_WITH_GLOBAL)
        else:
            raise ValueError(f"INVPCID has no type {kind}; use 0 to 3")

    def flush(self, operation: str, pcid: int | None = None, keep_global: bool = False) -> None:
        """Drop everything that was filled under `pcid` (None: under any), or all of that but global pages."""
        self.counters.flushes += 1
        dropped = self.tlb.drop_all(pcid, keep_global)
        dropped += self.tlb.structures.drop(pcid)
        what = "all but global" if keep_global else "all"
        scope = what if pcid is None else f"{what} in PCID {pcid}"
        self._report_invalidation(operation, scope, dropped)

    def _scope(self, linear: LinearAddress) -> str:
        """An address in the current PCID, which is said only where it is not 0."""
        return hexadecimal(linear) + (f" in PCID {self.pcid}" if self.pcid else "")

    def _report_invalidation(self, operation: str, scope: str, dropped: list[str]) -> None:
        self.journal.report(Invalidated, operation=operation, scope=scope, dropped=dropped)

    def set_controls(self, controls: Controls | None, pcid: int = 0) -> None:
        """CR0, CR3, CR4, EFER, PKRU or a PDPTE register changed; `pcid` is 0 while CR4.PCIDE = 0.

        What the TLBs keep is the business of `flush`; records are made anew.
        """
        if (controls, pcid) != (self.controls, self.pcid):
            self.controls, self.pcid = controls, pcid
            self.tlb.switch(pcid)
            self.tlb.structures.set_controls(controls)

    # -- asking without changing anything -----------------------------------------------------------------------

    def peek(self, page: int) -> int | None:
        """The frame a fetch from `page` would reach, or None. Looks at no rights, changes nothing."""
        controls = self.controls
        if controls is None:
            return page
        frame = self.tlb.fetch_frame(page)
        if frame is not None:
            return frame
        found, _ = self._walk_from(LinearAddress(page << PAGE_SHIFT), controls)
        return found.physical >> PAGE_SHIFT if found.complete else None

    def walk(self, linear: LinearAddress) -> Walk | None:
        """What memory says about `linear` now, without a trace of the question; None while paging is off.

        The CPU itself may see it otherwise: it begins below what its paging-structure caches hold.
        """
        return None if self.controls is None else walk(self.memory.read_entry, linear, self.controls)

    def holding(self, linear: LinearAddress) -> list[Slot]:
        """Every slot that holds a translation of `linear` usable now."""
        return self.tlb.holding(linear >> PAGE_SHIFT)

    def is_stale(self, entry: TlbEntry) -> bool:
        """Whether memory would give another translation than `entry` has.

        Either what it was made from was rewritten (A and D aside), or it is used in an address space that it was not
        made in: a global page, or a PCID that was kept. `entry` may be one of a paging-structure cache.
        """
        stale = not self._memory_says(entry.chain, entry.entry_bytes)
        if not stale and entry.usable(self.pcid) and self._made_elsewhere(entry):
            stale = self._differs(entry)
        entry.suspect = stale
        return stale

    def _memory_says(self, chain: Chain, entry_bytes: int) -> bool:
        """Whether every entry of `chain` still has that value, A and D aside."""
        read = self.memory.read_entry
        for address, value in chain:  # noqa: SIM110  # asked at many fetches, and a generator costs twice as much
            if read(address, entry_bytes) & ~A_AND_D != value:
                return False
        return True

    def _made_elsewhere(self, entry: TlbEntry) -> bool:
        """Whether `entry` was walked from another root table. PAE's are loaded with CR3, which spares no such entry."""
        controls = self.controls
        if controls is None or controls.mode.root_in_registers:
            return False
        return entry.chain[0][0] >> PAGE_SHIFT != controls.root >> PAGE_SHIFT

    def _shares_tables(self, entry: TlbEntry) -> bool:
        """Whether the present root is known to lead into the very tables that `entry` was made from.

        Then what lies below is watched for it, and only the root's own entry can have changed: the kernel's half, which
        is the same in all address spaces, is asked about at each change of page.
        """
        assert self.controls is not None
        controls, chain = entry.agreed.get(self.controls.root, (None, ()))
        return (
            controls is self.controls
            and chain[1:] == entry.chain[1:]
            and self._memory_says(chain[:1], entry.entry_bytes)
        )

    def _differs(self, entry: TlbEntry) -> bool:
        """Whether a walk from the present root ends elsewhere than `entry`, or with other rights.

        The kernel's global pages are used in every address space and asked about at each change of page. So a walk
        that agreed is kept: while it would read the same entries, under the same controls, it agrees again.
        """
        assert self.controls is not None
        controls, chain = entry.agreed.get(self.controls.root, (None, ()))
        if controls is self.controls and self._memory_says(chain, entry.entry_bytes):
            return False
        found = self.walk(LinearAddress(entry.linear))
        assert found is not None
        if isinstance(entry, StructureEntry):
            depth = len(entry.known.values)
            return found.values[depth - 1 : depth] != entry.known.values[-1:]
        if not found.complete or found.page_bytes != entry.whole_bytes:
            return True
        rights = Rights(entry.US, entry.RW, entry.XD, entry.key)
        if (found.physical, found.rights) != (entry.frame, rights):
            return True
        entry.agreed[found.controls.root] = found.controls, chain_of(found, len(found.values), None)
        return False

    # -- checkpoints ----------------------------------------------------------------------------------------------

    def state(self) -> MmuState:
        """A copy of all that decides what happens next."""
        return MmuState(self.controls, self.pcid, self.counters.copy(), self.tlb.state())

    def load_state(self, state: MmuState) -> None:
        """Go back to `state`."""
        self.controls, self.pcid = state.controls, state.pcid
        self.counters.load(state.counters)
        self.tlb.load_state(state.tlb, state.pcid)
        self.tlb.structures.set_controls(state.controls)


def _reads(found: Walk, why: str) -> Iterable[Told]:
    """What the walker read from memory, as events."""
    for step in found.steps[found.first_read :]:
        yield EntryRead, _entry_fields(step, step.entry.raw, step.entry.raw, why)


def _write(update: EntryUpdate) -> Iterable[Told]:
    """What the walker wrote, as an event."""
    return ((EntryWritten, _entry_fields(update.step, update.before, update.after, update.why)),)


def _entry_fields(step: WalkStep, before: int, after: int, why: str) -> dict[str, Any]:
    return {
        "level": step.level.name,
        "table": step.table,
        "index": step.index,
        "address": step.address,
        "before": before,
        "after": after,
        "why": why,
    }
