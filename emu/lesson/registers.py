# SPDX-License-Identifier: GPL-2.0-or-later
"""The registers by name."""

from typing import Final

from emu.bits import hexadecimal
from emu.lesson.views import Shown
from emu.machine import Machine

GENERAL: Final = ("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", *(f"r{n}" for n in range(8, 16)))
_RFLAGS: Final = 25


class Registers(dict[str, int], Shown):
    """The registers: rip, the general ones, rflags, cr0 to cr4, efer, and cpl."""

    def lines(self) -> list[str]:
        """Three registers a line."""
        cells = [f"{name:<6} {hexadecimal(value)}" for name, value in self.items()]
        return ["  ".join(cells[i : i + 3]) for i in range(0, len(cells), 3)]

    def __str__(self) -> str:
        return "\n".join(self.lines())


def registers_of(machine: Machine) -> Registers:
    """The registers of the machine's CPU now."""
    engine = machine.cpu.engine
    context = engine.context.save()
    values = Registers({"rip": context.rip})
    values |= {name: context.gpr(number) for number, name in enumerate(GENERAL)}
    values["rflags"] = engine.read(_RFLAGS)
    values |= {f"cr{number}": context.cr(number) for number in (0, 2, 3, 4)}
    values["efer"] = context.efer
    values["cpl"] = machine.cpu.ring()
    return values
