# SPDX-License-Identifier: GPL-2.0-or-later
"""What the TLB holds against what memory says now."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from emu.bits import LinearAddress, PhysicalAddress, hexadecimal
from emu.checker.findings import Finding, Place, Rule, Severity
from emu.mmu import Mmu
from emu.paging.formats import A, D
from emu.paging.rights import Controls
from emu.paging.walk import Walk, walk
from emu.tlb.entry import TlbEntry

_MOST_PIECES: Final = 512
"""How many smaller pages are compared with one large cached page."""


def cached_findings(mmu: Mmu, controls: Controls, space: str) -> Iterator[Finding]:
    """The findings about all that the CPU holds of the tables. `space` names the loaded address space."""
    yield from _registers(mmu, controls, space)
    held: dict[int, tuple[TlbEntry, list[str]]] = {}
    for array in mmu.tlb.arrays:
        for slot in array:
            if slot.entry is not None:
                held.setdefault(id(slot.entry), (slot.entry, []))[1].append(slot.name)
    for entry, slots in held.values():
        yield from _compare(mmu, controls, entry, tuple(slots), space)


def _registers(mmu: Mmu, controls: Controls, space: str) -> Iterator[Finding]:
    """PDPTE registers whose entries were written after they were loaded."""
    level, width = controls.mode.levels[0], controls.mode.entry_bytes
    for index, register in enumerate(controls.pdptes):
        address = PhysicalAddress(controls.root + index * width)
        value = mmu.memory.read_entry(address, width)
        if value != register:
            linear = LinearAddress(index * level.page_bytes)
            place = Place((space,), linear, level.page_bytes, level.name, address, value, width)
            what = f"the register holds {hexadecimal(register)} until CR3 is loaded"
            yield Finding(Severity.WARNING, Rule.PDPTE_REGISTER_DIFFERS, place, what)


def _compare(
    mmu: Mmu, controls: Controls, entry: TlbEntry, slots: tuple[str, ...], space: str
) -> Iterator[Finding]:
    if not (entry.is_global or entry.pcid == mmu.pcid):
        space = f"PCID {entry.pcid:#x}"
        controls = replace(controls, root=_root_of(entry, controls))
    more: list[str] = []
    less: list[str] = []
    found = _differences(mmu, controls, entry, more, less)
    place = _place(entry, found, space)
    held = f"{entry} is cached"
    if more:
        yield Finding(
            Severity.ERROR, Rule.STALE_GRANTS_MORE, place, f"{held}, but {'; '.join(more)}", slots=slots
        )
    elif less:
        yield Finding(Severity.NOTE, Rule.STALE_DIFFERS, place, f"{held}, but {'; '.join(less)}", slots=slots)
    if found.complete and not more:
        yield from _flags(found, entry, place, slots)


def _flags(found: Walk, entry: TlbEntry, place: Place, slots: tuple[str, ...]) -> Iterator[Finding]:
    """A and D that memory has lost while a translation made with them is cached."""
    if entry.D and not found.leaf_value & D:
        what = "software that trusts D must invalidate when it clears it"
        yield Finding(Severity.WARNING, Rule.CACHED_DIRTY, place, what, slots=slots)
    for step in found.steps:
        if step.entry.format.accessed and not step.entry.raw & A:
            what = f"A is clear in the {step.level.name} at {hexadecimal(step.address, 12)}"
            yield Finding(Severity.NOTE, Rule.CACHED_ACCESSED, place, what, slots=slots)
            return


def _root_of(entry: TlbEntry, controls: Controls) -> PhysicalAddress:
    """The root table that the walk of `entry` began at."""
    level = controls.mode.levels[0]
    index = level.index(LinearAddress(entry.linear))
    return PhysicalAddress(entry.chain[0][0] - index * controls.mode.entry_bytes)


def _place(entry: TlbEntry, found: Walk, space: str) -> Place:
    """The page of `entry`, with the entry that ends the walk of its first byte now."""
    mode = found.controls.mode
    linear, width = LinearAddress(entry.linear), mode.entry_bytes
    if not found.values:
        return Place((space,), linear, entry.page_bytes, "no entry", None, 0, width)
    level = mode.levels[len(found.values) - 1].name
    return Place((space,), linear, entry.page_bytes, level, found.addresses[-1], found.values[-1], width)


def _differences(mmu: Mmu, controls: Controls, entry: TlbEntry, more: list[str], less: list[str]) -> Walk:
    """Walk for each piece of the cached page; say what it grants `more` than memory, and what `less`.

    The walk of its first byte is returned.
    """
    read, end = mmu.memory.read_entry, entry.linear + entry.page_bytes
    first = found = walk(read, LinearAddress(entry.linear), controls)
    linear = entry.linear
    for _ in range(_MOST_PIECES):
        _compare_piece(found, entry, linear, more, less)
        linear += found.page_bytes if found.complete else entry.page_bytes
        if more or linear >= end:
            break
        found = walk(read, LinearAddress(linear), controls)
    if first.complete and first.page_bytes < entry.page_bytes and not more:
        less.append("memory maps smaller pages")
    return first


def _compare_piece(found: Walk, entry: TlbEntry, linear: int, more: list[str], less: list[str]) -> None:
    if not found.complete:
        assert found.reason is not None
        more.append(f"in memory {found.reason.value}")
        return
    cached = entry.frame + (linear - entry.linear)
    if cached != found.physical:
        more.append(f"memory leads to {hexadecimal(found.physical, 12)}")
    rights = found.rights
    executes, cached_executes = not rights.XD, not entry.XD
    for has, had, what in (
        (rights.US, entry.US, "user-mode accesses"),
        (rights.RW, entry.RW, "writes"),
        (executes, cached_executes, "fetches"),
    ):
        if had and not has:
            more.append(f"memory forbids {what}")
        elif has and not had:
            phrase = f"memory allows {what}"
            if phrase not in less:
                less.append(phrase)
    if found.is_global != entry.is_global:
        phrase = f"G is {'set' if found.is_global else 'clear'} in memory"
        if phrase not in less:
            less.append(phrase)
