# SPDX-License-Identifier: GPL-2.0-or-later
"""One CPU: the engine executes, the MMU decides every access, microcode does the rest.

Three hooks carry the whole load. The code hook runs before each instruction: it counts it and makes its fetch. The
fill hook runs when the engine lacks a translation: it asks the MMU. The memory hooks run at each data access: they
touch the page record that the address names. A fetch fill of the engine belongs to translating code, not to running
it, so it is answered by a peek that leaves no trace; if the fetch proper then finds another frame, or none, the
code hook stops the engine before the instruction.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from emu.bits import OFFSET_MASK, PAGE_BYTES, PAGE_SHIFT, LinearAddress, PhysicalAddress
from emu.cpu import engine as eng
from emu.cpu import looks
from emu.cpu.code_pages import CodePages
from emu.cpu.decode import opcode_reaches_beyond
from emu.cpu.engine_state import HF_CS64, HF_GUEST, HF_INHIBIT_IRQ
from emu.cpu.faults import GuestFault, Interrupted
from emu.cpu.homes import Homes
from emu.cpu.instruction import LONGEST
from emu.cpu.microcode import Microcode, MicrocodeState
from emu.cpu.model import FULL, CpuModel
from emu.cpu.ports import PortHooks, Ports
from emu.cpu.registers import FLAG_AC, FLAG_IF, FLAG_IOPL, ControlRegisters, paging_controls
from emu.cpu.repeats import Repeats
from emu.events import Journal
from emu.mem import PhysicalMemory
from emu.mmu import Mmu, Refused
from emu.tlb.counters import FETCH, READ, WRITE
from emu.tlb.entry import Slot, TlbEntry
from emu.tlb.record import PageRecord

_NO_PAGE: Final = -1
_PAGES: Final = 1 << 52
_PAGES_32: Final = 1 << 20
"""How many 4-KByte pages there are in linear address space, in 64-bit code and elsewhere."""
_STI: Final = b"\xfb"
_INTERCEPTED: Final = (0x6E, 0x6F, 0x72, 0x74, 0x76, 0x78, 0x79, 0x7C)
_CR_WRITES: Final = 1 << 0 | 1 << 3 | 1 << 4


class CpuState(NamedTuple):
    """What `Cpu.state` saves."""

    registers: bytes
    halted: bool
    tsc_offset: int
    call_msrs: dict[int, int]
    pdptes: tuple[int, ...]
    pkru: int
    microcode: MicrocodeState


class EngineError(RuntimeError):
    """The engine stopped in a way that no guest should be able to cause."""


class Cpu:
    """Registers, TLBs and engine of one CPU. `run` executes; everything else asks or acts between instructions."""

    def __init__(
        self,
        memory: PhysicalMemory,
        mmu: Mmu,
        journal: Journal,
        ports: Ports,
        model: CpuModel = FULL,
    ) -> None:
        self.model = model
        self.canonical_bits = max(48, model.linear_bits)
        """What the CPU holds for canonical where the paging mode does not matter: bases in MSRs, invalidation."""
        self.memory = memory
        self.mmu = mmu
        self.journal = journal
        self.engine = eng.Engine(memory)
        self.microcode = Microcode(self)
        self.halted = False
        self.tsc_offset = 0
        """RDTSC reads the board's clock plus this."""
        self.call_msrs: dict[int, int] = {}
        """What WRMSR last wrote, by MSR: SYSCALL's own registers are read from here."""
        self.pdptes: tuple[int, ...] = (0, 0, 0, 0)
        """The PDPTE registers of PAE paging."""
        self.pkru = 0
        """What WRPKRU wrote last: two bits for each protection key."""
        self.interrupt_waiting = False
        """An interrupt is pending that IF = 0 holds back: the run ends as soon as it can be taken."""
        self.watched: set[int] = set()
        """Linear addresses at which `on_break` and `on_watch` are called before the instruction there."""
        self.on_break: Callable[[int], bool] = lambda rip: False
        """Called with RIP before anything of the instruction has happened; True ends the run there."""
        self.on_watch: Callable[[int], None] = lambda rip: None
        """Called with RIP when the instruction has been fetched."""
        self._turned = True
        """CPL or IF may have changed since the last look."""
        self._page = _NO_PAGE
        self._rip_before = 0
        """RIP of the last instruction that was begun before the one whose code hook runs."""
        self._slot: Slot | None = None
        self._entry: TlbEntry | None = None
        self._homes = Homes(memory.frames)
        self._code = CodePages(memory, self.engine, self.watched)
        self._repeats = Repeats(self)
        self._end = 0
        """After how many instructions the present run is over."""
        self._resuming = False
        self._uncounted_until: int | None = None
        """While an instruction is made again: accesses were counted before, up to the store into this page."""
        self._shadow = False
        self._pending: tuple[str, Any] | None = None
        self._ahead: Refused | None = None
        self._stopping = False
        self._error: BaseException | None = None
        mmu.tlb.on_grant_lost = self._homes.lose
        memory.listeners.append(self._note_python_write)
        io = PortHooks(ports, self._port_allowed, self._homes.io_address, self._fail)
        self.engine.hook(
            self._on_fill,
            self._make_code_hook(),
            self._make_data_hook(READ),
            self._make_data_hook(WRITE),
            self._on_interrupt,
            self._on_syscall,
            io.on_in,
            io.on_out,
        )
        self.engine.map_io(io.on_io_read, io.on_io_write)

    # -- the hot path -------------------------------------------------------------------------------------------

    def _make_code_hook(self) -> Callable[[int, int, int], None]:
        journal = self.journal
        accesses = self.mmu.counters.accesses
        watched = self.watched

        def on_code(_: int, rip: int, size: int) -> None:
            journal.insn += 1
            slot = self._slot
            if (
                rip >> 12 == self._page
                and (rip & 0xFFF) + size <= 0x1000
                and rip not in watched
                and slot is not None
                and slot.entry is self._entry
            ):
                if rip == journal.rip:
                    self._follow(rip, slot)
                journal.rip = rip
                accesses[FETCH] += 1
                journal.seq += 1
                array = slot.array
                array.clock = slot.stamp = array.clock + 1
                return
            self._rip_before = journal.rip
            journal.rip = rip
            try:
                self._fetch_slow(rip, size)
            except BaseException as error:  # nothing may leave a hook: kept, raised after the run
                self._fail(error)

        return on_code

    def _make_data_hook(self, kind: int) -> Callable[[int, int, int, int], None]:
        journal = self.journal
        accesses = self.mmu.counters.accesses
        homes = self._homes.records

        def on_data(_: int, __: int, address: int, size: int) -> None:
            record = homes.get(address >> 12)
            if record is not None:
                slot = record.fast[kind]
                if slot is not None and (address & 0xFFF) + size <= 0x1000:
                    accesses[kind] += 1
                    journal.seq += 1
                    array = slot.array
                    array.clock = slot.stamp = array.clock + 1
                    return
            try:
                self._touch_slow(record, address & OFFSET_MASK, size, kind)
            except BaseException as error:
                self._fail(error)

        return on_data

    # -- string instructions --------------------------------------------------------------------------------------

    def _follow(self, rip: int, slot: Slot) -> None:
        """The instruction at `rip` follows itself: an iteration, or a jump to where it stands."""
        if self._entry is None:  # paging is off
            return
        try:
            self._repeats.follow(rip, slot, self._entry, self._end - self.journal.insn)
        except BaseException as error:
            self._fail(error)

    def reaches_plainly(self, record: PageRecord, kind: int) -> bool:
        """Whether the engine reaches RAM, and no code, through `record` without asking."""
        return (
            record.granted >> kind & 1 == 1
            and self._homes.records.get(record.home) is record
            and record.frame < self.memory.frames
            and not (self.mmu.tlb.stale_grants or self._code.made_of(record.frame))
        )

    # -- fetches ------------------------------------------------------------------------------------------------

    def _fetch_slow(self, rip: int, size: int) -> None:
        self._page = _NO_PAGE
        if self._resuming:
            self._resuming = False
            return
        if self._stopping:
            self._stop_before("attention")
            return
        if self._code.stale:
            self._stop_before("retranslate")
            return
        if rip in self.watched and self.on_break(rip):
            self._stop_before("attention")
            return
        if self.mmu.tlb.stale_grants:
            self._flush_grants()
        if self._turned:
            shadow, self._shadow = self._shadow, False
            self._turned = shadow
            self._note_ring(rip)
            if self.interrupt_waiting and not shadow and self.engine.read(eng.RFLAGS) & FLAG_IF:
                self._stop_before("attention")
                return
        marked = self._code.needs_look(rip)
        instead = looks.instead_of(self, rip) if marked else None
        offset = rip & OFFSET_MASK
        length = (
            instead.operand.end if instead is not None else size if size <= LONGEST else self._cut_off(rip)
        )
        if not length:
            self._stop_before("retranslate")
            return
        record = self._fetch_page(rip >> PAGE_SHIFT, rip)
        if record is None:
            return
        following = None
        if offset + length > PAGE_BYTES:
            page = self.page_after(rip >> PAGE_SHIFT)
            following = self._fetch_page(page, page << PAGE_SHIFT)
            if following is None:
                return
        if self.mmu.tlb.stale_grants:  # the fetch took a place that the engine was granted
            self._flush_grants()
        if rip in self.watched:
            self.on_watch(rip)
        if marked and not self._look_at(rip, record.frame, instead):
            return
        if following is not None:
            self.mmu.touch(record, offset, PAGE_BYTES - offset, FETCH)
            self.mmu.touch(following, 0, offset + length - PAGE_BYTES, FETCH)
            return
        self.mmu.touch(record, offset, length, FETCH)
        if not (self._turned or self._stopping) and record.fast[FETCH] is not None:
            self._page = rip >> PAGE_SHIFT
            self._slot = record.l1[FETCH]
            self._entry = self._slot.entry if self._slot is not None else None

    def _cut_off(self, rip: int) -> int:
        """The length to fetch at `rip`, where the engine found no instruction, or 0 if it has to look again.

        Its bytes may only look like none because the page behind them was not there. If it still is not, it is
        fetched, and refuses.
        """
        code = self.code_bytes(rip, LONGEST)
        if len(code) < LONGEST:
            return len(code) + 1 if opcode_reaches_beyond(code, self.in_64_bit_code()) else 1
        page = self.page_after(rip >> PAGE_SHIFT)
        frame = self.mmu.peek(page)
        is_old = (
            rip & OFFSET_MASK > PAGE_BYTES - LONGEST
            and frame is not None
            and not self._code.agree(page, frame)
        )
        return 0 if is_old else 1

    def _look_at(self, rip: int, frame: int, instead: looks.Instead | None) -> bool:
        """Stop the engine before an instruction that it is not to execute. False if the instruction is refused."""
        if self._code.is_plain(rip, frame, self.code_bytes(rip, LONGEST)):
            return True
        vector = looks.refused_at(self, rip)
        if vector is not None:
            self._pending = ("raise", vector)
            self.engine.stop()
            return False
        self._turned = True
        self._shadow = self.code_bytes(rip, 1)[:1] == _STI
        if instead is not None:
            self._pending = ("instead", instead)
            self.engine.stop()
        return True

    def _fetch_page(self, page: int, linear: int) -> PageRecord | None:
        """The record for a fetch, or None after arranging to stop: refused, or the engine translated other bytes."""
        found = self.mmu.translate(page, FETCH, self.journal.cpl == 3)
        if isinstance(found, Refused):
            self._pending = ("refused", (found, linear))
            self.engine.stop()
            return None
        if not self._code.agree(page, found.frame):
            self._stop_before("retranslate")
            return None
        return found

    def _note_ring(self, rip: int) -> None:
        cpl = self.engine.read(eng.CS_SELECTOR) & 3
        if cpl != self.journal.cpl:
            if cpl == 3:
                self.microcode.note_return("sysret", rip, cpl)
            self.journal.cpl = cpl

    def _stop_before(self, why: str) -> None:
        """End the run before the instruction whose code hook is running; it was not begun after all."""
        self.journal.insn -= 1
        self.journal.rip = self._rip_before
        self._pending = (why, None)
        self.engine.stop()

    # -- fills --------------------------------------------------------------------------------------------------

    def _on_fill(self, _: Any, linear: int, fill: int, answer: Any, __: Any) -> bool:
        try:
            if fill == eng.FILL_FETCH:
                page = self._wrapped(linear >> PAGE_SHIFT)
                self._code.fill(page, self.mmu.peek(page), answer)
                return True
            return self._fill_data(linear, WRITE if fill == eng.FILL_WRITE else READ, answer)
        except BaseException as error:
            self._fail(error)
            return False

    def _fill_data(self, linear: int, kind: int, answer: Any) -> bool:
        page = self._wrapped(linear >> PAGE_SHIFT)
        found = self._translate_data(page, kind)
        if isinstance(found, Refused):
            self._pending = ("refused", (found, None))
            return False
        if kind == WRITE and self._code.holds(found.frame, self.journal.rip >> PAGE_SHIFT):
            self._pending = ("own code", found.page)
            return False
        if self.mmu.tlb.stale_grants:
            self._flush_grants()
        if found.home < 0 and self._homes.give(found):
            self._flush_grants()
        if not (found.answers(READ) and found.answers(kind)):
            self.mmu.tlb.stale_grants = True
            self._page = _NO_PAGE
        found.granted |= 1 << kind | 1 << READ
        answer[0] = found.home << PAGE_SHIFT
        answer[1] = eng.READ_WRITE if kind == WRITE else eng.READ_ONLY
        if kind == WRITE:
            self._code.note_store_granted(found.frame)
            if self._code.stale:
                self._page = _NO_PAGE
        return True

    def _translate_data(self, page: int, kind: int) -> PageRecord | Refused:
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead.page == page and ahead.type == kind:
            return ahead
        mmu, cpl = self.mmu, self.journal.cpl
        controls = mmu.controls
        smap = controls is not None and controls.SMAP and cpl < 3
        ac = bool(smap and self.engine.read(eng.RFLAGS) & FLAG_AC)
        if (cpl == 3 or smap) and self.microcode.reads_descriptor(page):
            return mmu.translate(page, kind, False, True, False)
        return mmu.translate(page, kind, cpl == 3, False, ac)

    def page_after(self, page: int) -> int:
        """The page that follows linear `page`: outside 64-bit code linear addresses end at 4 GiB, and go on at 0."""
        return self._wrapped(page + 1) & _PAGES - 1

    def _wrapped(self, page: int) -> int:
        """The engine lets an access that crosses 4 GiB in 32-bit code go on above it."""
        return 0 if page == _PAGES_32 and not self.in_64_bit_code() else page

    def _flush_grants(self) -> None:
        self.mmu.tlb.stale_grants = False
        self.engine.flush_translations()
        self._page = _NO_PAGE

    def _touch_slow(self, record: PageRecord | None, offset: int, size: int, kind: int) -> None:
        if record is None:
            raise EngineError(f"the engine reached a page that nobody granted, at RIP {self.journal.rip:#x}")
        if self._uncounted_until is not None:
            last = record.page + (offset + size > PAGE_BYTES)
            if kind != WRITE or not record.page <= self._uncounted_until <= last:
                return
            self._uncounted_until = None
        if kind == WRITE:
            self.memory.written.add(record.frame)
        mmu = self.mmu
        if offset + size <= PAGE_BYTES:
            mmu.touch(record, offset, size, kind)
        else:
            first = PAGE_BYTES - offset
            mmu.touch(record, offset, first, kind)
            following = self._translate_data(self.page_after(record.page), kind)
            if isinstance(following, Refused):
                self._ahead = following
            else:
                if kind == WRITE:
                    self.memory.written.add(following.frame)
                mmu.touch(following, 0, size - first, kind)
        if mmu.tlb.stale_grants or (kind == WRITE and record.frame in mmu.tlb.table_frames):
            self._page = _NO_PAGE

    # -- memory as others see it --------------------------------------------------------------------------------

    def code_bytes(self, linear: int, count: int) -> bytes:
        """Up to `count` bytes at `linear` as a fetch finds them; fewer where nothing is mapped. Leaves no trace."""
        result = b""
        while len(result) < count:
            at = linear + len(result)
            frame = self.mmu.peek(self._wrapped(at >> PAGE_SHIFT) & _PAGES - 1)
            if frame is None:
                break
            here = min(count - len(result), PAGE_BYTES - (at & OFFSET_MASK))
            result += self.memory.read(PhysicalAddress(frame << PAGE_SHIFT | at & OFFSET_MASK), here)
        return result

    def _note_python_write(self, address: PhysicalAddress, size: int) -> None:
        self._code.note_write(address, size)
        self._page = _NO_PAGE  # the page that is being executed may be stale from now on

    # -- the other hooks ----------------------------------------------------------------------------------------

    def _fail(self, error: BaseException) -> None:
        if self._error is None:
            self._error = error
        self.engine.stop()

    def _on_interrupt(self, _: Any, number: int, __: Any) -> None:
        self._pending = ("intercept", number - 0x100) if number >= 0x100 else ("exception", number)
        self.engine.stop()

    def _on_syscall(self, _: Any, __: Any) -> None:
        self._pending = ("syscall", None)
        self.engine.stop()

    def may_reach_port(self, port: int, size: int) -> bool:
        """Whether IOPL or the TSS lets the code that runs use the port."""
        iopl = (self.engine.read(eng.RFLAGS) & FLAG_IOPL) >> 12
        return self.journal.cpl <= iopl or self.microcode.io_permitted(port, size)

    def _port_allowed(self, port: int, size: int) -> bool:
        if self.may_reach_port(port, size):
            return True
        self._pending = ("port refused", self.engine.context.save().content())
        self.engine.stop()
        return False

    # -- running ------------------------------------------------------------------------------------------------

    def interrupt_run(self) -> None:
        """End the current run before the next instruction (from a device, in a hook).

        The engine is not stopped here: in a hook that would break off an instruction that is already counted.
        """
        self._stopping = True
        self._page = _NO_PAGE

    def run(self, count: int) -> None:
        """Execute up to `count` instructions; fewer if something wants the machine's attention or the CPU halts.

        ShutDown after a triple fault; EngineError if the engine itself broke.
        """
        journal = self.journal
        self._end = end = journal.insn + count
        self._stopping = False
        self._turned = True
        self._shadow = self.interrupt_waiting and self.in_shadow()
        self._page = _NO_PAGE
        while journal.insn < end and not (self._stopping or self.halted):
            self._settle()
            self._pending = None
            self._ahead = None
            status = self.engine.run(self.engine.read(eng.RIP), end - journal.insn)
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            pending = self._pending
            if pending is None and status == eng.OK:
                continue
            if pending is not None and pending[0] == "attention":
                break
            self._handle(status, pending)

    def _settle(self) -> None:
        """Between instructions: drop what the engine must not go on with."""
        if self._code.stale:
            self._code.drop_blocks()
            self._flush_grants()
        elif self.mmu.tlb.stale_grants:
            self._flush_grants()

    def _handle(self, status: int, pending: tuple[str, Any] | None) -> None:
        microcode = self.microcode
        self._page = _NO_PAGE
        self._turned = True
        try:
            if pending is None:
                if status != eng.BAD_INSTRUCTION:
                    raise EngineError(f"engine error {status} at RIP {self.journal.rip:#x}")
                microcode.exception(6)
            elif pending[0] == "retranslate":
                self.engine.flush_translations()
            elif pending[0] == "refused":
                refused, linear = pending[1]
                if linear is None:
                    linear = refused.page << PAGE_SHIFT | self.engine.counters.refused_address & OFFSET_MASK
                microcode.refused(refused, LinearAddress(linear))
            elif pending[0] == "own code":
                self._step_on_copy(pending[1])
            elif pending[0] == "exception":
                microcode.stopped_by_vector(pending[1])
            elif pending[0] == "intercept":
                microcode.intercepted(pending[1])
            elif pending[0] == "instead":
                pending[1].execute(self, pending[1].operand)
            elif pending[0] == "syscall":
                microcode.syscall()
            elif pending[0] == "port refused":
                microcode.undo(pending[1])
                raise GuestFault(13, 0)
            else:
                microcode.exception(pending[1])
        except GuestFault as fault:
            microcode.raise_fault(fault)

    def _step_on_copy(self, page: int) -> None:
        """Make the instruction at RIP again, which stores into its own code at linear `page`, from a copy of it."""
        self._code.stale = True
        self._settle()
        self._code.copying = True
        self._uncounted_until = page
        self.mmu.tlb.slow_down()
        status, pending = self._run_one_again()
        self._code.copying = False
        self._uncounted_until = None
        self._code.stale = True
        if pending is not None or status != eng.OK:
            self._handle(status, pending)

    def _run_one_again(self) -> tuple[int, tuple[str, Any] | None]:
        """Run the instruction at RIP, whose fetch has been made and counted: the engine's status, what is pending."""
        self._pending = None
        self._resuming = True
        self.journal.insn -= 1
        status = self.engine.run(self.engine.read(eng.RIP), 1)
        self._resuming = False
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        pending, self._pending = self._pending, None
        return status, pending

    def step_natively(self) -> None:
        """Let the engine execute the intercepted instruction at RIP after all. GuestFault if it faults."""
        context = self.engine.context.save()
        context.hflags &= ~HF_GUEST
        context.settle_exception()
        context.restore()
        self._settle()
        status, pending = self._run_one_again()
        context.save()
        context.hflags |= HF_GUEST
        context.restore()
        if pending is not None or status != eng.OK:
            self._handle(status, pending)
            raise Interrupted

    def arm(self) -> None:
        """Set the intercepts in a fresh engine."""
        context = self.engine.context.save()
        context.hflags |= HF_GUEST
        context.set_intercepts(_INTERCEPTED, 0, _CR_WRITES, eng.CONTROL_BLOCK)
        context.restore()

    def unwatch(self, addresses: set[int]) -> None:
        """Watch `addresses` no more, but for those where the CPU itself needs a look."""
        self.watched -= addresses - self._code.marked

    def ring(self) -> int:
        """The privilege level of the next instruction."""
        return self.engine.read(eng.CS_SELECTOR) & 3

    def in_64_bit_code(self) -> bool:
        """Whether the code segment is a 64-bit one."""
        return bool(self.engine.context.save().hflags & HF_CS64)

    def in_shadow(self) -> bool:
        """Whether interrupts wait one instruction more (after STI, MOV SS)."""
        return bool(self.engine.context.save().hflags & HF_INHIBIT_IRQ)

    def can_interrupt(self) -> bool:
        """Whether an external interrupt would be taken now."""
        return bool(self.engine.read(eng.RFLAGS) & FLAG_IF) and not self.in_shadow()

    def sync_controls(self) -> None:
        """Tell the MMU what the control registers say now."""
        context = self.engine.context.save()
        now = ControlRegisters(context.cr(0), context.cr(3), context.cr(4), context.efer)
        self.mmu.set_controls(paging_controls(now, self.model, self.pdptes, self.pkru), now.pcid)

    def state(self) -> CpuState:
        """Registers and what else decides the CPU's future, for a checkpoint."""
        content = self.engine.context.save().content()
        msrs, microcode = dict(self.call_msrs), self.microcode.state()
        return CpuState(content, self.halted, self.tsc_offset, msrs, self.pdptes, self.pkru, microcode)

    def load_state(self, state: CpuState) -> None:
        """Go back to `state`. Memory and MMU are restored by their owners, before."""
        content, self.halted, self.tsc_offset, msrs, self.pdptes, self.pkru, microcode = state
        self.call_msrs = dict(msrs)
        self.microcode.load_state(microcode)
        context = self.engine.context
        context.set_content(content)
        context.restore()
        self._code.forget()
        self._homes.clear()
        self._settle()
