# SPDX-License-Identifier: GPL-2.0-or-later
"""Every entry that a set of root tables reaches, read once: what a rule then looks at.

Level by level from the roots down. A table that is reached twice with the same rights is read once, so that what
several address spaces share costs nothing more, and tables that refer to themselves come to an end.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from struct import unpack
from typing import Final, NamedTuple

from emu.bits import LinearAddress, PhysicalAddress, sign_extend
from emu.checker.findings import Place
from emu.mem import PhysicalMemory
from emu.paging.formats import PS, RW, US, P
from emu.paging.modes import PlannedLevel, Side
from emu.paging.rights import Controls, Rights

LIMIT: Final = 1 << 17
"""How much work one check may take, in steps: tables read, runs of pages, references, comparisons."""
_LETTERS: Final = {4: "I", 8: "Q"}


class Budget:
    """How much may still be done."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def spend(self) -> bool:
        """Take one step; False if there is none left."""
        self.left -= 1
        return self.left >= 0

    @property
    def spent(self) -> bool:
        """Whether something had to be left out."""
        return self.left < 0


@dataclass(slots=True, eq=False)
class Table:
    """A paging structure, as it is reached with one set of rights.

    `linear` is the first address it translates, where it was reached first; `above` the tables on the way there.
    `granted` and `denied` are the entries on the way ANDed and ORed.
    """

    address: PhysicalAddress
    linear: int
    granted: int
    denied: int
    above: tuple[PhysicalAddress, ...]
    spaces: list[str]

    def add_spaces(self, spaces: list[str]) -> None:
        """Note that these address spaces reach it too."""
        self.spaces += [space for space in spaces if space not in self.spaces]


class Reference(NamedTuple):
    """A present entry of `table`, or a run of them; what it refers to begins at `target`.

    A run: `count` consecutive entries that map pages and differ in nothing but the frame, which counts up.
    `granted` and `denied` are all entries up to this one ANDed and ORed, `rights` what they give; `reserved` are the
    reserved bits that are set. `linear` is as the table gives it, not yet canonical.
    """

    table: Table
    level: PlannedLevel
    side: Side
    linear: int
    entry: PhysicalAddress
    value: int
    granted: int
    denied: int
    rights: Rights
    target: PhysicalAddress
    reserved: int = 0
    count: int = 1  # pyright: ignore[reportIncompatibleMethodOverride]  # hides tuple.count

    @property
    def page_bytes(self) -> int:
        """How much linear space each entry covers."""
        return self.level.level.page_bytes

    @property
    def size_bytes(self) -> int:
        """How much linear space all of them cover."""
        return self.count * self.page_bytes

    @property
    def end(self) -> int:
        """The physical address behind the last page of the run."""
        return self.target + self.size_bytes


@dataclass
class Survey:
    """What the roots reach. `runs` map pages, `links` refer to tables, `broken` have reserved bits set."""

    controls: Controls
    budget: Budget
    runs: list[Reference]
    links: list[Reference]
    broken: list[Reference]
    tables: set[PhysicalAddress]

    def place(self, found: Reference, offset: int = 0, size_bytes: int | None = None) -> Place:
        """Where `found` is, or the part of its linear range that begins `offset` bytes in."""
        size = found.size_bytes - offset if size_bytes is None else size_bytes
        mode, first = self.controls.mode, offset // found.page_bytes
        linear = found.linear + offset
        step = first * found.page_bytes if found.side.maps_page else 0
        return Place(
            tuple(found.table.spaces),
            LinearAddress(sign_extend(linear, mode.linear_bits) if mode.sign_extended else linear),
            size,
            found.level.level.name,
            PhysicalAddress(found.entry + first * mode.entry_bytes),
            found.value + step,
            mode.entry_bytes,
            (offset + size - 1) // found.page_bytes - first + 1,
        )


