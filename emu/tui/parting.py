# SPDX-License-Identifier: GPL-2.0-or-later
"""Two runs side by side at the point where they part, as lines."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Final

from emu.bits import hexadecimal
from emu.lesson.parting import Parting, Told
from emu.view.spans import Line, Span, harmless, line, wrap

_GAP: Final = " │ "
_MOST_REGISTERS: Final = 6
_MOST_FRAMES: Final = 10
_MOST_TLB: Final = 6


def parting_lines(parting: Parting, width: int) -> list[Line]:
    """The question, what both runs had in common, where they part, and how they end."""
    column = (width - len(_GAP)) // 2
    rows = [line(Span(text, "head")) for text in wrap(parting.question, width)]
    rows.append(line(""))
    heads = _columns([Span("as it was", "strong")], [Span("what if", "strong")], column)
    if not parting.a and not parting.b:
        rows.append(line(Span(f"No difference in what happened: {parting.same:,} events alike.", "good")))
    else:
        rows.append(line(Span(f"{parting.same:,} events alike, then they part:", "name")))
        rows += [*_common(parting.before, width), heads, *_side_by_side(parting.a, parting.b, column)]
    rows += [line(""), line(Span("at the end", "head")), heads]
    rows += _side_by_side_texts(*parting.ends, column)
    return rows + _state(parting, column, width)


def _common(before: Sequence[Told], width: int) -> list[Line]:
    rows: list[Line] = []
    for told in before:
        rows += [line(Span(text, "dim")) for text in wrap(f"= {_text(told)}", width, "  ")]
    return rows


def _text(told: Told) -> str:
    return harmless(f"{told.glyph or '·'} {told.insn:,} ring {told.ring}: {told.sentence}")


def _columns(left: Sequence[Span], right: Sequence[Span], column: int) -> Line:
    used = sum(len(span.text) for span in left)
    return line(*left, " " * max(0, column - used), Span(_GAP, "dim"), *right)


def _side_by_side(a: Sequence[Told], b: Sequence[Told], column: int) -> list[Line]:
    """Event beside event; the first pair is the difference, and lit."""
    rows: list[Line] = []
    for number, (one, other) in enumerate(zip_longest(a, b)):
        role = "changed" if not number else ""
        left = (
            wrap(_text(one), column, "  ")
            if one is not None
            else ["(the run has ended)" if not number else ""]
        )
        right = (
            wrap(_text(other), column, "  ")
            if other is not None
            else ["(the run has ended)" if not number else ""]
        )
        for x, y in zip_longest(left, right, fillvalue=""):
            rows.append(_columns([Span(x, role)], [Span(y, role)], column))
    return rows


def _side_by_side_texts(a: str, b: str, column: int) -> list[Line]:
    left, right = wrap(harmless(a), column, "  "), wrap(harmless(b), column, "  ")
    return [_columns([Span(x)], [Span(y)], column) for x, y in zip_longest(left, right, fillvalue="")]


def _state(parting: Parting, column: int, width: int) -> list[Line]:
    found = parting.comparison
    rows: list[Line] = []
    for name, one, other in found.registers[:_MOST_REGISTERS]:
        rows.append(
            _columns(
                [Span(f"{name:<7}", "dim"), Span(hexadecimal(one), "number")],
                [Span(f"{name:<7}", "dim"), Span(hexadecimal(other), "number")],
                column,
            )
        )
    if len(found.registers) > _MOST_REGISTERS:
        rows.append(line(Span(f"and {len(found.registers) - _MOST_REGISTERS} more registers differ", "dim")))
    if found.frames:
        numbers = ", ".join(f"{frame:#x}" for frame in found.frames[:_MOST_FRAMES])
        more = " ..." if len(found.frames) > _MOST_FRAMES else ""
        rows += [
            line(text) for text in wrap(f"{len(found.frames)} frames differ: {numbers}{more}", width, "  ")
        ]
    rows += [line(Span(harmless(text), "dim")) for text in found.tlb[:_MOST_TLB]]
    rows += _consoles(found.consoles[0].splitlines(), found.consoles[1].splitlines(), column)
    if not rows:
        rows.append(line(Span("the same registers, memory, TLB and console", "good")))
    return rows


def _consoles(a: Sequence[str], b: Sequence[str], column: int) -> list[Line]:
    """The console from the first line that differs on."""
    first = next((n for n, (x, y) in enumerate(zip_longest(a, b)) if x != y), None)
    if first is None:
        return []
    rows = [line(""), line(Span("the console, from the first line that differs", "head"))]
    for x, y in zip_longest(a[first : first + 4], b[first : first + 4], fillvalue=""):
        rows += _side_by_side_texts(f"» {x}" if x else "", f"» {y}" if y else "", column)
    return rows
