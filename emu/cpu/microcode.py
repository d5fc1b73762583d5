# SPDX-License-Identifier: GPL-2.0-or-later
"""What a CPU does and Unicorn does not: events through the guest's IDT, SYSCALL, faults within faults.

SDM vol. 3A, "Interrupt and Exception Handling", chapter 6. All accesses here are implicit supervisor accesses and go
through the MMU like any other.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from emu.bits import OFFSET_MASK, PAGE_BYTES, PAGE_SHIFT, LinearAddress, PhysicalAddress
from emu.cpu import engine as eng
from emu.cpu import system
from emu.cpu.delivery import CODE64_FLAGS, FLAT_CODE64, FLAT_DATA, Delivery
from emu.cpu.engine_state import CS, HF_CS64, SS
from emu.cpu.faults import FaultsForEver, GuestFault, ShutDown
from emu.cpu.registers import EFER_SCE, FLAG_AC, FLAG_RF
from emu.events import Faulted, Interrupted, Returned, SyscallEntered
from emu.mmu import Refused
from emu.tlb.counters import READ, WRITE
from emu.tlb.record import PageRecord

if TYPE_CHECKING:
    from emu.cpu.core import Cpu

VECTOR_NAMES: Final = {
    0: "#DE divide error",
    1: "#DB debug",
    2: "NMI",
    3: "#BP breakpoint",
    4: "#OF overflow",
    5: "#BR bound range",
    6: "#UD invalid opcode",
    7: "#NM no coprocessor",
    8: "#DF double fault",
    10: "#TS invalid TSS",
    11: "#NP segment not present",
    12: "#SS stack fault",
    13: "#GP general protection",
    14: "#PF page fault",
    16: "#MF x87 error",
    17: "#AC alignment check",
    19: "#XM SIMD error",
}
_WITH_ERROR_CODE: Final = frozenset((8, 10, 11, 12, 13, 14, 17))
_CONTRIBUTORY: Final = frozenset((0, 10, 11, 12, 13))
PAGE_FAULT: Final = 14
DOUBLE_FAULT: Final = 8
_MAX_PENDING: Final = 8
_MOST_FAULTS: Final = 1000


InFlight = dict[int, tuple[int, str, list[int]]]
"""System calls under way: number, name and arguments by the root of the caller's address space."""
MicrocodeState = tuple[InFlight, tuple[int, int]]


