# SPDX-License-Identifier: GPL-2.0-or-later
"""The code about to run: source lines around the current one, and the instructions at it."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from emu import resources
from emu.bits import LinearAddress
from emu.guest.disasm import Line as Disassembled
from emu.guest.expression import ExpressionError
from emu.view.inspector import Inspector
from emu.view.registers import NAMES
from emu.view.spans import Line, Span, harmless, line, window

_MARKS: Final = "kernel/trace.c"
"""Where the kernel's tracepoints are: functions that do nothing. What matters is who calls them."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction in words."""

    address: int
    text: str
    current: bool


@dataclass(frozen=True, slots=True)
class CodeView:
    """`source` is the whole file, `number` the current line from 1; both empty where nothing describes the code."""

    file: str
    number: int
    place: str
    source: tuple[str, ...]
    instructions: tuple[Instruction, ...]
    refused: bool = False
    """The current instruction is the one that was refused; the CPU has turned to `then`."""
    then: str = ""

    def lines(self, width: int, height: int) -> list[Line]:
        """Source around the current line with the instructions below it."""
        shown = min(len(self.instructions), 2 if height < 12 else 4)
        rows: list[Line] = []
        focus = 0
        for number, text in enumerate(self.source, 1):
            current = number == self.number
            mark = ("✗" if self.refused else "▸") if current else " "
            rows.append(
                line(
                    Span(f"{mark}{number:>4} ", "here" if current else "dim"),
                    Span(harmless(text), "here" if current else ""),
                )
            )
            if current:
                focus = len(rows) + shown // 2
                rows += self._below(shown)
        if not self.source:
            rows = [
                line(Span("no source: " + self.place, "dim")),
                *self._below(len(self.instructions)),
            ]
        return _plain_window(rows, height, focus)

    def _below(self, count: int) -> list[Line]:
        """The instructions at the current line; after a refusal the one refused, and where the CPU went."""
        if not self.refused:
            return [_instruction_line(i, "▸") for i in self.instructions[:count]]
        went = line(Span(f"     → the CPU goes to {self.then}", "bad"))
        return [*(_instruction_line(i, "✗") for i in self.instructions[:1]), went]


def _plain_window(rows: list[Line], height: int, focus: int) -> list[Line]:
    start = max(0, min(focus - height // 2, len(rows) - height))
    return rows[start : start + height] if len(rows) > height else window(rows, height, focus)


def _instruction_line(i: Instruction, mark: str) -> Line:
    lead = Span(f"     {mark if i.current else ' '} ", "here" if i.current else "dim")
    return line(lead, Span(harmless(i.text), "code" if i.current else "dim"))


@lru_cache(maxsize=64)
def _source(file: str, own: Path | None) -> tuple[str, ...]:
    """The lines of a source file, from the folder `own` if it is there, else a bundled one; empty if it is not."""
    relative = Path(file.removeprefix("guest/"))
    if relative.is_absolute() or ".." in relative.parts:
        return ()
    try:
        folder = own if own is not None and (own / relative).is_file() else resources.guest_sources()
        text = (folder / relative).read_text("utf-8", "replace")
    except (OSError, resources.ResourceMissing):
        return ()
    return tuple(row.replace("\t", "    ") for row in text.splitlines())


def code_view(inspector: Inspector, refused: int | None = None, count: int = 8) -> CodeView:
    """The code at the instruction that is next; or at `refused`, the one that an exception has just stopped."""
    rip = inspector.rip()
    at = rip if refused is None else LinearAddress(refused)
    process = inspector.process()
    program = process.name if process else None
    found = inspector.symbols.line_at(at, program)
    instructions = tuple(
        Instruction(row.address, _words(inspector, row, program), row.address == at)
        for row in inspector.disassembly(at, count)
    )
    if found is not None and found.file.endswith(_MARKS) and refused is None and instructions:
        found = inspector.symbols.line_at(_caller(inspector, instructions[0].text), program) or found
    return CodeView(
        file=found.file if found else "",
        number=found.line if found else 0,
        place=inspector.symbols.name_address(at, program),
        source=_source(found.file, inspector.own_sources) if found else (),
        instructions=instructions,
        refused=refused is not None,
        then=inspector.symbols.name_address(rip, program) if refused is not None else "",
    )


def _caller(inspector: Inspector, instruction: str) -> LinearAddress:
    """Within the call that has led into a tracepoint, which consists of PUSH RBP; MOV RBP, RSP; POP RBP; RET."""
    pushed = 0 if instruction.startswith(("push", "ret")) else 8
    stack = inspector.machine.cpu.engine.context.save().gpr(NAMES.index("rsp"))
    try:
        back = int.from_bytes(inspector.read(LinearAddress(stack + pushed), 8), "little")
    except ExpressionError:
        return inspector.rip()
    return LinearAddress(back - 1 if back else 0)


def _words(inspector: Inspector, row: Disassembled, program: str | None) -> str:
    """The instruction; where it calls or jumps to, by name."""
    if not row.mnemonic.startswith(("call", "j")) or not row.operands.startswith("0x"):
        return str(row)
    target = LinearAddress(int(row.operands, 16))
    return f"{row.mnemonic} {inspector.symbols.name_address(target, program)}"
