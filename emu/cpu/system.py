# SPDX-License-Identifier: GPL-2.0-or-later
"""System instructions that the engine stops before: control registers, MSRs, CPUID, RDTSC, INVLPG, HLT, IRET.

SDM vol. 2, the instructions by name. Each either lets the engine execute the instruction after checking it, or does
it here and moves RIP on.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from emu.bits import LinearAddress, is_canonical
from emu.cpu import registers as reg
from emu.cpu.decode import Operand, decode_operand
from emu.cpu.engine_state import HF_CPL, HF_CS64, HF_INHIBIT_IRQ
from emu.cpu.faults import GuestFault, Interrupted
from emu.paging.modes import PAE
from emu.paging.walk import load_pdptes

if TYPE_CHECKING:
    from emu.cpu.core import Cpu

EFER: Final = 0xC000_0080
STAR: Final = 0xC000_0081
LSTAR: Final = 0xC000_0082
CSTAR: Final = 0xC000_0083
FMASK: Final = 0xC000_0084
TSC: Final = 0x10
_ADDRESSES: Final = frozenset((LSTAR, CSTAR, 0xC000_0100, 0xC000_0101, 0xC000_0102, 0x175, 0x176))
_OFFERED_MSRS: Final = _ADDRESSES | {EFER, STAR, FMASK, TSC, 0x174, 0x277, 0x1A0}
"""Segment bases, system calls, PAT, MISC_ENABLE: any other MSR raises #GP."""

_VENDOR: Final = b"PagewalkMMU."
_BRAND: Final = b"Pagewalk teaching CPU".ljust(48, b"\0")
_FEATURES_EDX: Final = sum(1 << bit for bit in (0, 2, 3, 4, 5, 6, 8, 13, 15, 16, 23, 24, 25, 26))
"""FPU DE PSE TSC MSR PAE CX8 PGE CMOV PAT MMX FXSR SSE SSE2; no local APIC."""
_FEATURES_ECX: Final = 1 << 0 | 1 << 13
_LEAF7_EBX: Final = 1 << 7 | 1 << 20
_EXTENDED_EDX: Final = 1 << 11 | 1 << 20 | 1 << 26 | 1 << 29
_EXTENDED_ECX: Final = 1 << 0


def cpuid(leaf: int, subleaf: int) -> tuple[int, int, int, int]:
    """EAX, EBX, ECX, EDX: what this CPU offers, no more than the model does."""
    words = [int.from_bytes(_VENDOR[i : i + 4], "little") for i in (0, 4, 8)]
    if leaf == 0:
        return 7, words[0], words[2], words[1]
    if leaf == 1:
        return 0x0006_0FB1, 0x0000_0800, _FEATURES_ECX, _FEATURES_EDX
    if leaf == 7 and subleaf == 0:
        return 0, _LEAF7_EBX, 0, 0
    if leaf == 0x8000_0000:
        return 0x8000_0008, words[0], words[2], words[1]
    if leaf == 0x8000_0001:
        return 0x0006_0FB1, 0, _EXTENDED_ECX, _EXTENDED_EDX
    if 0x8000_0002 <= leaf <= 0x8000_0004:
        part = _BRAND[(leaf - 0x8000_0002) * 16 :][:16]
        a, b, c, d = (int.from_bytes(part[i : i + 4], "little") for i in (0, 4, 8, 12))
        return a, b, c, d
    if leaf == 0x8000_0008:
        return reg.MAXPHYADDR | 48 << 8, 0, 0, 0
    return 0, 0, 0, 0


def _fault(vector: int = 13) -> GuestFault:
    return GuestFault(vector, 0 if vector == 13 else None)


def _operand(cpu: "Cpu") -> Operand:
    context = cpu.engine.context.save()
    return decode_operand(cpu.code_bytes(context.rip, 15), bool(context.hflags & HF_CS64))


def _skip(cpu: "Cpu", length: int) -> None:
    """Finish an instruction done here: RIP past it, the interrupt shadow over."""
    context = cpu.engine.context
    context.rip = context.rip + length
    context.hflags &= ~HF_INHIBIT_IRQ
    context.restore()


