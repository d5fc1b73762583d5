# SPDX-License-Identifier: GPL-2.0-or-later
"""Why, at length: the sentence for each event of an instruction, an entry bit by bit, a TLB entry and its making."""

from collections.abc import Sequence
from typing import Final

from emu.bits import hexadecimal
from emu.events import Accessed, Event, TlbFilled
from emu.paging.formats import IGNORED, Field
from emu.view.access import AccessView
from emu.view.explain import explain
from emu.view.scene import Scene
from emu.view.spans import Line, Span, line, wrap
from emu.view.timeline import glyph_of
from emu.view.tlb import Cell
from emu.view.walk import WalkRow

_MARGIN: Final = 4


def _sentence(glyph: str, role: str, text: str, width: int) -> list[Line]:
    lead = f" {glyph or '·'}  "
    rows = wrap(text, width - _MARGIN)
    return [
        line(Span(lead if not n else " " * _MARGIN, role or "flag"), Span(row)) for n, row in enumerate(rows)
    ]


def step_lines(step: Sequence[Event], scene: Scene, width: int) -> list[Line]:
    """A sentence for each event of one instruction, in their order; plain hits come last, as they say least."""
    plain = [e for e in step if isinstance(e, Accessed) and e.tlb == "l1_hit" and not e.stale]
    rows: list[Line] = []
    for event in [*(e for e in step if e not in plain), *plain]:
        glyph = glyph_of(event) or ("●" if event in plain else "")
        rows += _sentence(glyph, "", explain(event, scene), width)
    return rows or [line(Span("nothing has happened here yet", "dim"))]


def entry_lines(row: WalkRow, view: AccessView, scene: Scene, width: int) -> list[Line]:
    """One entry of a walk, field by field: its bits, and what they mean. The bit that refused is lit."""
    head = f"{row.level}, index {row.index:#05x}, at {hexadecimal(row.address, 12)}"
    rows = [line(Span(head, "name")), line(Span(hexadecimal(row.entry), "number"))]
    rows += [line(Span(f"so far on this walk: {row.rights}", "dim")), line("")]
    form = scene.form(row.level, row.entry)
    if form is None:
        return [*rows, line(Span("the paging mode is not known", "dim"))]
    for part in form.fields:
        lit = view.lit == (row.address, part.name)
        rows += _field(part, (row.entry & part.mask) >> part.low, lit, width)
    return rows


def _field(part: Field, value: int, lit: bool, width: int) -> list[Line]:
    bits = f"{part.low}" if part.low == part.high else f"{part.high}:{part.low}"
    said = f"{value}" if part.low == part.high else f"{value:#x}"
    if part.name == IGNORED and not value:
        return []
    role = "bad" if lit else "flag" if value else "dim"
    lead = f"{'✗' if lit else ' '} {bits:>6}  {part.name:<8} = {said:<14} "
    rows = wrap(part.meaning, max(20, width - len(lead)))
    first = line(Span(lead, role, lit), Span(rows[0], "" if value or lit else "dim"))
    return [first, *(line(" " * len(lead), Span(text, "" if value else "dim")) for text in rows[1:])]


def slot_lines(
    place: str, cell: Cell, fill: TlbFilled | None, scene: Scene, now: str, width: int
) -> list[Line]:
    """What one place of a TLB holds, how it came there, and whether memory still says so (`now`: what it says)."""
    tags = f" {cell.tags}" if cell.tags else ""
    rows = [
        line(Span(f"{place}: {cell.name}", "name")),
        line(f"{hexadecimal(cell.linear)} → frame {cell.frame:#x}, {cell.rights}{tags}"),
        line(Span(f"used {cell.age}; walked by {cell.filler}", "dim")),
        line(""),
    ]
    if fill is not None:
        rows += _sentence("+", "fill", explain(fill, scene), width)
    if cell.stale:
        text = f"Stale: memory says otherwise by now: {now}. Until it is invalidated, the CPU believes this entry."
        rows += _sentence("≠", "stale", text, width)
    else:
        rows += _sentence("=", "good", f"Memory still says the same: {now}.", width)
    return rows
