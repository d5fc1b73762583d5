# SPDX-License-Identifier: GPL-2.0-or-later
"""Through the guest's IDT: the gate and its checks, the stack, the frame that is pushed, the handler's registers.

SDM vol. 3A, "Exception and Interrupt Handling in 64-bit Mode", 6.14; "Exception- or Interrupt-Handler Procedures",
6.12.1. Every access here is an implicit supervisor access and may be refused like any other.
"""

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from emu.bits import MASK64, is_canonical
from emu.cpu import engine as eng
from emu.cpu.engine_state import CS, HF_ADDSEG, HF_CPL, HF_CS32, HF_CS64, HF_INHIBIT_IRQ, HF_LMA, HF_SS32, SS
from emu.cpu.faults import GuestFault, ShutDown
from emu.cpu.instruction import control_registers
from emu.cpu.registers import CR0_PE, FLAG_IF, FLAG_NT, FLAG_RF, FLAG_TF, FLAG_VM

if TYPE_CHECKING:
    from emu.cpu.core import Cpu
    from emu.cpu.microcode import Microcode

FLAT_CODE64: Final = 0x00A09B00
FLAT_DATA: Final = 0x00C09300
CODE64_FLAGS: Final = HF_CS64 | HF_CS32 | HF_SS32
_TRAPS: Final = frozenset((1, 3, 4))
_GATES: Final = (0x0E, 0x0F)
_CODE_OR_DATA, _CODE, _CONFORMING, _PRESENT, _LONG = 1 << 44, 1 << 43, 1 << 42, 1 << 47, 1 << 53
_FLAT_LIMIT: Final = 0xFFFFFFFF
_DESCRIPTOR_FLAGS: Final = 0xF0FF00


def _base(descriptor: int) -> int:
    return descriptor >> 16 & 0xFFFFFF | descriptor >> 56 << 24


class Gate(NamedTuple):
    """An interrupt or trap gate that may be gone through, to a code segment at privilege level `cpl`."""

    selector: int
    target: int
    ist: int
    masks_interrupts: bool
    cpl: int