def _cpuid(cpu: "Cpu") -> None:
    length = _operand(cpu).opcode_end
    context = cpu.engine.context
    a, b, c, d = cpuid(context.gpr(0) & 0xFFFFFFFF, context.gpr(1) & 0xFFFFFFFF)
    for register, value in ((0, a), (3, b), (1, c), (2, d)):
        context.set_gpr(register, value)
    _skip(cpu, length)


def _rdtsc(cpu: "Cpu") -> None:
    operand = _operand(cpu)
    context = cpu.engine.context
    if operand.opcode != b"\x0f\x31":
        raise _fault(6)
    if context.cr(4) & reg.CR4_TSD and context.hflags & HF_CPL:
        raise _fault()
    value = cpu.journal.clock + cpu.tsc_offset
    context.set_gpr(0, value & 0xFFFFFFFF)
    context.set_gpr(2, value >> 32 & 0xFFFFFFFF)
    _skip(cpu, operand.opcode_end)


def _rdpmc(cpu: "Cpu") -> None:
    raise _fault()


def _hlt(cpu: "Cpu") -> None:
    length = _operand(cpu).opcode_end
    _skip(cpu, length)
    cpu.halted = True


def _invlpg(cpu: "Cpu") -> None:
    operand = _operand(cpu)
    context = cpu.engine.context
    linear = operand.address(context)
    if is_canonical(linear):
        cpu.mmu.invlpg(LinearAddress(linear))
    _skip(cpu, operand.end)


def _cache(cpu: "Cpu") -> None:
    _skip(cpu, _operand(cpu).opcode_end)


def _iret(cpu: "Cpu") -> None:
    cpu.step_natively()
    context = cpu.engine.context.save()
    cpu.journal.cpl = context.hflags & HF_CPL
    cpu.microcode.note_return("iret", context.rip, cpu.journal.cpl)


def _msr(cpu: "Cpu") -> None:
    operand = _operand(cpu)
    context = cpu.engine.context
    number = context.gpr(1) & 0xFFFFFFFF
    if number not in _OFFERED_MSRS:
        raise _fault()
    if operand.opcode == b"\x0f\x32":
        if number != TSC:
            cpu.step_natively()
            return
        value = cpu.journal.clock + cpu.tsc_offset
        context.set_gpr(0, value & 0xFFFFFFFF)
        context.set_gpr(2, value >> 32 & 0xFFFFFFFF)
        _skip(cpu, operand.opcode_end)
        return
    value = (context.gpr(2) & 0xFFFFFFFF) << 32 | context.gpr(0) & 0xFFFFFFFF
    if number == TSC:
        cpu.tsc_offset = value - cpu.journal.clock & (1 << 64) - 1
        _skip(cpu, operand.opcode_end)
        return
    if number in _ADDRESSES and not is_canonical(value):
        raise _fault()
    if number == EFER and reg.efer_refusal(context.efer, value, context.cr(0)):
        raise _fault()
    cpu.step_natively()
    cpu.call_msrs[number] = value
    cpu.sync_controls()


def _write_cr(cpu: "Cpu", number: int) -> None:
    """MOV to CR0, CR3 or CR4; CLTS and LMSW, which write CR0, never touch paging or protection bits but PE."""
    operand = _operand(cpu)
    context = cpu.engine.context
    old = context.cr(number)
    if operand.opcode == b"\x0f\x22":
        value = context.gpr(operand.register)
        if not context.hflags & HF_CS64:
            value &= 0xFFFFFFFF
        refusal = {
            0: lambda: reg.cr0_refusal(
                old, value, context.cr(4), context.efer, bool(context.hflags & HF_CS64)
            ),
            3: lambda: reg.cr3_refusal(value, context.efer),
            4: lambda: reg.cr4_refusal(value, context.efer),
        }[number]()
        if refusal:
            raise _fault()
        pdptes = _load_pdptes(cpu, number, value)
    else:
        pdptes = cpu.pdptes
    cpu.step_natively()
    cpu.pdptes = pdptes
    new = cpu.engine.context.save().cr(number)
    mmu = cpu.mmu
    if number == 3:
        mmu.flush("MOV_CR3", keep_global=True)
    elif number == 4 and (old ^ new) & (reg.CR4_PGE | reg.CR4_PAE | reg.CR4_PSE | reg.CR4_SMEP):
        mmu.flush("MOV_CR4", keep_global=not (old ^ new) & reg.CR4_PGE)
    elif number == 0 and (old ^ new) & reg.CR0_PG:
        mmu.flush("MOV_CR0", keep_global=False)
    mmu.tlb.stale_grants = True
    cpu.sync_controls()


