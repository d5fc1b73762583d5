# SPDX-License-Identifier: GPL-2.0-or-later
"""The walk: how a linear address becomes a physical one, one paging-structure entry at a time.

Source: SDM vol. 3A, "Linear-Address Translation with 4-Level Paging and 5-Level Paging", 4.5.4.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from emu.bits import LinearAddress, PhysicalAddress
from emu.paging.fault import Reason, Refusal
from emu.paging.formats import Entry, P
from emu.paging.modes import Level, plan
from emu.paging.rights import ALL_RIGHTS, Controls, Rights

ReadEntry = Callable[[PhysicalAddress, int], int]
"""Reads an entry: its physical address and its size in bytes give its value."""


class WalkStep(NamedTuple):
    """One entry read, from where. `rights` are those so far, this entry included.

    A not-present entry limits nothing: its step keeps the rights from above.
    """

    level: Level
    table: PhysicalAddress
    index: int  # pyright: ignore[reportIncompatibleMethodOverride]  # hides tuple.index; a tuple for speed
    address: PhysicalAddress
    entry: Entry
    rights: Rights


@dataclass(frozen=True, slots=True)
class Walk:
    """What walking `linear` found. Whether the access is allowed is for check() to say."""

    linear: LinearAddress
    controls: Controls
    steps: tuple[WalkStep, ...]
    refusal: Refusal | None

    @property
    def complete(self) -> bool:
        """Whether the walk reached a page."""
        return self.refusal is None

    @property
    def leaf(self) -> WalkStep:
        """The step that maps the page. ValueError if the walk is not complete."""
        if self.refusal is not None:
            raise ValueError(f"the walk stopped: {self.refusal.reason.value}")
        return self.steps[-1]

    @property
    def rights(self) -> Rights:
        """The rights of all entries together. ValueError if the walk is not complete."""
        return self.leaf.rights

    @property
    def page_bytes(self) -> int:
        """The size of the page. ValueError if the walk is not complete."""
        return self.leaf.level.page_bytes

    @property
    def frame(self) -> PhysicalAddress:
        """The physical address of the page's first byte. ValueError if the walk is not complete."""
        return self.leaf.entry.frame

    @property
    def physical(self) -> PhysicalAddress:
        """The physical address that `linear` translates to. ValueError if the walk is not complete."""
        return PhysicalAddress(self.frame | self.linear & (self.page_bytes - 1))

    @property
    def is_global(self) -> bool:
        """Whether a load of CR3 spares the translation: G in the leaf, and CR4.PGE. ValueError as above."""
        return self.controls.PGE and self.leaf.entry.G


class EntryUpdate(NamedTuple):
    """A write that the walk asks for: A or D (`why`: "A", "D", "A and D") set in the entry of `step`."""

    step: WalkStep
    before: int
    after: int
    why: str


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
def walk(read_entry: ReadEntry, linear: LinearAddress, controls: Controls) -> Walk:
    """Walk the tables under `controls.root` for `linear`. Reads entries; writes nothing, sets no A or D."""
    mode = controls.mode
    if not mode.is_canonical(linear):
        return Walk(linear, controls, (), Refusal(Reason.NON_CANONICAL, None))
    entry_bytes = mode.entry_bytes
    table = controls.root
    rights = ALL_RIGHTS
    steps: list[WalkStep] = []
    levels = plan(mode, controls.maxphyaddr, controls.NXE, controls.page_1g)
    for level, shift, index_mask, formats, reserved in levels:  # pragma: no branch  # the last maps a page
        index = linear >> shift & index_mask
        address = PhysicalAddress(table + index * entry_bytes)
        raw = read_entry(address, entry_bytes)
        ps = raw >> 7 & 1
        entry = Entry(raw, formats[ps])
        if not raw & P:
            steps.append(WalkStep(level, table, index, address, entry, rights))
            return Walk(linear, controls, tuple(steps), Refusal(Reason.NOT_PRESENT, steps[-1]))
        rights = rights.combine(entry)
        steps.append(WalkStep(level, table, index, address, entry, rights))
        if raw & reserved[ps]:
            return Walk(linear, controls, tuple(steps), Refusal(Reason.RESERVED_BIT_SET, steps[-1]))
        if formats[ps].maps_page:
            break
        table = PhysicalAddress(raw & formats[ps].address_mask)
    return Walk(linear, controls, tuple(steps), None)


def accessed_updates(walk: Walk, write: bool) -> list[EntryUpdate]:
    """What a permitted access must set: A in each entry used, D in the leaf for a write, where still clear.

    A refused access sets nothing in this model; a CPU may have set A in the upper entries by then, and some
    do. ValueError if the walk is not complete. Source: SDM vol. 3A, "Accessed and Dirty Flags", 4.8.
    """
    leaf = walk.leaf
    updates: list[EntryUpdate] = []
    for step in walk.steps:
        raw, form = step.entry
        accessed = form.accessed & ~raw
        dirty = form.dirty & ~raw if write and step is leaf else 0
        if accessed or dirty:
            why = "A and D" if accessed and dirty else "A" if accessed else "D"
            updates.append(EntryUpdate(step, raw, raw | accessed | dirty, why))
    return updates
