# SPDX-License-Identifier: GPL-2.0-or-later
"""The bare engine that the benchmark divides by: the same Unicorn with its own MMU (UC_TLB_CPU) and no hooks.

It takes a machine's memory and registers between two instructions, and runs on from there. No device exists in it
and no interrupt arrives, so it can only run what needs neither.
"""

import ctypes
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, cast

from unicorn import unicorn_const as uc_const
from unicorn import x86_const
from unicorn.unicorn import Uc

from emu.bits import PhysicalAddress
from emu.cpu.core import Cpu
from emu.cpu.engine import CODE_BUFFER_BYTES
from emu.cpu.engine_state import HF_GUEST, SavedContext, uclib
from emu.mem import PhysicalMemory

_GENERAL: Final = 16


@dataclass(frozen=True, slots=True)
class Registers:
    """What a stretch of user code changes: the general registers, RIP and RFLAGS."""

    general: tuple[int, ...]
    rip: int
    rflags: int


def registers_of(cpu: Cpu) -> Registers:
    """The registers of a modelled CPU, between two instructions."""
    return _registers(cpu.engine.uc, cpu.engine.context)


def _registers(uc: Uc, context: SavedContext) -> Registers:
    context.save()
    general = tuple(context.gpr(number) for number in range(_GENERAL))
    return Registers(general, context.rip, cast(Any, uc).reg_read(x86_const.UC_X86_REG_EFLAGS))


class BareEngine:
    """A copy of a machine's memory and registers in an engine of its own; `run` always starts at the copied moment."""

    def __init__(self, cpu: Cpu) -> None:
        self._memory = PhysicalMemory(cpu.memory.size_bytes)
        self._image = cpu.memory.read(PhysicalAddress(0), cpu.memory.size_bytes)
        self._uc = uc = Uc(uc_const.UC_ARCH_X86, uc_const.UC_MODE_64)
        uc.ctl_set_cpu_model(x86_const.UC_CPU_X86_ICELAKE_SERVER)
        uc.ctl_set_tcg_buffer_size(CODE_BUFFER_BYTES)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory.buffer))
        uc.mem_map_ptr(0, self._memory.size_bytes, uc_const.UC_PROT_ALL, address)
        uc.ctl_set_tlb_mode(uc_const.UC_TLB_CPU)
        uc.ctl_exits_enabled(True)
        uc.ctl_set_exits([])
        self._context = SavedContext(uc)
        source = cpu.engine.context.save()
        source_registers = source.content()
        self._context.set_content(source_registers)
        self._context.hflags &= ~HF_GUEST
        self._context.set_intercepts((), 0, 0, 0)
        self._context.settle_exception()
        self._start = self._context.content()
        self._rip = self._context.rip

    def run(self, instructions: int) -> tuple[float, Registers]:
        """Execute `instructions` from the copied moment: (seconds, registers at the end). RuntimeError if it stops."""
        self._memory.buffer[:] = self._image
        self._context.set_content(self._start)
        self._context.restore()
        arguments = (
            ctypes.c_uint64(self._rip),
            ctypes.c_uint64(0),
            ctypes.c_uint64(0),
            ctypes.c_size_t(instructions),
        )
        handle = cast(Any, self._uc)._uch
        before = perf_counter()
        status = uclib.uc_emu_start(handle, *arguments)
        seconds = perf_counter() - before
        if status != uc_const.UC_ERR_OK:
            raise RuntimeError(
                f"the bare engine stopped with error {status} at {self._context.save().rip:#x}"
            )
        return seconds, _registers(self._uc, self._context)
