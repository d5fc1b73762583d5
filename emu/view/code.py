# SPDX-License-Identifier: GPL-2.0-or-later
"""The code about to run: source lines around the current one, and the instructions at it."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from emu import resources
from emu.bits import LinearAddress
from emu.view.inspector import Inspector
from emu.view.spans import Line, Span, harmless, line, window


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction in words; `name` is its place, "" where it is only a number."""

    address: int
    text: str
    name: str
    current: bool


@dataclass(frozen=True, slots=True)
class CodeView:
    """`source` is the whole file, `number` the current line from 1; both empty where nothing describes the code."""

    file: str
    number: int
    place: str
    source: tuple[str, ...]
    instructions: tuple[Instruction, ...]

    def lines(self, width: int, height: int) -> list[Line]:
        """Source around the current line with the instructions below it."""
        shown = min(len(self.instructions), 2 if height < 12 else 4)
        rows: list[Line] = []
        focus = 0
        for number, text in enumerate(self.source, 1):
            current = number == self.number
            mark = "▸" if current else " "
            rows.append(
                line(
                    Span(f"{mark}{number:>4} ", "here" if current else "dim"),
                    Span(harmless(text), "here" if current else ""),
                )
            )
            if current:
                focus = len(rows) + shown // 2
                rows += [_instruction_line(i) for i in self.instructions[:shown]]
        if not self.source:
            rows = [
                line(Span("no source: " + self.place, "dim")),
                *(_instruction_line(i) for i in self.instructions),
            ]
        return _plain_window(rows, height, focus)


def _plain_window(rows: list[Line], height: int, focus: int) -> list[Line]:
    start = max(0, min(focus - height // 2, len(rows) - height))
    return rows[start : start + height] if len(rows) > height else window(rows, height, focus)


def _instruction_line(i: Instruction) -> Line:
    mark = "▸" if i.current else " "
    return line(
        Span(f"     {mark} ", "here" if i.current else "dim"),
        Span(harmless(i.text), "code" if i.current else "dim"),
    )


@lru_cache(maxsize=64)
def _source(file: str) -> tuple[str, ...]:
    """The lines of a bundled source file; empty if it is not there."""
    relative = Path(file.removeprefix("guest/"))
    if relative.is_absolute() or ".." in relative.parts:
        return ()
    try:
        text = (resources.guest_sources() / relative).read_text("utf-8", "replace")
    except (OSError, resources.ResourceMissing):
        return ()
    return tuple(row.replace("\t", "    ") for row in text.splitlines())


def code_view(inspector: Inspector, count: int = 8) -> CodeView:
    """The code at the instruction that is next."""
    rip = inspector.rip()
    process = inspector.process()
    found = inspector.symbols.line_at(rip, process.name if process else None)
    place = inspector.symbols.name_address(LinearAddress(rip), process.name if process else None)
    instructions = tuple(
        Instruction(row.address, f"{row.mnemonic} {row.operands}".rstrip(), "", row.address == rip)
        for row in inspector.disassembly(rip, count)
    )
    source = _source(found.file) if found else ()
    return CodeView(found.file if found else "", found.line if found else 0, place, source, instructions)
