# SPDX-License-Identifier: GPL-2.0-or-later
"""The TLB arrays as grids of sets and ways, or as a table, with a glyph for what the last instruction did.

The paging-structure caches, if the geometry has any, are one more such grid: a row for each of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from emu.bits import LinearAddress, hexadecimal, size_name
from emu.events import Accessed, Event, TlbEvicted, TlbFilled
from emu.mmu import Mmu
from emu.tlb.cache import TlbArray
from emu.tlb.entry import TlbEntry
from emu.tlb.structure_cache import Place
from emu.view.inspector import Inspector
from emu.view.scene import NameOf, entry_tags, frame_number, linear_text
from emu.view.spans import Line, Span, clip, line, linked

STRUCTURES: Final = "structure caches"
_CELL: Final = 10
"""A cell has so many columns or more; one of a paging-structure cache, whose pages seldom have names, needs more."""
_WIDE_CELL: Final = 22
_ROOMY: Final = 24
"""A cell of so many columns has room for frame and rights."""
_TABLE: Final = 76
"""A panel of so many columns has room for a line an entry."""
_LONGEST_NAME: Final = 24


@dataclass(frozen=True, slots=True)
class Cell:
    """One place. `glyph`: ● hit, ◐ hit in level 2, + filled, ≠ stale, · nothing happened, blank if empty.

    `tags` are what is not usual of the translation: its page size, PCID, of what it is a piece. `age` says how many
    uses ago it was used (under FIFO: filled), `filler` which instruction made the walk.
    """

    glyph: str
    name: str
    linear: int
    frame: int
    rights: str
    tags: str
    age: str
    filler: str
    changed: bool
    stale: bool

    @property
    def identity(self) -> tuple[int, int, str, str]:
        """What makes it this translation and no other."""
        return self.linear, self.frame, self.rights, self.tags


EMPTY: Final = Cell(" ", "", -1, 0, "", "", "", "", False, False)
_ROLES: Final = {"●": "hit", "◐": "hit", "+": "fill", "≠": "stale"}


@dataclass(frozen=True, slots=True)
class ArrayGrid:
    """One array, set by set. `labels` name the sets, `left` what was evicted from it in this step.

    `ages` says what the ages of its cells are counted from.
    """

    name: str
    shape: str
    ages: str
    labels: tuple[str, ...]
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
            if any(cell.glyph in _ROLES for cell in row):
                return number
        return next((n for n, row in enumerate(self.sets) if any(c.linear >= 0 for c in row)), 0)

    @property
    def held(self) -> list[tuple[int, int]]:
        """(set, way) of each place that holds a translation, in order."""
        return [
            (n, way) for n, row in enumerate(self.sets) for way, cell in enumerate(row) if cell.linear >= 0
        ]

    @property
    def happened(self) -> tuple[int, int] | None:
        """(set, way) of the place that the last instruction used or filled, None if it left this array alone."""
        for glyphs in ("+", "●◐", "≠"):
            for place in self.held:
                if self.sets[place[0]][place[1]].glyph in glyphs:
                    return place
        return None

    def lines(self, width: int, height: int, selected: tuple[int, int] | None = None) -> list[Line]:
        """The sets that hold something, in their order, around the one where something happened or is `selected`.

        A wide panel has a line for each entry, with all that is known of it.
        """
        centre = self.focus if selected is None else selected[0]
        held = [(n, row) for n, row in enumerate(self.sets) if any(c.linear >= 0 for c in row)]
        if not held:
            return [line(Span("nothing cached", "dim"))]
        if width >= _TABLE:
            return self._table(width, height, selected)
        room = height - len(self.left[:1])
        ways = max(len(row) for _, row in held)
        margin = max(map(len, self.labels))
        least = _WIDE_CELL if self.name == STRUCTURES else _CELL
        columns = max(1, min(ways, (width - margin) // least))
        rows: list[Line] = []
        focus = 0
        for number, row in held:
            if number <= centre:
                focus = len(rows)
            marked = selected[1] if selected is not None and selected[0] == number else None
            rows += _set_lines(self.labels[number], number, row, columns, (width - margin) // columns, marked)
        return [*self._around(rows, focus, room, width), *self._gone()]

    def _table(self, width: int, height: int, selected: tuple[int, int] | None) -> list[Line]:
        """A line for each entry, with all that is known of it."""
        held = [
            (number, way, cell)
            for number, row in enumerate(self.sets)
            for way, cell in enumerate(row)
            if cell.linear >= 0
        ]
        columns = _columns(self.labels, [cell for _, _, cell in held])
        rows = [
            linked(
                _table_line(f"{self.labels[n].rstrip()}.{way}", cell, columns, (n, way) == selected),
                f"slot:{n}.{way}",
            )
            for n, way, cell in held
        ]
        centre = (self.focus, 0) if selected is None else selected
        focus = sum((number, way) < centre for number, way, _ in held)
        room = height - 1 - len(self.left[:1])
        head = _table_head(columns, self.ages)
        return [clip(head, width), *self._around(rows, focus, room, width), *self._gone()]

    @staticmethod
    def _around(rows: list[Line], focus: int, room: int, width: int) -> list[Line]:
        """As many rows as there is room for, with that number `focus` among them."""
        start = max(0, min(focus - room // 2, len(rows) - room))
        return [clip(row, width) for row in rows[start : start + room]]

    def _gone(self) -> list[Line]:
        return [line(Span(f"− {name} left", "evict")) for name in self.left[:1]]


def _set_lines(
    label: str, number: int, row: Sequence[Cell], columns: int, width: int, selected: int | None
) -> list[Line]:
    every = list(enumerate(row))
    cells = [(way, c) for way, c in every if c.linear >= 0] if len(row) > columns else every
    lines: list[Line] = []
    for first in range(0, len(cells), columns):
        parts = [Span(label if not first else " " * len(label), "dim")]
        for way, cell in cells[first : first + columns]:
            parts += linked(tuple(_cell(cell, width, way == selected)), f"slot:{number}.{way}")
        lines.append(tuple(parts))
    return lines


def _cell(cell: Cell, width: int, selected: bool) -> list[Span]:
    if cell.linear < 0:
        return [Span(f" {'·':<{width - 1}}", "dim")]
    role = _ROLES.get(cell.glyph, "")
    more = f" → {cell.frame:x} {cell.rights}" if width >= _ROOMY else ""
    tags = f" {cell.tags}" if cell.tags and len(cell.name) + len(more) + len(cell.tags) < width - 2 else ""
    name = cell.name if len(cell.name) <= width - 2 else cell.name[: width - 3] + "…"
    pad = max(0, width - 2 - len(name) - len(tags) - len(more))
    mark = "▸" if selected else " "
    return [
        Span(mark, "here"),
        Span(cell.glyph, role),
        Span(name, "here" if selected else role, cell.changed),
        Span(tags + more, "dim"),
        Span(" " * pad),
    ]


class _Columns(NamedTuple):
    """How wide the columns of a table are."""

    place: int
    name: int
    rights: int
    age: int


_HEADINGS: Final = _Columns(6, 8, 8, 8)
"""The least, for the table's headings."""