class Microcode:
    """The microcode of one CPU."""

    def __init__(self, cpu: "Cpu") -> None:
        self.cpu = cpu
        self._delivery = Delivery(cpu, self)
        self.syscall_name: Callable[[int], str] = lambda number: str(number)
        self.in_flight: InFlight = {}
        """System calls that have not returned, by the root of the address space that made them."""
        self._faults_at = -1, 0
        """Instructions executed, and faults delivered since the last of them."""

    # -- implicit accesses --------------------------------------------------------------------------------------

    def _record(self, linear: int, kind: int, implicit: bool) -> PageRecord:
        cpu = self.cpu
        ac = not implicit and bool(cpu.engine.read(eng.RFLAGS) & FLAG_AC)
        user = not implicit and cpu.journal.cpl == 3
        found = cpu.mmu.translate(linear >> PAGE_SHIFT, kind, user, implicit, ac)
        if isinstance(found, Refused):
            raise GuestFault(found.vector, found.error, found, linear)
        return found

    def _pieces(
        self, linear: int, size: int, kind: int, implicit: bool = True
    ) -> list[tuple[PageRecord, int, int]]:
        """(record, offset, size) of the one or two pages of an access, translated before any of it is made."""
        offset = linear & OFFSET_MASK
        first = min(size, PAGE_BYTES - offset)
        pieces = [(self._record(linear, kind, implicit), offset, first)]
        if first < size:
            following = self.cpu.page_after(linear >> PAGE_SHIFT) << PAGE_SHIFT
            pieces.append((self._record(following, kind, implicit), 0, size - first))
        return pieces

    def read(self, linear: int, size: int, implicit: bool = True) -> bytes:
        """Read `size` bytes (at most a page) at `linear`. GuestFault if refused.

        As an implicit supervisor access, unless it is one that the instruction at RIP names itself.
        """
        data = b""
        for record, offset, length in self._pieces(linear, size, READ, implicit):
            self.cpu.mmu.touch(record, offset, length, READ, implicit=implicit)
            data += self.cpu.memory.read(PhysicalAddress(record.frame << PAGE_SHIFT | offset), length)
        return data

    def write(self, linear: int, data: bytes) -> None:
        """Write `data` (at most a page) at `linear` as an implicit supervisor access. GuestFault if refused."""
        for record, offset, length in self._pieces(linear, len(data), WRITE):
            self._write_piece(record, offset, data[:length])
            data = data[length:]

    def _write_piece(self, record: PageRecord, offset: int, data: bytes) -> None:
        self.cpu.mmu.touch(record, offset, len(data), WRITE, implicit=True)
        self.cpu.memory.write(PhysicalAddress(record.frame << PAGE_SHIFT | offset), data)

    def push(self, stack: int, data: bytes, word: int) -> None:
        """Write `data` down to `stack` in words of `word` bytes. GuestFault names the first word that is refused.

        Pushes go downward: if both pages of a frame are missing, the upper one is refused.
        """
        here = PAGE_BYTES - (stack & OFFSET_MASK)
        above = len(data) - here
        if above > 0:
            following = self.cpu.page_after(stack >> PAGE_SHIFT) << PAGE_SHIFT
            self._record(following + max(0, above - word), WRITE, True)
        record = self._record(stack + min(here, len(data)) - word, WRITE, True)
        if above <= 0 and record.answers(WRITE):
            self._write_piece(record, stack & OFFSET_MASK, data)
        else:
            self.write(stack, data)

    def reads_descriptor(self, page: int) -> bool:
        """Whether the instruction at RIP may be reading GDT, LDT or TSS in `page` on the CPU's own behalf."""
        context = self.cpu.engine.context.save()
        ldt, ldt_limit, task, task_limit, gdt, gdt_limit = context.system_segments
        if not (
            gdt >> PAGE_SHIFT <= page <= gdt + gdt_limit >> PAGE_SHIFT
            or ldt >> PAGE_SHIFT <= page <= ldt + ldt_limit >> PAGE_SHIFT
            or task >> PAGE_SHIFT <= page <= task + task_limit >> PAGE_SHIFT
        ):
            return False
        code = self.cpu.code_bytes(self.cpu.journal.rip, 15)
        return system.loads_segment(code, bool(context.hflags & HF_CS64))

    def io_permitted(self, port: int, size: int) -> bool:
        """Whether the TSS's I/O permission bitmap allows the ports (SDM vol. 1, "I/O Permission Bit Map", 19.5.2)."""
        base, limit = self.cpu.engine.context.save().tr
        try:
            bitmap = int.from_bytes(self.read(base + 0x66, 2), "little")
            at = bitmap + port // 8
            if at + 1 > limit:
                return False
            bits = int.from_bytes(self.read(base + at, 2), "little") >> port % 8
        except GuestFault:
            return False
        return not bits & (1 << size) - 1

    # -- what stopped the engine --------------------------------------------------------------------------------

    def refused(self, refused: Refused, linear: LinearAddress) -> None:
        """An access of the instruction at RIP was refused: #PF, or #GP or #SS for a non-canonical address."""
        vector = refused.vector
        if vector == 13 and refused.type and system.uses_stack(self.cpu.code_bytes(self.cpu.journal.rip, 15)):
            vector = 12
        raise GuestFault(vector, refused.error, refused, linear)

    def stopped_by_vector(self, vector: int) -> None:
        """The engine raised an exception itself, or executed INT n, INT3 or INTO."""
        context = self.cpu.engine.context.save()
        software, error = context.exception_is_int, context.error_code
        context.settle_exception()
        context.restore()
        if software:
            self.deliver(vector, None, software=True)
        else:
            raise GuestFault(vector, error & 0xFFFF if vector in _WITH_ERROR_CODE else None)

    def exception(self, vector: int) -> None:
        """A fault of the instruction at RIP that nothing else reported."""
        context = self.cpu.engine.context.save()
        context.settle_exception()
        context.linear_rip = self.cpu.journal.rip
        context.restore()
        raise GuestFault(vector, 0 if vector in _WITH_ERROR_CODE else None)

    def intercepted(self, code: int) -> None:
        """The engine stopped before a system instruction."""
        context = self.cpu.engine.context.save()
        context.settle_exception()
        context.restore()
        system.execute(self.cpu, code)

    def undo(self, content: bytes) -> None:
        """Put the registers back to `content`, with RIP at the instruction that was refused."""
        context = self.cpu.engine.context
        context.set_content(content)
        context.linear_rip = self.cpu.journal.rip
        context.restore()

    # -- delivery -----------------------------------------------------------------------------------------------

    def raise_fault(self, fault: GuestFault) -> None:
        """Deliver a fault of the instruction at RIP, which then counts as not executed. ShutDown on a triple fault."""
        self._report(fault)
        self._deliver_nested(fault.vector, fault.error)
        self.cpu.journal.insn -= 1
        self._bound_faults(fault.vector)

    def _bound_faults(self, vector: int) -> None:
        """Give up when a handler's first instruction faults, whose handler's first instruction faults, and so on."""
        insn, count = self._faults_at
        count = count + 1 if insn == self.cpu.journal.insn else 1
        self._faults_at = self.cpu.journal.insn, count
        if count > _MOST_FAULTS:
            name = VECTOR_NAMES.get(vector, f"vector {vector}")
            raise FaultsForEver(
                f"faults for ever: {_MOST_FAULTS} in a row and no instruction, the last {name}"
            )

    def _report(self, fault: GuestFault) -> None:
        cpu = self.cpu
        if fault.refused is not None and fault.vector == PAGE_FAULT:
            cpu.mmu.fault(fault.refused, LinearAddress(fault.linear))
            cpu.engine.write(eng.CR2, fault.linear)
            return
        if fault.refused is not None:
            cpu.mmu.counters.accesses[fault.refused.type] += 1
        cpu.journal.report(
            Faulted,
            vector=fault.vector,
            error=fault.error,
            error_bits="",
            cr2=None,
            reason=fault.refused.reason.name
            if fault.refused
            else VECTOR_NAMES.get(fault.vector, f"vector {fault.vector}"),
            entry=None,
            entry_value=None,
            level=None,
        )

    def _deliver_nested(self, vector: int, error: int | None) -> None:
        """Deliver; a fault on the way is delivered instead, or becomes #DF, or shuts down (SDM table 6-5)."""
        for _ in range(_MAX_PENDING):
            try:
                self._delivery.enter(vector, error, False)
                return
            except GuestFault as second:
                self._report(second)
                if vector == DOUBLE_FAULT:
                    break
                benign = vector not in _CONTRIBUTORY and vector != PAGE_FAULT
                if benign or (vector in _CONTRIBUTORY and second.vector == PAGE_FAULT):
                    vector, error = second.vector, second.error
                else:
                    vector, error = DOUBLE_FAULT, 0
        name = VECTOR_NAMES.get(vector, f"vector {vector}")
        raise ShutDown(f"triple fault: {name} could not be delivered, nor could what that caused")

    def deliver(self, vector: int, error: int | None, software: bool = False) -> None:
        """Deliver an interrupt (external, or INT n with `software`). GuestFault from INT n goes to the caller."""
        cpu = self.cpu
        if not software:
            cpu.journal.rip = cpu.engine.context.save().linear_rip
        cpu.journal.report(Interrupted, vector=vector, source="INT n" if software else "external")
        if not software:
            self._deliver_nested(vector, None)
            return
        try:
            self._delivery.enter(vector, error, True)
        except GuestFault:
            context = cpu.engine.context.save()
            context.linear_rip = cpu.journal.rip
            context.restore()
            raise

    # -- system calls -------------------------------------------------------------------------------------------

    def syscall(self) -> None:
        """SYSCALL (SDM vol. 2B). SYSENTER is not offered: #UD, as is SYSCALL outside 64-bit mode or without SCE."""
        cpu = self.cpu
        context = cpu.engine.context.save()
        opcode = cpu.code_bytes(cpu.journal.rip, 2)
        if opcode == b"\x0f\x34" or not context.efer & EFER_SCE or not context.hflags & HF_CS64:
            self.exception(6)
        msrs = cpu.call_msrs
        star, target = msrs.get(system.STAR, 0), msrs.get(system.LSTAR, 0)
        flags = cpu.engine.read(eng.RFLAGS)
        number = context.gpr(0)
        arguments = [context.gpr(register) for register in (7, 6, 2, 10, 8, 9)]
        name = self.syscall_name(number)
        cpu.journal.report(SyscallEntered, number=number, name=name, arguments=arguments, result=None)
        self.in_flight[context.cr(3)] = number, name, arguments
        context.set_gpr(1, context.rip)
        context.set_gpr(11, flags & ~FLAG_RF)
        selector = star >> 32 & 0xFFFC
        context.set_segment(CS, selector, 0, 0xFFFFFFFF, FLAT_CODE64)
        context.set_segment(SS, selector + 8, 0, 0xFFFFFFFF, FLAT_DATA)
        self._delivery.go(target, 0, flags & ~msrs.get(system.FMASK, 0), False, CODE64_FLAGS)
        cpu.mmu.counters.ring_changes += 1

    def note_return(self, instruction: str, rip: int, cpl: int) -> None:
        """Control has gone back to `rip`; after SYSRET, report what the system call gave."""
        cpu = self.cpu
        cpu.mmu.counters.ring_changes += 1
        cpu.journal.report(Returned, instruction=instruction, to_rip=rip, to_cpl=cpl)
        if instruction == "sysret":
            context = cpu.engine.context.save()
            call = self.in_flight.pop(context.cr(3), None)
            if call is not None:
                number, name, arguments = call
                cpu.journal.report(
                    SyscallEntered, number=number, name=name, arguments=arguments, result=context.gpr(0)
                )

    def state(self) -> MicrocodeState:
        """The system calls under way and the faults in a row, for a checkpoint."""
        return dict(self.in_flight), self._faults_at

    def load_state(self, state: MicrocodeState) -> None:
        """Go back to `state`."""
        in_flight, self._faults_at = state
        self.in_flight = dict(in_flight)
