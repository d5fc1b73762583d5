# SPDX-License-Identifier: GPL-2.0-or-later
"""The instructions that steer paging: MOV to a control register, INVLPG, INVPCID, RDPKRU, WRPKRU.

Each checks what the manual has it check, and tells the MMU what changed and what is invalidated by it (SDM vol. 3A,
"Operations that Invalidate TLBs and Paging-Structure Caches", 4.10.4.1).
"""

from typing import TYPE_CHECKING, Final

from emu.bits import LinearAddress, is_canonical
from emu.cpu import registers as reg
from emu.cpu.decode import Operand
from emu.cpu.engine_state import CS, DESCRIPTOR_L, HF_CS64
from emu.cpu.instruction import control_registers, fault, need_ring_0, operand_at_rip, skip
from emu.cpu.registers import ControlRegisters
from emu.paging.modes import PAE
from emu.paging.walk import load_pdptes

if TYPE_CHECKING:
    from emu.cpu.core import Cpu

_TSS_16: Final = (1, 3)
_CR0_LOADS_PDPTES: Final = reg.CR0_PG | reg.CR0_CD | reg.CR0_NW
_CR4_LOADS_PDPTES: Final = reg.CR4_PAE | reg.CR4_PGE | reg.CR4_PSE | reg.CR4_SMEP
"""Changes of these bits load the PDPTE registers, as MOV to CR3 does (SDM vol. 3A, "PDPTE Registers", 4.4.1)."""


# -- control registers ------------------------------------------------------------------------------------------------


def write_control_register(cpu: "Cpu", number: int) -> None:
    """MOV to CR0, CR3 or CR4; CLTS and LMSW, which write CR0, never touch paging or protection bits but PE."""
    operand = operand_at_rip(cpu)
    context = cpu.engine.context
    old, pdptes, no_flush = control_registers(cpu), cpu.pdptes, False
    if operand.opcode == b"\x0f\x22":
        value = context.gpr(operand.register)
        if not context.hflags & HF_CS64:
            value &= 0xFFFFFFFF
        if _refusal(cpu, old, number, value):
            raise fault()
        pdptes = _pdptes_after(cpu, old, number, value)
        no_flush = number == 3 and bool(value & reg.CR3_NO_FLUSH)
    cpu.step_natively()
    context.save()
    if no_flush:
        context.set_cr(3, context.cr(3) & ~reg.CR3_NO_FLUSH)
        context.restore()
    new = control_registers(cpu)
    if not no_flush:
        _flush(cpu, number, old, new)
    cpu.pdptes = pdptes
    cpu.mmu.tlb.stale_grants = True
    cpu.sync_controls()


def _refusal(cpu: "Cpu", now: ControlRegisters, number: int, value: int) -> str | None:
    if number == 0:
        context = cpu.engine.context
        cs_l = bool(context.segment(CS)[3] & DESCRIPTOR_L)
        return reg.cr0_refusal(now, value, cs_l, context.tr_type in _TSS_16)
    check = reg.cr3_refusal if number == 3 else reg.cr4_refusal
    return check(now, value, cpu.model)


def _pdptes_after(cpu: "Cpu", now: ControlRegisters, number: int, value: int) -> tuple[int, ...]:
    """The PDPTE registers after MOV of `value` to control register `number`. GuestFault if one must not be loaded."""
    new = now._replace(**{f"cr{number}": value})
    enters_long_mode = now.mode is None and now.efer & reg.EFER_LME
    if new.mode is not PAE or enters_long_mode:
        return cpu.pdptes
    loads = (now.cr0 ^ new.cr0) & _CR0_LOADS_PDPTES or (now.cr4 ^ new.cr4) & _CR4_LOADS_PDPTES
    if number != 3 and not loads:
        return cpu.pdptes
    base = reg.table_base(new.cr3, PAE, cpu.model.maxphyaddr)
    loaded = load_pdptes(cpu.memory.read_entry, base, cpu.model.maxphyaddr)
    if loaded is None:
        raise fault()
    return loaded


