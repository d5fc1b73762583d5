# SPDX-License-Identifier: GPL-2.0-or-later
"""The TLB arrays as grids of sets and ways, with a glyph for what the last instruction did to each place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from emu.bits import PAGE_SHIFT, LinearAddress
from emu.events import Accessed, Event, TlbEvicted, TlbFilled
from emu.tlb.cache import TlbArray
from emu.tlb.entry import Slot
from emu.view.inspector import Inspector
from emu.view.spans import Line, Span, clip, line

PageName = Callable[[int], str]
"""The short name of the page at a linear address."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One place. `glyph`: ● hit, ◐ hit in level 2, + filled, ≠ stale, · nothing happened, blank if empty."""

    glyph: str
    name: str
    linear: int
    frame: int
    rights: str
    changed: bool
    stale: bool


_ROOMY = 24
"""A cell of so many columns has room for frame and rights."""
EMPTY = Cell(" ", "", -1, 0, "", False, False)


@dataclass(frozen=True, slots=True)
class ArrayGrid:
    """One array, set by set. `left` names what was evicted from it in this step."""

    name: str
    shape: str
    sets: tuple[tuple[Cell, ...], ...]
    left: tuple[str, ...]

    @property
    def used(self) -> int:
        """Places that hold a translation."""
        return sum(cell.linear >= 0 for row in self.sets for cell in row)

    @property
    def focus(self) -> int:
        """The set in which something happened last, else the first that holds anything."""
        for number, row in enumerate(self.sets):
            if any(cell.glyph in "●◐+≠" for cell in row):
                return number
        return next((n for n, row in enumerate(self.sets) if any(c.linear >= 0 for c in row)), 0)

    def lines(self, width: int, height: int) -> list[Line]:
        """The sets that hold something, in their order, around the one where something happened."""
        held = [(n, row) for n, row in enumerate(self.sets) if any(c.linear >= 0 for c in row)]
        if not held:
            return [line(Span("nothing cached", "dim"))]
        room = height - len(self.left[:1])
        ways = max(len(row) for _, row in held)
        columns = max(1, min(ways, (width - 3) // 10))
        cell_width = (width - 3) // columns
        rows: list[Line] = []
        focus = 0
        for number, row in held:
            if number <= self.focus:
                focus = len(rows)
            rows += _set_lines(number, row, columns, cell_width)
        start = max(0, min(focus - room // 2, len(rows) - room))
        shown = rows[start : start + room]
        return [clip(row, width) for row in shown] + [
            line(Span(f"− {name} left", "evict")) for name in self.left[:1]
        ]


def _set_lines(number: int, row: Sequence[Cell], columns: int, width: int) -> list[Line]:
    cells = [c for c in row if c.linear >= 0] if len(row) > columns else list(row)
    lines: list[Line] = []
    for first in range(0, len(cells), columns):
        parts = [Span(f"{number:>3}" if not first else "   ", "dim")]
        for cell in cells[first : first + columns]:
            parts += _cell(cell, width)
        lines.append(tuple(parts))
    return lines


def _cell(cell: Cell, width: int) -> list[Span]:
    if cell.linear < 0:
        return [Span(f" {'·':<{width - 1}}", "dim")]
    role = {"●": "hit", "◐": "hit", "+": "fill", "≠": "stale"}.get(cell.glyph, "")
    name = cell.name if len(cell.name) <= width - 2 else cell.name[: width - 3] + "…"
    more = f" → {cell.frame:x} {cell.rights}" if width >= _ROOMY else ""
    pad = max(0, width - 2 - len(name) - len(more))
    return [Span(f" {cell.glyph}", role), Span(name, role, cell.changed), Span(more, "dim"), Span(" " * pad)]


def tlb_grids(
    inspector: Inspector, step: Sequence[Event], page_name: PageName, before: Sequence[ArrayGrid]
) -> tuple[ArrayGrid, ...]:
    """Every array that is worth a panel, level 1 data first. `before`: the grids of the last stop, or empty."""
    marks = _marks(inspector, step)
    old = {grid.name: grid for grid in before}
    arrays = sorted(
        inspector.machine.mmu.tlb.arrays, key=lambda a: (a.geometry.level, "fetch" in a.geometry.types)
    )
    return tuple(_grid(inspector, array, marks, step, page_name, old.get(array.name)) for array in arrays)


def _marks(inspector: Inspector, step: Sequence[Event]) -> dict[tuple[str, int, int], str]:
    marks: dict[tuple[str, int, int], str] = {}
    for event in step:
        if isinstance(event, Accessed):
            level = {"l1_hit": 1, "l2_hit": 2}.get(event.tlb)
            for slot in inspector.machine.mmu.holding(LinearAddress(event.linear)):
                shape = slot.array.geometry
                if shape.level == level and event.type in shape.types:
                    marks[slot.array.name, slot.set, slot.way] = "●" if level == 1 else "◐"
    for event in step:
        if isinstance(event, TlbFilled):
            marks[event.array, event.set, event.way] = "+"
    return marks


def _grid(
    inspector: Inspector,
    array: TlbArray,
    marks: dict[tuple[str, int, int], str],
    step: Sequence[Event],
    page_name: PageName,
    before: ArrayGrid | None,
) -> ArrayGrid:
    is_stale = inspector.machine.mmu.is_stale

    def cell(slot: Slot) -> Cell:
        entry = slot.entry
        old = before.sets[slot.set][slot.way] if before else None
        if entry is None:
            return EMPTY
        linear = entry.linear
        stale = entry.suspect and inspector.machine.mmu.controls is not None and is_stale(entry)
        frame = entry.frame >> PAGE_SHIFT
        changed = old is not None and (old.linear, old.frame, old.rights) != (linear, frame, entry.rights)
        name = old.name if old is not None and not changed and old.name else page_name(linear)
        glyph = "≠" if stale else marks.get((array.name, slot.set, slot.way), "·")
        return Cell(glyph, name, linear, frame, entry.rights, changed, stale)

    gone = [e for e in step if isinstance(e, TlbEvicted) and e.array == array.name]
    left = tuple(f"{page_name(e.page * e.page_bytes)} (set {e.set})" for e in gone)
    shape = array.geometry
    text = f"{shape.entries} = {shape.sets}x{shape.way_count}" if shape.sets > 1 else f"{shape.entries} full"
    return ArrayGrid(array.name, text, tuple(tuple(cell(s) for s in row) for row in array.slots), left)