def _columns(labels: Sequence[str], cells: Sequence[Cell]) -> _Columns:
    return _Columns(
        max(_HEADINGS.place, *(len(label) + 3 for label in labels)),
        min(_LONGEST_NAME, max(_HEADINGS.name, *(len(cell.name) for cell in cells))),
        max(_HEADINGS.rights, *(len(_rights(cell)) for cell in cells)),
        max(_HEADINGS.age, *(len(cell.age) for cell in cells)),
    )


def _rights(cell: Cell) -> str:
    return f"{cell.rights} {cell.tags}".rstrip()


def _table_head(columns: _Columns, age: str) -> Line:
    text = (
        f"{'where':<{columns.place}}  {'page':<{columns.name}} → {'frame':<6} {'rights':<{columns.rights}} "
    )
    return line(Span(f"{text}{age:<{columns.age}} walked by (instruction)", "dim"))


def _table_line(place: str, cell: Cell, columns: _Columns, selected: bool) -> Line:
    role = "here" if selected else _ROLES.get(cell.glyph, "")
    name = cell.name if len(cell.name) <= columns.name else cell.name[: columns.name - 1] + "…"
    return line(
        Span(f"{place:<{columns.place}}", "dim"),
        Span("▸" if selected else " ", "here"),
        Span(cell.glyph, role),
        Span(f"{name:<{columns.name}}", role, cell.changed),
        Span(f" → {cell.frame:<6x} {_rights(cell):<{columns.rights}}", "dim"),
        Span(f" {cell.age:<{columns.age}}", "number"),
        Span(f" {cell.filler}", "dim"),
    )


class Names(NamedTuple):
    """The guest's names: `page` of the page at a linear address, short; `full` of what lies at one."""

    page: NameOf
    full: NameOf


# -- out of the machine -----------------------------------------------------------------------------------------------


def tlb_grids(
    inspector: Inspector, step: Sequence[Event], names: "Names", before: Sequence[ArrayGrid]
) -> tuple[ArrayGrid, ...]:
    """Every array, level 1 data first, and the structure caches. `before`: the grids of the last stop, or empty."""
    maker = _CellMaker(inspector, _marks(inspector, step), names)
    old = {grid.name: grid for grid in before}
    tlb = inspector.machine.mmu.tlb
    arrays = sorted(tlb.arrays, key=lambda a: (a.geometry.level, "fetch" in a.geometry.types))
    grids = [maker.grid(array, step, old.get(array.name)) for array in arrays]
    if tlb.structures.caches:
        grids.append(maker.structure_grid(step, old.get(STRUCTURES)))
    return tuple(grids)


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


