# SPDX-License-Identifier: GPL-2.0-or-later
"""System instructions that the engine stops before: MSRs, CPUID, RDTSC, HLT, IRET, and those that steer paging.

SDM vol. 2, the instructions by name. Each either lets the engine execute the instruction after checking it, or does
it here and moves RIP on.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from emu.bits import is_canonical
from emu.cpu import paging_instructions as paging
from emu.cpu import registers as reg
from emu.cpu.cpuid import cpuid
from emu.cpu.decode import decode_operand
from emu.cpu.engine_state import HF_CPL
from emu.cpu.faults import Interrupted
from emu.cpu.instruction import control_registers, fault, operand_at_rip, skip
from emu.cpu.model import CpuModel

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
_LONG_MODE_MSRS: Final = frozenset((STAR, LSTAR, CSTAR, FMASK, 0xC000_0100, 0xC000_0101, 0xC000_0102))


def _cpuid(cpu: "Cpu") -> None:
    length = operand_at_rip(cpu).opcode_end
    context = cpu.engine.context
    leaf, subleaf = context.gpr(0) & 0xFFFFFFFF, context.gpr(1) & 0xFFFFFFFF
    a, b, c, d = cpuid(leaf, subleaf, cpu.model, context.cr(4))
    for register, value in ((0, a), (3, b), (1, c), (2, d)):
        context.set_gpr(register, value)
    skip(cpu, length)


def _rdtsc(cpu: "Cpu") -> None:
    operand = operand_at_rip(cpu)
    context = cpu.engine.context
    if operand.opcode != b"\x0f\x31":
        raise fault(6)
    if context.cr(4) & reg.CR4_TSD and context.hflags & HF_CPL:
        raise fault()
    value = cpu.journal.clock + cpu.tsc_offset
    context.set_gpr(0, value & 0xFFFFFFFF)
    context.set_gpr(2, value >> 32 & 0xFFFFFFFF)
    skip(cpu, operand.opcode_end)


def _rdpmc(cpu: "Cpu") -> None:
    raise fault()


def _hlt(cpu: "Cpu") -> None:
    length = operand_at_rip(cpu).opcode_end
    skip(cpu, length)
    cpu.halted = True


def _cache(cpu: "Cpu") -> None:
    skip(cpu, operand_at_rip(cpu).opcode_end)


def _iret(cpu: "Cpu") -> None:
    cpu.step_natively()
    context = cpu.engine.context.save()
    cpu.journal.cpl = context.hflags & HF_CPL
    cpu.microcode.note_return("iret", context.rip, cpu.journal.cpl)


def _has_msr(model: CpuModel, number: int) -> bool:
    """Whether the CPU model has an MSR that belongs to a feature (SDM vol. 4, table 2-2)."""
    if number == EFER:
        return model.has("lm") or model.has("nx")
    return model.has("lm") or number not in _LONG_MODE_MSRS


def _msr(cpu: "Cpu") -> None:
    operand = operand_at_rip(cpu)
    context = cpu.engine.context
    number = context.gpr(1) & 0xFFFFFFFF
    if number not in _OFFERED_MSRS or not _has_msr(cpu.model, number):
        raise fault()
    if operand.opcode == b"\x0f\x32":
        if number != TSC:
            cpu.step_natively()
            return
        value = cpu.journal.clock + cpu.tsc_offset
        context.set_gpr(0, value & 0xFFFFFFFF)
        context.set_gpr(2, value >> 32 & 0xFFFFFFFF)
        skip(cpu, operand.opcode_end)
        return
    value = (context.gpr(2) & 0xFFFFFFFF) << 32 | context.gpr(0) & 0xFFFFFFFF
    if number == TSC:
        cpu.tsc_offset = value - cpu.journal.clock & (1 << 64) - 1
        skip(cpu, operand.opcode_end)
        return
    if number in _ADDRESSES and not is_canonical(value, cpu.canonical_bits):
        raise fault()
    if number == EFER and reg.efer_refusal(control_registers(cpu), value, cpu.model):
        raise fault()
    cpu.step_natively()
    cpu.call_msrs[number] = value
    cpu.sync_controls()


_BY_CODE: Final[dict[int, Callable[["Cpu"], None]]] = {
    0x10: lambda cpu: paging.write_control_register(cpu, 0),
    0x13: lambda cpu: paging.write_control_register(cpu, 3),
    0x14: lambda cpu: paging.write_control_register(cpu, 4),
    0x6E: _rdtsc,
    0x6F: _rdpmc,
    0x72: _cpuid,
    0x74: _iret,
    0x76: _cache,
    0x78: _hlt,
    0x79: paging.invlpg,
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


def loads_segment(code: bytes, long_mode: bool) -> bool:
    """Whether the instruction may read a descriptor table by itself."""
    opcode = decode_operand(code, long_mode).opcode
    return opcode[:1] in (bytes((o,)) for o in _SEGMENT_OPCODES) or (
        (opcode[:1] == b"\x0f" and opcode[1] in _SEGMENT_OPCODES_0F) or opcode == b"\xff"
    )


def uses_stack(code: bytes) -> bool:
    """Whether a memory access in 64-bit code goes through SS: a stack instruction, or RSP or RBP as base."""
    operand = decode_operand(code, True)
    return (len(operand.opcode) == 1 and operand.opcode[0] in _STACK_OPCODES) or operand.base in (4, 5)
