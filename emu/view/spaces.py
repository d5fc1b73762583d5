# SPDX-License-Identifier: GPL-2.0-or-later
"""The address spaces: each process's ranges, with their rights."""

from collections.abc import Sequence
from dataclasses import dataclass

from emu.bits import PAGE_SHIFT, hexadecimal
from emu.view.inspector import Process
from emu.view.names import kind_name
from emu.view.spans import Line, Span, harmless, line


@dataclass(frozen=True, slots=True)
class RangeRow:
    """One area: `pages` long from `start`. `here`: the last access fell in it."""

    start: int
    pages: int
    name: str
    rights: str
    here: bool
    changed: bool


@dataclass(frozen=True, slots=True)
class Space:
    """One process and its ranges; `loaded`: its tables are in CR3."""

    name: str
    state: str
    loaded: bool
    ranges: tuple[RangeRow, ...]


def space_rows(
    processes: Sequence[Process], root: int | None, linear: int | None, before: Sequence[Space]
) -> tuple[Space, ...]:
    """The spaces of `processes` but the idle one; `linear` marks the range of the last access in the loaded one."""
    old = {space.name: {(r.start, r.pages, r.name, r.rights) for r in space.ranges} for space in before}
    return tuple(
        _space(p, p.root == root, linear, old.get(str(p)), bool(before)) for p in processes if p.pid > 0
    )


def _space(
    process: Process,
    loaded: bool,
    linear: int | None,
    old: set[tuple[int, int, str, str]] | None,
    known: bool,
) -> Space:
    rows: list[RangeRow] = []
    for area in process.areas:
        pages = (area.end - area.start) >> PAGE_SHIFT
        rights = {"none": "---", "read": "r--"}.get(area.rights, area.rights.replace("-", ""))
        rights = rights if len(rights) == 3 else "".join(c if c in rights else "-" for c in "rwx")
        key = (area.start, pages, kind_name(area), rights)
        here = loaded and linear is not None and area.start <= linear < area.end
        rows.append(RangeRow(*key, here, known and (old is None or key not in old)))
    return Space(str(process), process.state, loaded, tuple(rows))


def space_lines(spaces: Sequence[Space]) -> list[Line]:
    """The loaded space first, each range on a line."""
    if not spaces:
        return [line(Span("no process yet", "dim"))]
    rows: list[Line] = []
    for space in sorted(spaces, key=lambda s: not s.loaded):
        mark = "▸ " if space.loaded else "  "
        rows.append(line(mark, Span(harmless(space.name), "name"), Span(f"  {space.state}", "dim")))
        rows += [_range_line(row) for row in space.ranges]
    return rows


def _range_line(row: RangeRow) -> Line:
    mark = "▸" if row.here else " "
    return line(
        Span(f" {mark}{hexadecimal(row.start, 12)} ", "here" if row.here else "number", row.changed),
        Span(f"{row.pages:>2}p ", "dim"),
        Span(row.rights, "flag", row.changed),
        Span(f" {row.name}", "shared" if row.name == "shared window" else "name", row.changed),
    )
