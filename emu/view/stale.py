# SPDX-License-Identifier: GPL-2.0-or-later
"""What memory says now about a translation that a TLB still has: the first entry that differs, bit by bit."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from emu.bits import PhysicalAddress
from emu.mmu import Mmu
from emu.paging.formats import EntryFormat
from emu.tlb.entry import TlbEntry
from emu.view.scene import physical_text, value_text

_WORDS: Final = {"RW": "R/W", "US": "U/S"}
_NOT_COMPARED: Final = ("A", "D")
_A_AND_D: Final = 0x60


class Difference(NamedTuple):
    """One entry of the walk: as it was when the translation was cached, and as it is."""

    level: str
    address: PhysicalAddress
    was: int
    now: int
    changes: tuple[str, ...]

    def __str__(self) -> str:
        """One clause: "the PTE at 0x0010_3008 has P = 0 (value 0x0, cached when it was 0x17_c067)"."""
        changed = ", ".join(self.changes)
        values = f"value {value_text(self.now)}, cached when it was {value_text(self.was)}"
        return f"the {self.level} at {physical_text(self.address)} has {changed} ({values})"


def differences(entry: TlbEntry, mmu: Mmu) -> list[Difference]:
    """Every entry that `entry` was made from and that memory has otherwise now, root first; A and D aside."""
    controls = mmu.controls
    if controls is None:
        return []
    found: list[Difference] = []
    in_memory = controls.levels[int(controls.mode.root_in_registers) :]
    for (address, was), planned in zip(entry.chain, in_memory, strict=False):
        now = mmu.memory.read_entry(address, controls.mode.entry_bytes)
        form = planned.sides[was >> 7 & 1].format
        changes = tuple(_changes(form, was, now))
        if changes:
            found.append(Difference(planned.level.name, address, was, now, changes))
    return found


def _changes(form: EntryFormat, was: int, now: int) -> Iterator[str]:
    """P alone if it went; else the flags that differ, and the frame."""
    if was & 1 and not now & 1:
        yield "P = 0"
        return
    for name, bit in form.flag_masks.items():
        if (was ^ now) & bit and name not in _NOT_COMPARED:
            yield f"{_WORDS.get(name, name)} = {int(bool(now & bit))}"
    if form.frame(was) != form.frame(now):
        yield f"frame {form.frame(now) >> 12:#x} instead of {form.frame(was) >> 12:#x}"
    rest = (was ^ now) & ~sum(form.flag_masks.values()) & ~_A_AND_D
    if rest and form.frame(was) == form.frame(now):
        yield "other bits"
