# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines made for a page of 80 columns, in a panel that is narrower: tables keep their columns, dumps their bytes."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from emu.view.spans import wrap

_MADE_FOR: Final = 80
_DUMP: Final = re.compile(r"^ *([-+=]?) *(\+[0-9a-f]{4})  ((?:[0-9a-f]{2} ){1,15}[0-9a-f]{2}) *  (.{1,16})$")
_EVENT: Final = re.compile(r"^  (ring \d)  ([a-z]\w*) +(\S.*)$")
_MEMBER: Final = re.compile(
    r"^ *([-+=]) (\+[0-9a-f]{2}) (\w*) *  ?((?:[0-9a-f]{2} ){0,7}[0-9a-f]{2})(?: {2,}(.*))?$"
)
_SHORT: Final = 7
"""A cell with so many characters is not wrapped."""
_MANY: Final = 5
"""A table with so many columns goes on below itself if it does not fit."""
_SPACINGS: Final = ((2, 2), (1, 2), (2, 1), (1, 1), (0, 1))
"""(indent, blanks between columns) of a table, the roomiest first."""


def narrowed(lines: Sequence[str], width: int) -> list[str]:
    """`lines` in at most `width` columns. Lines that fit as they are stay as they are."""
    if all(len(text) <= width for text in lines):
        return list(lines)
    return [text for block in _blocks(_joined(lines)) for text in _block(block, width)]


def folded(text: str, width: int) -> list[str]:
    """A line in pieces of at most `width`, columns kept; what goes on is indented."""
    if len(text) <= width:
        return [text]
    lead = text[: min(6, _indent(text))]
    return [lead + part for part in wrap(text, width - len(lead), "    ")]


def _joined(lines: Sequence[str]) -> list[str]:
    """`lines` with those put together that were one before they were wrapped."""
    rows: list[str] = []
    last = ""
    for text in lines:
        if rows and _goes_on(last, text, rows[-1]):
            glue = "" if re.search(r"\w-$", rows[-1]) else " "
            rows[-1] = rows[-1].rstrip() + glue + text.strip()
        else:
            rows.append(text)
        last = text
    return rows


def _goes_on(before: str, text: str, begun: str) -> bool:
    word = text.split(maxsplit=1)[0] if text.strip() else ""
    wrapped = bool(word) and len(before.rstrip()) + len(word) >= _MADE_FOR and not before.endswith(":")
    return wrapped and _indent(text) > _indent(begun)


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


def _blocks(lines: Sequence[str]) -> Iterator[list[str]]:
    """Runs of indented lines, and each of the others alone."""
    run: list[str] = []
    for text in lines:
        if text.startswith(" ") and not any(kind.match(text) for kind in (_DUMP, _EVENT, _MEMBER)):
            run.append(text)
            continue
        if run:
            yield run
        run = []
        yield [text]
    if run:
        yield run


def _block(block: list[str], width: int) -> list[str]:
    if all(len(text) <= width for text in block):
        return block
    if (dump := _DUMP.match(block[0])) is not None:
        mark, offset, digits, text = dump.groups()
        return _bytes(mark, offset, digits, text, width)
    if (member := _MEMBER.match(block[0])) is not None:
        mark, offset, name, digits, meaning = member.groups("")
        return _member(mark, offset, name, digits, meaning, width)
    if (event := _EVENT.match(block[0])) is not None:
        return ["  " + part for part in wrap(" ".join(event.groups()), width - 2, "    ")]
    table = _table(block) if len(block) > 1 else None
    return table.laid_out(width) if table is not None else [part for t in block for part in folded(t, width)]


def _bytes(mark: str, offset: str, digits: str, text: str, width: int) -> list[str]:
    """A row of a dump in rows of eight bytes, or of four."""
    lead = f"{mark} " if mark else ""
    each = 8 if len(lead) + len(offset) + 8 * 4 + 1 <= width else 4
    found = digits.split()
    return [
        f"{lead}+{int(offset, 16) + at:04x} {' '.join(found[at : at + each]):<{3 * each - 1}} {text[at : at + each]}"
        for at in range(0, len(found), each)
    ]


def _member(mark: str, offset: str, name: str, digits: str, meaning: str, width: int) -> list[str]:
    """A member of a structure: its name and meaning, and below them its bytes."""
    if not name:
        return [f"{mark} {offset} {digits}"]
    return [*wrap(f"{mark} {offset} {name} {meaning}", width, f"{'':6}"), f"{'':6}{digits}"]