def survey(
    memory: PhysicalMemory, controls: Controls, roots: Mapping[str, PhysicalAddress], budget: Budget
) -> Survey:
    """Read what the root tables `roots`, by the name of their address space, reach under `controls`."""
    found = Survey(controls, budget, [], [], [], set())
    here = _root_tables(roots)
    for depth, level in enumerate(controls.levels):
        below: dict[tuple[PhysicalAddress, Rights], Table] = {}
        for table in here:
            if not budget.spend():
                return found
            found.tables.add(table.address)
            for link in _read_table(found, level, table, _entries(memory, controls, table, depth)):
                if link.target < memory.size_bytes:
                    _descend(below, link)
        here = list(below.values())
    return found


def _root_tables(roots: Mapping[str, PhysicalAddress]) -> list[Table]:
    tables: dict[PhysicalAddress, Table] = {}
    for space, root in roots.items():
        tables.setdefault(root, Table(root, 0, RW | US, 0, (), [])).add_spaces([space])
    return list(tables.values())


def _entries(memory: PhysicalMemory, controls: Controls, table: Table, depth: int) -> tuple[int, ...]:
    """The entries of a table; the root of PAE paging is in registers where its address space is the loaded one."""
    mode = controls.mode
    if depth == 0 and mode.root_in_registers and table.address == controls.root and controls.pdptes:
        return controls.pdptes
    count = 1 << mode.levels[depth].index_bits
    data = memory.read(table.address, count * mode.entry_bytes)
    return unpack(f"<{count}{_LETTERS[mode.entry_bytes]}", data) if data.strip(b"\0") else ()


def _read_table(
    found: Survey, level: PlannedLevel, table: Table, entries: tuple[int, ...]
) -> list[Reference]:
    """Note what every present entry of `table` refers to; those that refer to tables are returned too."""
    page_bytes, entry_bytes = level.level.page_bytes, found.controls.mode.entry_bytes
    links: list[Reference] = []
    for index, count, raw, side in _spans(entries, level):
        if not found.budget.spend():
            break
        linear = table.linear + index * page_bytes
        entry = PhysicalAddress(table.address + index * entry_bytes)
        granted, denied = table.granted & (raw | side.implied), table.denied | raw
        here = Reference(
            table=table,
            level=level,
            side=side,
            linear=linear,
            entry=entry,
            value=raw,
            granted=granted,
            denied=denied,
            rights=Rights.of(granted, denied),
            target=side.format.frame(raw),
            reserved=raw & side.reserved,
            count=count,
        )
        (found.broken if here.reserved else found.runs if side.maps_page else links).append(here)
    found.links += links
    return links


def _spans(entries: tuple[int, ...], level: PlannedLevel) -> Iterator[tuple[int, int, int, Side]]:
    """(index, count, value, side) of each present entry, or of the first of a run of pages."""
    page_bytes, index, end = level.level.page_bytes, 0, len(entries)
    while index < end:
        first, raw = index, entries[index]
        index += 1
        if raw & P:
            side = level.sides[1 if raw & PS else 0]
            expected = _following(raw, side, page_bytes)
            while index < end and entries[index] == expected:
                index += 1
                expected = _following(expected, side, page_bytes)
            yield first, index - first, raw, side


def _following(raw: int, side: Side, page_bytes: int) -> int:
    """The entry that maps the frame behind in the same way; -1 if there is none."""
    mask = side.address_mask
    if not side.maps_page or (raw & mask) + page_bytes > mask or (raw | raw + page_bytes) & side.reserved:
        return -1
    return raw + page_bytes


def _descend(below: dict[tuple[PhysicalAddress, Rights], Table], link: Reference) -> None:
    """See to it that the table `link` refers to is read next, once for each set of rights."""
    above, key = link.table, (link.target, link.rights)
    if key not in below:
        way = (*above.above, above.address)
        below[key] = Table(link.target, link.linear, link.granted, link.denied, way, [])
    below[key].add_spaces(above.spaces)
