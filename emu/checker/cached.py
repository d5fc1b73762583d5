# SPDX-License-Identifier: GPL-2.0-or-later
"""What the TLBs, the paging-structure caches and the PDPTE registers hold against what memory says now."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from emu.bits import LinearAddress, PhysicalAddress, hexadecimal
from emu.checker.findings import Finding, Place, Rule, Severity
from emu.mmu import Mmu
from emu.paging.formats import A, D
from emu.paging.rights import Controls, Rights
from emu.paging.walk import Walk, walk
from emu.tlb.entry import TlbEntry
from emu.tlb.structure_cache import StructureEntry

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
        yield from _compare_pages(mmu, *_space_of(mmu, controls, entry, space), entry, tuple(slots))
    for place in mmu.tlb.structures:
        if place.entry is not None:
            where = _space_of(mmu, controls, place.entry, space)
            yield from _compare_upper(mmu, *where, place.entry, (place.name,))


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


def _space_of(mmu: Mmu, controls: Controls, entry: TlbEntry, space: str) -> tuple[Controls, str]:
    """The controls and the name of the address space that `entry` is for: the loaded one, or that of its PCID."""
    if entry.is_global or entry.pcid == mmu.pcid:
        return controls, space
    level = controls.mode.levels[0]
    index = level.index(LinearAddress(entry.linear))
    root = PhysicalAddress(entry.chain[0][0] - index * controls.mode.entry_bytes)
    return replace(controls, root=root), f"PCID {entry.pcid:#x}"


@dataclass
class _Differences:
    """What is cached grants `more` than memory, or `less`, in words."""

    more: list[str] = field(default_factory=lambda: [])
    less: list[str] = field(default_factory=lambda: [])

    def rights(self, controls: Controls, entry: TlbEntry, now: Rights) -> None:
        """Compare the rights of `entry` with those that memory gives `now`."""
        for has, had, what in (
            (now.US, entry.US, "user-mode accesses"),
            (now.RW, entry.RW, "writes"),
            (not now.XD, not entry.XD, "fetches"),
        ):
            if had and not has:
                self.more.append(f"memory forbids {what}")
            elif has and not had:
                self._add_less(f"memory allows {what}")
        if now.key != entry.key:
            self._key(controls, entry.key, now.key)

    def _key(self, controls: Controls, had: int, has: int) -> None:
        """A protection key that differs; with CR4.PKE the new one may deny what the old one does not."""
        denies = controls.PKRU >> 2 * has & ~(controls.PKRU >> 2 * had) & 3
        words = f"memory gives protection key {has}, not {had}"
        if controls.PKE and denies:
            self.more.append(f"{words}, and PKRU denies more to it")
        else:
            self._add_less(words)

    def global_bit(self, is_global: bool, was_global: bool) -> None:
        """Compare G."""
        if is_global != was_global:
            self._add_less(f"G is {'set' if is_global else 'clear'} in memory")

    def smaller_pages(self) -> None:
        """Memory maps the same, but in smaller pages."""
        self._add_less("memory maps smaller pages")

    def _add_less(self, words: str) -> None:
        if words not in self.less:
            self.less.append(words)

    def findings(
        self, rules: tuple[Rule, Rule], place: Place, entry: TlbEntry, slots: tuple[str, ...]
    ) -> Iterator[Finding]:
        """One finding if there is a difference: by the first of `rules` if more is granted, else by the second."""
        if self.more or self.less:
            severity, rule = (Severity.ERROR, rules[0]) if self.more else (Severity.NOTE, rules[1])
            what = f"{entry} is cached, but {'; '.join(self.more or self.less)}"
            yield Finding(severity, rule, place, what, slots=slots)


# -- translations -----------------------------------------------------------------------------------------------------


def _compare_pages(
    mmu: Mmu, controls: Controls, space: str, entry: TlbEntry, slots: tuple[str, ...]
) -> Iterator[Finding]:
    """Compare a cached page with what memory maps there; walk for each piece if those are smaller pages."""
    differences = _Differences()
    first = found = _walk(mmu, controls, entry.linear)
    linear = entry.linear
    for _ in range(_MOST_PIECES):
        _compare_piece(found, entry, linear, differences)
        linear += found.page_bytes if found.complete else entry.page_bytes
        if differences.more or linear >= entry.linear + entry.page_bytes:
            break
        found = _walk(mmu, controls, linear)
    if first.complete and first.page_bytes < entry.page_bytes:
        differences.smaller_pages()
    place = _place(entry, first, len(first.values), space)
    yield from differences.findings((Rule.STALE_GRANTS_MORE, Rule.STALE_DIFFERS), place, entry, slots)
    if not differences.more:
        yield from _dirty(first, entry, place, slots)
        yield from _accessed(first, len(first.values), place, slots)


def _walk(mmu: Mmu, controls: Controls, linear: int) -> Walk:
    return walk(mmu.memory.read_entry, LinearAddress(linear), controls)


def _compare_piece(found: Walk, entry: TlbEntry, linear: int, differences: _Differences) -> None:
    if found.reason is not None:
        differences.more.append(f"in memory {found.reason.value}")
        return
    if found.physical != entry.frame + (linear - entry.linear):
        differences.more.append(f"memory leads to {hexadecimal(found.physical, 12)}")
    differences.rights(found.controls, entry, found.rights)
    differences.global_bit(found.is_global, entry.is_global)


def _dirty(found: Walk, entry: TlbEntry, place: Place, slots: tuple[str, ...]) -> Iterator[Finding]:
    if entry.D and not found.leaf_value & D:
        what = "software that trusts D must invalidate when it clears it"
        yield Finding(Severity.WARNING, Rule.CACHED_DIRTY, place, what, slots=slots)


def _accessed(found: Walk, depth: int, place: Place, slots: tuple[str, ...]) -> Iterator[Finding]:
    """The first of `depth` entries that was used to make what is cached and has A clear by now."""
    for step in found.steps[:depth]:
        if step.entry.format.accessed and not step.entry.raw & A:
            what = f"A is clear in the {step.level.name} at {hexadecimal(step.address, 12)}"
            yield Finding(Severity.NOTE, Rule.CACHED_ACCESSED, place, what, slots=slots)
            return


def _place(entry: TlbEntry, found: Walk, depth: int, space: str) -> Place:
    """The range of `entry`, with the entry of memory that the walk of its first byte has at `depth`, counted from 1."""
    mode = found.controls.mode
    linear, width = LinearAddress(entry.linear), mode.entry_bytes
    if not found.values:
        return Place((space,), linear, entry.page_bytes, "no entry", None, 0, width)
    at = depth - 1
    level = mode.levels[at].name
    return Place((space,), linear, entry.page_bytes, level, found.addresses[at], found.values[at], width)


# -- paging-structure caches ------------------------------------------------------------------------------------------


def _compare_upper(
    mmu: Mmu, controls: Controls, space: str, entry: StructureEntry, slots: tuple[str, ...]
) -> Iterator[Finding]:
    """Compare a cached way to a table with the way that memory gives now."""
    differences = _Differences()
    found, depth = _walk(mmu, controls, entry.linear), len(entry.known.values)
    now = min(depth, len(found.values))
    if len(found.values) <= depth:
        why = "maps a page" if found.reason is None else f"ends the walk: {found.reason.value}"
        level = controls.mode.levels[now - 1].name
        differences.more.append(f"in memory the {level} {why}")
    else:
        upper = found.upper(depth)
        table = controls.levels[depth - 1].sides[0].format.frame(upper.values[-1])
        if table != entry.frame:
            differences.more.append(f"memory leads to the table at {hexadecimal(table, 12)}")
        differences.rights(controls, entry, Rights.of(upper.granted, upper.denied))
    place = _place(entry, found, now, space)
    rules = (Rule.STALE_STRUCTURE_GRANTS_MORE, Rule.STALE_STRUCTURE_DIFFERS)
    yield from differences.findings(rules, place, entry, slots)
    if not differences.more:
        yield from _accessed(found, depth, place, slots)