@dataclass(frozen=True)
class _Table:
    """Cells by row and column; `right` says which columns are flush right."""

    rows: tuple[tuple[str, ...], ...]
    right: tuple[bool, ...]

    def laid_out(self, width: int) -> list[str]:
        """The table in `width` columns: closer, or with wrapped cells, or in parts, or row by row."""
        natural = self._widths(len)
        for indent, gap in _SPACINGS:
            if indent + sum(natural) + gap * (len(natural) - 1) <= width:
                return self._lines(natural, indent, gap)
        least = self._widths(_narrowest)
        if sum(least) + len(least) - 1 > width:
            return self._in_parts(width) if len(least) >= _MANY else self._row_by_row(width)
        return self._lines(_shrunk(natural, least, width), 0, 1)

    def _widths(self, measure: Callable[[str], int]) -> list[int]:
        return [max(measure(row[i]) for row in self.rows) for i in range(len(self.right))]

    def _in_parts(self, width: int) -> list[str]:
        """Some columns, then the others below, each time behind the first; else each row for itself."""
        widths = self._widths(len)
        parts: list[list[int]] = [[0]]
        for column in range(1, len(widths)):
            if len(parts[-1]) > 1 and sum(widths[i] + 1 for i in parts[-1]) + widths[column] > width:
                parts.append([0])
            parts[-1].append(column)
        if len(parts) == 1 or any(sum(widths[i] + 1 for i in part) - 1 > width for part in parts):
            return self._row_by_row(width)
        lines: list[str] = []
        for part in parts:
            rows = tuple(tuple(row[i] for i in part) for row in self.rows)
            lines += [
                *([""] if lines else []),
                *_Table(rows, tuple(self.right[i] for i in part)).laid_out(width),
            ]
        return lines

    def _row_by_row(self, width: int) -> list[str]:
        """What a row begins with, and below it the rest."""
        lines: list[str] = []
        for first, *rest in self.rows:
            lines += folded(first, width)
            lines += ["    " + part for part in wrap(" · ".join(filter(None, rest)), width - 4)]
        return lines

    def _lines(self, widths: Sequence[int], indent: int, gap: int) -> list[str]:
        lines: list[str] = []
        for row in self.rows:
            cells = [wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
            for number in range(max(map(len, cells))):
                parts = [cell[number] if number < len(cell) else "" for cell in cells]
                padded = [
                    part.rjust(width) if right else part.ljust(width)
                    for part, width, right in zip(parts, widths, self.right, strict=True)
                ]
                lines.append((" " * indent + (" " * gap).join(padded)).rstrip())
        return lines


def _narrowest(cell: str) -> int:
    """How narrow a column may become for this cell."""
    return len(cell) if len(cell) <= _SHORT else max(map(len, cell.split()), default=0)


def _shrunk(natural: Sequence[int], least: Sequence[int], width: int) -> list[int]:
    """Widths that fit: the widest columns give first, the one that names the rows last."""
    found = list(natural)
    while sum(found) + len(found) - 1 > width:
        can = [i for i in range(len(found)) if found[i] > least[i]]
        found[max(can, key=lambda i: (i > 0, found[i]))] -= 1
    return found


def _table(block: Sequence[str]) -> _Table | None:
    """The block as a table, if two blanks or more stand in the same places of all its lines."""
    total = max(map(len, block))
    rows = [text.ljust(total) for text in block]
    blank = [all(row[i] == " " for row in rows) for i in range(total)]
    cuts: list[tuple[int, int]] = []
    start: int | None = None
    for i in range(total + 1):
        in_gap = i >= total or (blank[i] and (i + 1 >= total or blank[i + 1] or blank[i - 1]))
        if not in_gap and start is None:
            start = i
        elif in_gap and start is not None:
            cuts.append((start, i))
            start = None
    if len(cuts) < 2:
        return None
    right = tuple(_is_right([row[a:b] for row in rows]) for a, b in cuts)
    return _Table(tuple(tuple(row[a:b].strip() for a, b in cuts) for row in rows), right)


def _is_right(cells: Sequence[str]) -> bool:
    """Whether what stands in a column ends in one place, and does not begin in one."""
    filled = [cell for cell in cells if cell.strip()]
    return len({len(cell.rstrip()) for cell in filled}) == 1 and len({_indent(cell) for cell in filled}) > 1
