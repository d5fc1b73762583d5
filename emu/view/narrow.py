# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables of a page of 80 columns in fewer: gaps shrink first, then the last column goes on below itself."""

import re
from collections.abc import Sequence
from typing import Final

from emu.view.spans import wrap

_PAGE: Final = 80
"""The width for which a lesson's views are made, and at which they wrap themselves."""
_DUMP: Final = re.compile(
    r"^( *(?:[-+=] )?)(?:\+([0-9a-f]{4})  )?([0-9a-f]{2}(?: [0-9a-f]{2}| {3}){15})  (.{0,16})$"
)
"""Up to sixteen bytes, as `dump` of emu.lesson.views writes them, perhaps behind an offset."""
_PAIR: Final = re.compile(r"^ +(\w+ +0x[0-9a-f_]+) +(\w+ +0x[0-9a-f_]+)$")
_CHART: Final = re.compile(r"^(.*?)(#+|\|[ a-z]*)$")
_NUMBER: Final = re.compile(r"[~+-]?[\d,.]*%?|-")
_TALL: Final = 4
"""Lines that a row may take in its last column; what is longer goes on further to the left."""


def narrowed(rows: Sequence[str], width: int) -> list[str]:
    """`rows` in at most `width` columns. Indented rows are a table, the others its headings."""
    rows = [row.rstrip() for row in rows]
    if all(len(row) <= width for row in rows):
        return rows
    rows = [half for row in _joined(rows) for half in _halved(row, width)]
    rows = _in_blocks(_drawn(rows, width), width)
    rows, column = _squeezed(rows, width)
    return [part for row in rows for part in _hung(row, width, column)]


def _drawn(rows: Sequence[str], width: int) -> list[str]:
    """Bars of # and points behind a | drawn smaller, all on the same scale."""
    found = [_CHART.match(row) if row.startswith(" ") else None for row in rows]
    drawn = [match for match in found if match is not None]
    if len(drawn) < 2 or max(len(match[0]) for match in drawn) <= width:
        return list(rows)
    heads = [head.rstrip() for head in _squeezed([match[1] for match in drawn], 0)[0]]
    edge = max(map(len, heads))
    longest = max(len(match[2]) for match in drawn)
    made = (
        f"{head:<{edge}} {_smaller(match[2], width - edge - 1, longest)}"
        for head, match in zip(heads, drawn, strict=True)
    )
    return [row if match is None else next(made) for row, match in zip(rows, found, strict=True)]