class Delivery:
    """Delivers one event at a time. GuestFault if something on the way is refused."""

    def __init__(self, cpu: "Cpu", microcode: "Microcode") -> None:
        self._cpu = cpu
        self._microcode = microcode

    def enter(self, vector: int, error: int | None, software: bool) -> None:
        """Go through gate `vector`, pushing `error` if the vector has one; `software`: INT n, whose DPL counts."""
        context = self._cpu.engine.context.save()
        external = 0 if software else 1
        if context.hflags & HF_LMA:
            self._enter_long(vector, error, external)
        elif context.cr(0) & CR0_PE:
            self._enter_legacy(vector, error, external)
        else:
            raise ShutDown("an event in real mode, which this machine does not model")
        self._cpu.halted = False
        self._cpu.mmu.counters.ring_changes += 1

    def _gate(self, vector: int, external: int, long_mode: bool) -> Gate:
        """Read and check gate `vector`. Task gates are refused with #GP, by choice."""
        context = self._cpu.engine.context
        base, limit = context.idt
        gate_bytes = 16 if long_mode else 8
        selector_error = vector * 8 + 2 + external
        if vector * gate_bytes + gate_bytes - 1 > limit:
            raise GuestFault(13, selector_error)
        raw = self._microcode.read(base + vector * gate_bytes, gate_bytes).ljust(16, b"\0")
        low, selector, ist, kind, middle, high, _ = struct.unpack("<HHBBHII", raw)
        if kind & 0x1F not in _GATES:
            raise GuestFault(13, selector_error)
        cpl = context.hflags & HF_CPL
        if not external and kind >> 5 & 3 < cpl:
            raise GuestFault(13, selector_error)
        if not kind & 0x80:
            raise GuestFault(11, selector_error)
        new_cpl = self._code_segment(selector, cpl, external, long_mode)
        return Gate(selector, low | middle << 16 | high << 32, ist & 7, not kind & 1, new_cpl)

    def _enter_long(self, vector: int, error: int | None, external: int) -> None:
        context = self._cpu.engine.context
        gate = self._gate(vector, external, long_mode=True)
        cpl = context.hflags & HF_CPL
        stack = self._long_stack(gate.ist, gate.cpl, cpl)
        flags = self._cpu.engine.read(eng.RFLAGS)
        is_fault = external and vector < 32 and vector not in _TRAPS
        saved_flags = flags | FLAG_RF if is_fault else flags
        frame = [context.rip, context.segment(CS)[0], saved_flags, context.gpr(4), context.segment(SS)[0]]
        if error is not None:
            frame.insert(0, error)
        stack = (stack & ~15) - 8 * len(frame) & MASK64
        if not is_canonical(stack, control_registers(self._cpu).linear_bits):
            raise GuestFault(12, external)
        self._microcode.push(stack, struct.pack(f"<{len(frame)}Q", *frame), 8)
        context.save()
        code = FLAT_CODE64 | gate.cpl << 13
        context.set_segment(CS, gate.selector & ~3 | gate.cpl, 0, _FLAT_LIMIT, code)
        if gate.cpl < cpl:
            context.set_segment(SS, gate.cpl, 0, 0, 0)
        context.set_gpr(4, stack)
        self.go(gate.target, gate.cpl, flags, gate.masks_interrupts, CODE64_FLAGS)

    def _long_stack(self, ist: int, new_cpl: int, cpl: int) -> int:
        """RSP to push from: of the IST, of the TSS for an inner ring, or the one in use."""
        context = self._cpu.engine.context
        base = context.tr[0]
        if ist:
            return int.from_bytes(self._microcode.read(base + 0x24 + 8 * (ist - 1), 8), "little")
        if new_cpl < cpl:
            return int.from_bytes(self._microcode.read(base + 4 + 8 * new_cpl, 8), "little")
        return context.gpr(4)

    def _enter_legacy(self, vector: int, error: int | None, external: int) -> None:
        context = self._cpu.engine.context
        gate = self._gate(vector, external, long_mode=False)
        cpl = context.hflags & HF_CPL
        flags = self._cpu.engine.read(eng.RFLAGS)
        frame = [context.rip & 0xFFFFFFFF, context.segment(CS)[0], flags & 0xFFFFFFFF]
        esp, old_ss = context.gpr(4) & 0xFFFFFFFF, context.segment(SS)[0]
        stack_base, inner_ss = context.segment(SS)[1], None
        if gate.cpl < cpl:
            frame += [esp, old_ss]
            esp, selector = struct.unpack("<II", self._microcode.read(context.tr[0] + 4 + 8 * gate.cpl, 8))
            inner_ss = selector & 0xFFFF, self._descriptor(selector & 0xFFFF, external)
            stack_base = _base(inner_ss[1])
        if error is not None:
            frame.insert(0, error)
        esp = esp - 4 * len(frame) & 0xFFFFFFFF
        self._microcode.push(stack_base + esp & 0xFFFFFFFF, struct.pack(f"<{len(frame)}I", *frame), 4)
        code = self._descriptor(gate.selector, external)
        context.save()
        self._load(CS, gate.selector & ~3 | gate.cpl, code)
        if inner_ss is not None:
            self._load(SS, *inner_ss)
        context.set_gpr(4, esp)
        bits = HF_CS32 | HF_SS32 | (HF_ADDSEG if stack_base else 0)
        self.go(gate.target, gate.cpl, flags, gate.masks_interrupts, bits)

    def _load(self, segment: int, selector: int, descriptor: int) -> None:
        """Load a segment register's cache; limits are not enforced."""
        flags = descriptor >> 32 & _DESCRIPTOR_FLAGS
        self._cpu.engine.context.set_segment(segment, selector, _base(descriptor), _FLAT_LIMIT, flags)

    def _descriptor(self, selector: int, external: int) -> int:
        """The descriptor that `selector` names. GuestFault #GP if it names none."""
        context = self._cpu.engine.context
        base, limit = context.ldt if selector & 4 else context.gdt
        if not selector & ~3:
            raise GuestFault(13, external)
        if (selector | 7) > limit:
            raise GuestFault(13, selector & ~3 | external)
        return int.from_bytes(self._microcode.read(base + (selector & ~7), 8), "little")

    def _code_segment(self, selector: int, cpl: int, external: int, want_long: bool) -> int:
        """Check a gate's code segment; the privilege level to run at. GuestFault #GP or #NP."""
        descriptor = self._descriptor(selector, external)
        dpl = descriptor >> 45 & 3
        error = selector & ~3 | external
        is_code = descriptor & _CODE_OR_DATA and descriptor & _CODE
        if not is_code or dpl > cpl or (want_long and not descriptor & _LONG):
            raise GuestFault(13, error)
        if not descriptor & _PRESENT:
            raise GuestFault(11, error)
        return cpl if descriptor & _CONFORMING else dpl

    def go(self, rip: int, cpl: int, flags: int, mask_interrupts: bool, code_bits: int) -> None:
        """Load RIP, the privilege level and RFLAGS of a handler, on top of what the context holds already."""
        engine = self._cpu.engine
        context = engine.context
        kept = context.hflags & ~(HF_CPL | HF_INHIBIT_IRQ | CODE64_FLAGS)
        context.hflags = kept | cpl | code_bits
        context.rip = rip
        context.settle_exception()
        context.restore()
        clear = FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM | (FLAG_IF if mask_interrupts else 0)
        engine.write(eng.RFLAGS, flags & ~clear)
        self._cpu.journal.cpl = cpl
