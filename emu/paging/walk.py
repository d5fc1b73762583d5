# SPDX-License-Identifier: GPL-2.0-or-later
"""The walk: how a linear address becomes a physical one, one paging-structure entry at a time.

Source: SDM vol. 3A, "32-Bit Paging", 4.3; "PAE Paging", 4.4; "Linear-Address Translation with 4-Level Paging and
5-Level Paging", 4.5.4.
"""

from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple

from emu.bits import LinearAddress, PhysicalAddress
from emu.paging.fault import Reason, Refusal
from emu.paging.formats import RW, US, Entry, G, P
from emu.paging.modes import PAE, Level
from emu.paging.rights import Controls, Rights

ReadEntry = Callable[[PhysicalAddress, int], int]
"""Reads an entry: its physical address and its size in bytes give its value."""


class Source(Enum):
    """Where a walk had an entry from."""

    MEMORY = "memory"
    REGISTER = "a PDPTE register"
    CACHE = "a paging-structure cache"


class WalkStep(NamedTuple):
    """One entry used, and where it was. `rights` are those so far, this entry included.

    A not-present entry limits nothing: its step keeps the rights from above.
    """

    level: Level
    table: PhysicalAddress
    index: int  # pyright: ignore[reportIncompatibleMethodOverride]  # hides tuple.index; a tuple for speed
    address: PhysicalAddress
    entry: Entry
    rights: Rights
    source: Source = Source.MEMORY


class Known(NamedTuple):
    """The upper part of a walk, as a paging-structure cache keeps it: entries root first, all present.

    `granted` and `denied` are their values ANDed and ORed (see Rights.of).
    """

    addresses: tuple[PhysicalAddress, ...]
    values: tuple[int, ...]
    granted: int
    denied: int


NOTHING_KNOWN: Final = Known((), (), RW | US, 0)


class Walk:
    """What walking `linear` found: entry `values` and the `addresses` they came from, root first; plain numbers.

    `reason` says why it ended without a translation (None: it has one). The first `known` entries were not read but
    taken from a paging-structure cache. Whether the access is allowed is for check() to say. `steps` are made when
    somebody looks.
    """

    __slots__ = ("_steps", "addresses", "controls", "known", "linear", "reason", "rights_so_far", "values")

    def __init__(
        self,
        linear: LinearAddress,
        controls: Controls,
        addresses: tuple[PhysicalAddress, ...],
        values: tuple[int, ...],
        known: int,
        reason: Reason | None,
        rights: Rights,
    ) -> None:
        self.linear = linear
        self.controls = controls
        self.addresses = addresses
        self.values = values
        self.known = known
        self.reason = reason
        self.rights_so_far = rights
        """Of all entries used."""
        self._steps: tuple[WalkStep, ...] | None = None

    @property
    def steps(self) -> tuple[WalkStep, ...]:
        """One step per entry, root first."""
        if self._steps is None:
            self._steps = tuple(self._make_steps())
        return self._steps

    def _make_steps(self) -> list[WalkStep]:
        mode, levels = self.controls.mode, self.controls.levels
        granted, denied = RW | US, 0
        steps: list[WalkStep] = []
        for at, (address, raw) in enumerate(zip(self.addresses, self.values, strict=True)):
            shift, index_mask, sides, level = levels[at]
            side = sides[raw >> 7 & 1]
            if raw & P:
                granted &= raw | side.implied
                denied |= raw
            index = self.linear >> shift & index_mask
            rights = Rights.of(granted, denied, raw if side.maps_page and raw & P else 0)
            table = PhysicalAddress(address - index * mode.entry_bytes)
            steps.append(
                WalkStep(level, table, index, address, Entry(raw, side.format), rights, self._source(at))
            )
        return steps

    def _source(self, at: int) -> Source:
        if at < self.known:
            return Source.CACHE
        return Source.REGISTER if at == 0 and self.controls.mode.root_in_registers else Source.MEMORY

    @property
    def first_read(self) -> int:
        """Which step is the first that was read from memory."""
        return max(self.known, int(self.controls.mode.root_in_registers))

    @property
    def reads(self) -> int:
        """How many entries were read from memory."""
        return max(0, len(self.values) - self.first_read)

    def upper(self, depth: int) -> Known:
        """The first `depth` entries, for a paging-structure cache to keep."""
        granted, denied = RW | US, 0
        for level, raw in zip(self.controls.levels[:depth], self.values, strict=False):
            granted &= raw | level.sides[0].implied
            denied |= raw
        return Known(self.addresses[:depth], self.values[:depth], granted, denied)

    @property
    def refusal(self) -> Refusal | None:
        """Why the walk ended without a translation, and at which step; None if it has one."""
        if self.reason is None:
            return None
        return Refusal(self.reason, self.steps[-1] if self.values else None)

    @property
    def complete(self) -> bool:
        """Whether the walk reached a page."""
        return self.reason is None

    def _leaf_level(self) -> int:
        """Which level maps the page. ValueError if the walk is not complete."""
        if self.reason is not None:
            raise ValueError(f"the walk stopped: {self.reason.value}")
        return len(self.values) - 1

    @property
    def leaf(self) -> WalkStep:
        """The step that maps the page. ValueError if the walk is not complete."""
        return self.steps[self._leaf_level()]

    @property
    def leaf_value(self) -> int:
        """The value of the entry that maps the page. ValueError if the walk is not complete."""
        return self.values[self._leaf_level()]

    @property
    def rights(self) -> Rights:
        """The rights of all entries together. ValueError if the walk is not complete."""
        self._leaf_level()
        return self.rights_so_far

    @property
    def page_bytes(self) -> int:
        """The size of the page. ValueError if the walk is not complete."""
        return 1 << self.controls.levels[self._leaf_level()].shift

    @property
    def frame(self) -> PhysicalAddress:
        """The physical address of the page's first byte. ValueError if the walk is not complete."""
        at = self._leaf_level()
        raw = self.values[at]
        return self.controls.levels[at].sides[raw >> 7 & 1].format.frame(raw)

    @property
    def physical(self) -> PhysicalAddress:
        """The physical address that `linear` translates to. ValueError if the walk is not complete."""
        return PhysicalAddress(self.frame | self.linear & (self.page_bytes - 1))

    @property
    def is_global(self) -> bool:
        """Whether a load of CR3 spares the translation: G in the leaf, and CR4.PGE. ValueError as above."""
        return self.controls.PGE and self.leaf_value & G != 0