def _flush(cpu: "Cpu", number: int, old: ControlRegisters, new: ControlRegisters) -> None:
    """Invalidate what MOV to control register `number` does. MOV to CR3 names a PCID only where there are several."""
    flush = cpu.mmu.flush
    if number == 3:
        flush("MOV_CR3", new.pcid if new.cr4 & reg.CR4_PCIDE else None, keep_global=True)
        return
    if number == 0:
        if old.cr0 & ~new.cr0 & reg.CR0_PG:
            flush("MOV_CR0", None, keep_global=False)
        return
    changed = old.cr4 ^ new.cr4
    if changed & reg.CR4_PGE or changed & old.cr4 & reg.CR4_PCIDE:
        flush("MOV_CR4", None, keep_global=False)
    elif changed & reg.CR4_PAE or changed & new.cr4 & reg.CR4_SMEP:
        flush("MOV_CR4", new.pcid, keep_global=False)


# -- invalidation -----------------------------------------------------------------------------------------------------


def invlpg(cpu: "Cpu") -> None:
    """INVLPG (SDM vol. 2A): a non-canonical address is no error and does nothing."""
    operand = operand_at_rip(cpu)
    linear = operand.address(cpu.engine.context)
    if is_canonical(linear, cpu.canonical_bits):
        cpu.mmu.invlpg(LinearAddress(linear))
    skip(cpu, operand.end)


_INDIVIDUAL_ADDRESS, _SINGLE_CONTEXT = 0, 1
_MOST_INVPCID_TYPE: Final = 3


def invpcid(cpu: "Cpu", operand: Operand) -> None:
    """INVPCID (SDM vol. 2A): the type in a register, PCID and linear address in a descriptor of 16 bytes."""
    context = cpu.engine.context.save()
    need_ring_0(cpu)
    kind = context.gpr(operand.reg)
    if not context.hflags & HF_CS64:
        kind &= 0xFFFFFFFF
    if kind > _MOST_INVPCID_TYPE:
        raise fault()
    pcid_enabled = bool(context.cr(4) & reg.CR4_PCIDE)
    descriptor = cpu.microcode.read(operand.address(context), 16, implicit=False)
    low, linear = int.from_bytes(descriptor[:8], "little"), int.from_bytes(descriptor[8:], "little")
    pcid = low & reg.CR3_PCID
    if low >> 12 or (kind in (_INDIVIDUAL_ADDRESS, _SINGLE_CONTEXT) and pcid and not pcid_enabled):
        raise fault()
    if kind == _INDIVIDUAL_ADDRESS and not is_canonical(linear, cpu.canonical_bits):
        raise fault()
    cpu.mmu.invpcid(kind, pcid, LinearAddress(linear))
    cpu.engine.context.save()
    skip(cpu, operand.end)


# -- protection keys --------------------------------------------------------------------------------------------------


def rdpkru(cpu: "Cpu", operand: Operand) -> None:
    """RDPKRU (SDM vol. 2B): PKRU into EAX, 0 into EDX. ECX must be 0."""
    context = cpu.engine.context.save()
    if not context.cr(4) & reg.CR4_PKE:
        raise fault(6)
    if context.gpr(1) & 0xFFFFFFFF:
        raise fault()
    context.set_gpr(0, cpu.pkru)
    context.set_gpr(2, 0)
    skip(cpu, operand.end)


def wrpkru(cpu: "Cpu", operand: Operand) -> None:
    """WRPKRU (SDM vol. 2C): EAX into PKRU; the next access obeys it. ECX and EDX must be 0."""
    context = cpu.engine.context.save()
    if not context.cr(4) & reg.CR4_PKE:
        raise fault(6)
    if (context.gpr(1) | context.gpr(2)) & 0xFFFFFFFF:
        raise fault()
    cpu.pkru = context.gpr(0) & 0xFFFFFFFF
    skip(cpu, operand.end)
    cpu.mmu.tlb.stale_grants = True
    cpu.sync_controls()
