# SPDX-License-Identifier: GPL-2.0-or-later
"""The registers, in rows of name, value, and what the value points at."""

from dataclasses import dataclass
from typing import Final

from emu.bits import hexadecimal
from emu.view.inspector import Inspector
from emu.view.scene import NameOf
from emu.view.spans import Line, Span, line

NAMES: Final = ("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", *(f"r{n}" for n in range(8, 16)))
_RFLAGS_ENGINE: Final = 25
_FLAGS: Final = ((0, "CF"), (2, "PF"), (6, "ZF"), (7, "SF"), (9, "IF"), (11, "OF"), (18, "AC"))


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """One register. `meaning` is a name where the value is an address of something known."""

    name: str
    value: int
    meaning: str
    changed: bool

    def line(self) -> Line:
        """The row of the panel."""
        meaning = "" if self.meaning.startswith("0x") else self.meaning
        return line(
            Span(f"{self.name:<4}", "dim"),
            Span(hexadecimal(self.value), "number", self.changed),
            Span(f" {meaning}", "name"),
        )


def register_rows(
    inspector: Inspector, name: NameOf, before: tuple[RegisterRow, ...]
) -> tuple[RegisterRow, ...]:
    """RIP, RSP and the others, control registers last; `changed` against the rows `before`."""
    machine = inspector.machine
    context = machine.cpu.engine.context.save()
    values = {"rip": context.rip} | {n: context.gpr(i) for i, n in enumerate(NAMES)}
    controls = machine.mmu.controls
    if controls is not None:
        values["cr3"] = int(controls.root)
    old = {row.name: row.value for row in before}
    return tuple(
        RegisterRow(n, v, _meaning(n, v, name), bool(old) and old.get(n) != v) for n, v in values.items()
    )


def _meaning(register: str, value: int, name: NameOf) -> str:
    if register == "cr3":
        return "root in use"
    return name(value) if value > 0xFFFF else str(value) if value > 9 else ""