def _smaller(drawing: str, room: int, longest: int) -> str:
    """A bar, or points, of at most `longest` columns in `room`; two points do not fall on one."""
    if drawing[:1] == "#":
        return "#" * max(1, len(drawing) * room // longest)
    points = ["|"]
    for at, sign in enumerate(drawing):
        if sign not in " |":
            points += " " * (at * (room - 1) // longest - len(points)) + sign
    return "".join(points)


def _in_blocks(rows: Sequence[str], width: int) -> list[str]:
    """A table of numbers with more columns than there is room for, as several, each with the first column."""
    table = [row for row in rows if row.startswith(" ")]
    gaps = [(0, 0), *((start, end) for start, end in _gaps(table) if end - start > 1 and start > 0)]
    ends = [start for start, _ in gaps[1:]] + [max(map(len, table), default=0)]
    cells = [[row[end:stop].strip() for (_, end), stop in zip(gaps, ends, strict=True)] for row in table]
    if (
        len(table) < 3
        or len(gaps) < 3
        or not all(_NUMBER.fullmatch(cell) for row in cells[1:] for cell in row[1:])
    ):
        return list(rows)
    widths = [max(len(row[n]) for row in cells) for n in range(len(gaps))]
    if sum(widths) + 2 * len(gaps) - 2 <= width:
        return list(rows)
    blocks: list[list[int]] = [[]]
    for column in range(1, len(gaps)):
        if blocks[-1] and widths[0] + sum(widths[n] + 2 for n in (*blocks[-1], column)) > width:
            blocks.append([])
        blocks[-1].append(column)
    first = next(number for number, row in enumerate(rows) if row.startswith(" "))
    shown = [
        f"{row[0]:<{widths[0]}}" + "".join(f"  {row[n]:>{widths[n]}}" for n in block)
        for block in blocks
        for row in cells
    ]
    lead = " " * min(2, width - max(map(len, shown)))
    return [*rows[:first], *(lead + row for row in shown), *rows[first + len(table) :]]


def _joined(rows: Sequence[str]) -> list[str]:
    """Rows that went on in a line of their own because the page was full, whole again."""
    whole: list[str] = []
    last = 0
    for row in rows:
        word = (row.split() or [""])[0]
        if whole and _indent(row) > _indent(whole[-1]) and last + 1 + len(word) > _PAGE:
            whole[-1] += " " + row.strip()
        else:
            whole.append(row)
        last = len(row)
    return whole


def _halved(row: str, width: int) -> list[str]:
    """Sixteen bytes of a dump as twice eight, each with its text; two registers one below the other."""
    if len(row) <= width:
        return [row]
    pair = _PAIR.match(row)
    if pair is not None:
        return [f"  {pair[1]}", f"  {pair[2]}"]
    found = _DUMP.match(row)
    if found is None:
        return [row]
    lead, at, data, text = found.groups()
    places = (f"+{at}  ", f"+{int(at, 16) + 8:04x}  ") if at else ("", "")
    halves = ((data[:23], text[:8]), (data[24:], text[8:]))
    return [
        f"{lead}{place}{half:<23}  {said}"
        for place, (half, said) in zip(places, halves, strict=True)
        if half.strip()
    ]


def _squeezed(rows: Sequence[str], width: int) -> tuple[list[str], int]:
    """(`rows` with the gaps of their table shrunk as far as needed, where a column begins in its left half).

    A gap is what is blank in all rows of the table. It keeps two columns, or one if then everything fits.
    """
    table = [row for row in rows if row.startswith(" ")]
    longest = max(map(len, table), default=0)
    gaps = _gaps(table)
    tight = [max(0, end - start - (start > 0)) for start, end in gaps]
    wide = [max(0, end - start - 2) for start, end in gaps]
    excess = longest - width
    spare = _shares(tight if sum(wide) < excess <= sum(tight) else wide, excess)
    gone = {at for (_, end), share in zip(gaps, spare, strict=True) for at in range(end - share, end)}
    starts = [
        end - sum(spare[: number + 1])
        for number, (start, end) in enumerate(gaps)
        if end - start > 1 and start > 0
    ]
    narrow = [
        "".join(c for at, c in enumerate(row) if at not in gone) if row[:1] == " " else row for row in rows
    ]
    fitting = [start for start in starts if start <= 3 * width // 5]
    longest -= len(gone)
    tall = [start for start in fitting if longest - start <= _TALL * (width - start)]
    return narrow, max(tall, default=min(fitting, default=0))


def _gaps(table: Sequence[str]) -> list[tuple[int, int]]:
    """(first column, column behind) of whatever is blank in all rows."""
    longest = max(map(len, table), default=0)
    marks = (" " if all(row[at : at + 1] in ("", " ") for row in table) else "x" for at in range(longest))
    return [found.span() for found in re.finditer(" +", "".join(marks))]


def _shares(spare: Sequence[int], excess: int) -> list[int]:
    """How much each gap gives, the widest first, until `excess` columns are gone or nothing is left."""
    given = [0] * len(spare)
    while sum(given) < min(excess, sum(spare)):
        given[max(range(len(spare)), key=lambda n: spare[n] - given[n])] += 1
    return given


def _hung(row: str, width: int, column: int) -> list[str]:
    """A row in pieces: what is too much goes on below `column`, or, if that is 0, a little to the right."""
    if len(row) <= width:
        return [row]
    if column and row.startswith(" ") and row[column - 1 : column] == " ":
        head, tail = row[:column], wrap(row[column:], width - column)
        return [head + tail[0], *(" " * column + part for part in tail[1:])]
    lead = row[: min(6, _indent(row))]
    return [lead + part for part in wrap(row, width - len(lead), "    ")]


def _indent(row: str) -> int:
    return len(row) - len(row.lstrip())