def _load_pdptes(cpu: "Cpu", number: int, value: int) -> tuple[int, ...]:
    """The PDPTE registers after MOV of `value` to control register `number`. GuestFault if one must not be loaded."""
    context = cpu.engine.context
    old = [context.cr(register) for register in range(5)]
    new = [*old[:number], value, *old[number + 1 :]]
    turns_long_mode_on = context.efer & reg.EFER_LME and not old[0] & reg.CR0_PG
    in_pae_paging = not turns_long_mode_on and reg.paging_mode(new[0], new[4], context.efer) is PAE
    if not in_pae_paging or (number != 3 and not (old[number] ^ value) & _LOADS_PDPTES[number]):
        return cpu.pdptes
    loaded = load_pdptes(cpu.memory.read_entry, reg.table_base(new[3], PAE), reg.MAXPHYADDR)
    if loaded is None:
        raise _fault()
    return loaded


_LOADS_PDPTES: Final = {
    0: reg.CR0_PG | reg.CR0_CD | reg.CR0_NW,
    4: reg.CR4_PAE | reg.CR4_PGE | reg.CR4_PSE | reg.CR4_SMEP,
}
"""Changes of these bits load the PDPTE registers, as MOV to CR3 does (SDM vol. 3A, "PDPTE Registers", 4.4.1)."""


_BY_CODE: Final[dict[int, Callable[["Cpu"], None]]] = {
    0x10: lambda cpu: _write_cr(cpu, 0),
    0x13: lambda cpu: _write_cr(cpu, 3),
    0x14: lambda cpu: _write_cr(cpu, 4),
    0x6E: _rdtsc,
    0x6F: _rdpmc,
    0x72: _cpuid,
    0x74: _iret,
    0x76: _cache,
    0x78: _hlt,
    0x79: _invlpg,
    0x7C: _msr,
}


def execute(cpu: "Cpu", code: int) -> None:
    """Execute the intercepted instruction at RIP; `code` is the engine's exit code."""
    with suppress(Interrupted):
        _BY_CODE[code](cpu)


_SEGMENT_OPCODES: Final = frozenset((0x07, 0x17, 0x1F, 0x8E, 0x9A, 0xC4, 0xC5, 0xCA, 0xCB, 0xCF, 0xEA))
_SEGMENT_OPCODES_0F: Final = frozenset((0x00, 0x02, 0x03, 0xA1, 0xA9, 0xB2, 0xB4, 0xB5))
_STACK_OPCODES: Final = frozenset(
    (*range(0x50, 0x60), 0x68, 0x6A, 0x8F, 0x9C, 0x9D, 0xC2, 0xC3, 0xC8, 0xC9, 0xE8)
)


def loads_segment(code: bytes) -> bool:
    """Whether the instruction may read a descriptor table by itself."""
    opcode = decode_operand(code, True).opcode
    return opcode[:1] in (bytes((o,)) for o in _SEGMENT_OPCODES) or (
        (opcode[:1] == b"\x0f" and opcode[1] in _SEGMENT_OPCODES_0F) or opcode == b"\xff"
    )


def uses_stack(code: bytes) -> bool:
    """Whether the instruction's memory access goes through SS: a stack instruction, or RSP or RBP as base."""
    operand = decode_operand(code, True)
    return (len(operand.opcode) == 1 and operand.opcode[0] in _STACK_OPCODES) or operand.base in (4, 5)
