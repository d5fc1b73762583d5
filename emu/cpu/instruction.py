# SPDX-License-Identifier: GPL-2.0-or-later
"""What every instruction that is done here shares: its operand, its fault, its end."""

from typing import TYPE_CHECKING, Final

from emu.cpu.decode import Operand, decode_operand
from emu.cpu.engine_state import HF_CPL, HF_CS64, HF_INHIBIT_IRQ
from emu.cpu.faults import GuestFault
from emu.cpu.registers import ControlRegisters

if TYPE_CHECKING:
    from emu.cpu.core import Cpu

LONGEST: Final = 15


def fault(vector: int = 13) -> GuestFault:
    """The instruction raises `vector`, with error code 0 if it is #GP."""
    return GuestFault(vector, 0 if vector == 13 else None)


def operand_at_rip(cpu: "Cpu") -> Operand:
    """The instruction at RIP, decoded. The registers are in `cpu.engine.context` from now on."""
    context = cpu.engine.context.save()
    return decode_operand(cpu.code_bytes(context.linear_rip, LONGEST), bool(context.hflags & HF_CS64))


def control_registers(cpu: "Cpu") -> ControlRegisters:
    """What the context that was saved last says."""
    context = cpu.engine.context
    return ControlRegisters(context.cr(0), context.cr(3), context.cr(4), context.efer)


def need_ring_0(cpu: "Cpu") -> None:
    """GuestFault #GP(0) unless the context that was saved last runs at CPL 0."""
    if cpu.engine.context.hflags & HF_CPL:
        raise fault()


def skip(cpu: "Cpu", length: int) -> None:
    """Finish the instruction: RIP past it, the interrupt shadow over."""
    context = cpu.engine.context
    context.rip = context.rip + length
    context.hflags &= ~HF_INHIBIT_IRQ
    context.restore()