class _CellMaker:
    """Makes the cells of one stop. Names are looked up once for each translation, not at every stop."""

    def __init__(self, inspector: Inspector, marks: dict[tuple[str, int, int], str], names: Names) -> None:
        self._inspector = inspector
        self._mmu = inspector.machine.mmu
        self._marks = marks
        self._names = names

    def grid(self, array: TlbArray, step: Sequence[Event], before: ArrayGrid | None) -> ArrayGrid:
        """The grid of one array."""
        sets = tuple(
            tuple(
                self._cell(
                    (array.name, slot.set, slot.way),
                    slot.entry,
                    ago(array.age(slot)),
                    before.sets[slot.set][slot.way] if before else None,
                )
                for slot in row
            )
            for row in array.slots
        )
        shape = array.geometry
        text = (
            f"{shape.entries} = {shape.sets}x{shape.way_count}" if shape.sets > 1 else f"{shape.entries} full"
        )
        policy = "" if shape.policy == "lru" else f" {shape.policy}"
        labels = tuple(f"{number:>3}" for number in range(shape.sets))
        left = self._left(array.name, step, " (set {})")
        return ArrayGrid(array.name, text + policy, age_word(array), labels, sets, left)

    def structure_grid(self, step: Sequence[Event], before: ArrayGrid | None) -> ArrayGrid:
        """The paging-structure caches, a row for each."""
        caches = list(self._mmu.tlb.structures.caches.values())
        old = before.sets if before else ((),) * len(caches)
        sets = tuple(
            tuple(
                self._cell(
                    (cache.name, 0, place.way),
                    place.entry,
                    ago(cache.clock - place.stamp),
                    cells[place.way] if cells else None,
                )
                for place in cache.places
            )
            for cache, cells in zip(caches, old, strict=True)
        )
        width = max(len(cache.level) for cache in caches)
        labels = tuple(f"{cache.level:<{width}}" for cache in caches)
        left = tuple(text for cache in caches for text in self._left(cache.name, step, f" ({cache.level})"))
        shape = " + ".join(str(len(cache.places)) for cache in caches)
        return ArrayGrid(STRUCTURES, shape, "last use", labels, sets, left)

    def _left(self, name: str, step: Sequence[Event], place: str) -> tuple[str, ...]:
        gone = (e for e in step if isinstance(e, TlbEvicted) and e.array == name)
        return tuple(f"{self._names.page(e.page * e.page_bytes)}{place.format(e.set)}" for e in gone)

    def _cell(self, place: tuple[str, int, int], entry: TlbEntry | None, age: str, old: Cell | None) -> Cell:
        if entry is None:
            return EMPTY
        linear, frame, tags = entry.linear, frame_number(entry.frame), entry_tags(entry)
        same = old is not None and old.identity == (linear, frame, entry.rights, tags)
        stale = is_stale(entry, self._mmu)
        return Cell(
            glyph="≠" if stale else self._marks.get(place, "·"),
            name=old.name if old is not None and same else self._names.page(linear),
            linear=linear,
            frame=frame,
            rights=entry.rights,
            tags=tags,
            age=age,
            filler=old.filler
            if old is not None and same
            else filler_text(entry, self._inspector, self._names.full),
            changed=old is not None and not same,
            stale=stale,
        )


# -- words about entries ----------------------------------------------------------------------------------------------


def is_stale(entry: TlbEntry, mmu: Mmu) -> bool:
    """Whether memory says otherwise by now; compared only if what the entry was made from has been written."""
    return entry.suspect and mmu.controls is not None and mmu.is_stale(entry)


def age_word(array: TlbArray) -> str:
    """What the ages of an array's entries count from."""
    return "filled" if array.geometry.policy == "fifo" else "last use"


def ago(uses: int) -> str:
    """An age in words."""
    return f"{uses:,} ago" if uses else "now"


def filler_text(entry: TlbEntry, inspector: Inspector, name: NameOf) -> str:
    """Which instruction made the walk: where it stands, and its number.

    User code has a name only if it must be that of the loaded address space: others have code at the same addresses.
    """
    rip, mmu = entry.filled_rip, inspector.machine.mmu
    ours = not entry.is_global and entry.pcid == mmu.pcid
    known = ours or inspector.symbols.is_kernel_address(rip)
    return f"{name(rip) if known else linear_text(rip, mmu.controls)} ({entry.filled_insn:,})"


def structure_lines(places: Iterable[Place], inspector: Inspector) -> list[str]:
    """What the paging-structure caches hold, a line an entry."""
    controls = inspector.machine.mmu.controls
    rows: list[str] = []
    for place in places:
        entry = place.entry
        if entry is not None:
            covered = f"{linear_text(entry.linear, controls)} ({size_name(entry.page_bytes)})"
            rows.append(f"{place.name} {covered} -> table at {hexadecimal(entry.frame, 8)} {entry.rights}")
    return rows