class EntryUpdate(NamedTuple):
    """A write that the walk asks for: A or D (`why`: "A", "D", "A and D") set in its entry number `at`, root first."""

    walk: Walk
    at: int
    before: int
    after: int
    why: str

    @property
    def step(self) -> WalkStep:
        """The step that used the entry."""
        return self.walk.steps[self.at]

    @property
    def address(self) -> PhysicalAddress:
        """Where the entry is."""
        return self.walk.addresses[self.at]


# A linear address under 4-level paging (5-level puts nine more bits of index, PML5E, at 48):
#
#   63        48 47     39 38     30 29     21 20     12 11          0
#  +------------+---------+---------+---------+---------+-------------+
#  | as bit 47  |  PML4E  |  PDPTE  |   PDE   |   PTE   |   offset    |
#  +------------+---------+---------+---------+---------+-------------+
#                    |         |         |         |
#         CR3 -> PML4[.] -> PDPT[.] --> PD[.] --> PT[.] -> 4K page + offset
#                              |          |
#                              |          +-> with PS = 1: 2M page + bits 20..0
#                              +-> with PS = 1: 1G page + bits 29..0
def walk(
    read_entry: ReadEntry, linear: LinearAddress, controls: Controls, known: Known = NOTHING_KNOWN
) -> Walk:
    """Walk the tables under `controls.root` for `linear`, below what is `known` of the way.

    Reads entries (in PAE paging the first is in a register); writes nothing, sets no A or D.
    """
    mode = controls.mode
    if not mode.is_canonical(linear):
        return Walk(linear, controls, (), (), 0, Reason.NON_CANONICAL, _NO_LIMIT)
    entry_bytes = mode.entry_bytes
    registers = controls.pdptes
    addresses, values = list(known.addresses), list(known.values)
    granted, denied, leaf = known.granted, known.denied, 0
    levels = controls.levels
    table: int = controls.root
    if values:
        table = values[-1] & levels[len(values) - 1].sides[0].address_mask
        levels, registers = levels[len(values) :], ()
    reason = None
    for shift, index_mask, sides, _ in levels:  # pragma: no branch  # the last level maps a page
        index = linear >> shift & index_mask
        address = PhysicalAddress(table + index * entry_bytes)
        if registers:
            raw, registers = registers[index], ()
        else:
            raw = read_entry(address, entry_bytes)
        addresses.append(address)
        values.append(raw)
        if not raw & P:
            reason = Reason.NOT_PRESENT
            break
        reserved, implied, address_mask, maps_page, _ = sides[raw >> 7 & 1]
        granted &= raw | implied
        denied |= raw
        if raw & reserved:
            reason = Reason.RESERVED_BIT_SET
            break
        if maps_page:
            leaf = raw
            break
        table = raw & address_mask
    rights = Rights.of(granted, denied, leaf)
    return Walk(linear, controls, tuple(addresses), tuple(values), len(known.values), reason, rights)


_NO_LIMIT: Final = Rights.of(RW | US, 0)


def load_pdptes(read_entry: ReadEntry, root: PhysicalAddress, maxphyaddr: int) -> tuple[int, ...] | None:
    """The four PDPTEs at `root` as PAE paging loads them into registers; None if one of them must raise #GP(0).

    Source: SDM vol. 3A, "PDPTE Registers", 4.4.1.
    """
    level = PAE.levels[0]
    values = tuple(read_entry(PhysicalAddress(root + 8 * index), 8) for index in range(1 << level.index_bits))
    reserved = level.table.reserved_mask(maxphyaddr, nxe=True)
    return None if any(value & P and value & reserved for value in values) else values


def accessed_updates(walk: Walk, write: bool) -> list[EntryUpdate]:
    """What a permitted access must set: A in each entry read, D in the leaf for a write, where still clear.

    What a paging-structure cache supplied was accessed when it was cached. A refused access sets nothing in this
    model; a CPU may have set A in the upper entries by then, and some do. ValueError if the walk is not complete.
    Source: SDM vol. 3A, "Accessed and Dirty Flags", 4.8.
    """
    leaf = len(walk.values) - 1
    levels = walk.controls.levels
    updates: list[EntryUpdate] = []
    if walk.reason is not None:
        raise ValueError(f"the walk stopped: {walk.reason.value}")
    for at in range(walk.known, leaf + 1):
        raw = walk.values[at]
        form = levels[at].sides[raw >> 7 & 1].format
        accessed = form.accessed & ~raw
        dirty = form.dirty & ~raw if write and at == leaf else 0
        if accessed or dirty:
            why = "A and D" if accessed and dirty else "A" if accessed else "D"
            updates.append(EntryUpdate(walk, at, raw, raw | accessed | dirty, why))
    return updates
