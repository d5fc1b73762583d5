# SPDX-License-Identifier: GPL-2.0-or-later
"""The paging-structure caches: the upper part of a walk, kept by the address bits that led there.

A walk begins below the deepest entry that is cached for its address and PCID. Nobody looks at memory again for what
is above, so an upper entry that was changed goes on being used until it is invalidated, whether or not any page below
it is in a TLB.

Choices the SDM leaves to the CPU, and ours: an entry is made by a walk that ends in a translation that was allowed,
for each entry on the way that is read and maps no page; a hit makes the entry it began from young, and no other.
Source: SDM vol. 3A, "Paging-Structure Caches", 4.10.3.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from emu.bits import LinearAddress, PhysicalAddress
from emu.events import Journal, TlbEvicted, TlbFilled
from emu.paging.rights import Controls, Rights
from emu.paging.walk import NOTHING_KNOWN, Known, Walk
from emu.tlb.entry import A_AND_D, Chain, TlbEntry, describe, report
from emu.tlb.geometry import StructureCaches
from emu.tlb.watch import Watch


@dataclass(slots=True, eq=False)
class StructureEntry(TlbEntry):
    """What such a cache keeps: `page_bytes` is what the entry covers, `frame` the table it leads to.

    `known` is the way there, for a walk to begin from. The rights are those of the way so far.
    """

    known: Known = NOTHING_KNOWN


@dataclass(slots=True, eq=False)
class Place:
    """One place of a structure cache. `stamp` is the cache's clock at its last use."""

    cache: "StructureCache"
    way: int
    entry: StructureEntry | None = None
    stamp: int = 0

    @property
    def name(self) -> str:
        """Where this is, as events say it: "PDE cache 0.3"."""
        return f"{self.cache.name} 0.{self.way}"


PlaceState = tuple[StructureEntry | None, int]
StructureState = tuple[tuple[int, tuple[PlaceState, ...]], ...]
"""(clock, (entry, stamp) of every place) of each cache."""


class StructureCache:
    """The cache of one level, fully associative; the least recently used entry gives way."""

    def __init__(self, level: str, entries: int) -> None:
        self.level = level
        self.name = f"{level} cache"
        self.clock = 0
        self.places = [Place(self, way) for way in range(entries)]

    def lookup(self, prefix: int, pcid: int) -> Place | None:
        """The place whose entry has the address bits `prefix`, or None. Changes nothing."""
        for place in self.places:
            entry = place.entry
            if entry is not None and entry.page == prefix and entry.pcid == pcid:
                return place
        return None

    def use(self, place: Place) -> None:
        """Note that a walk began from `place`."""
        self.clock += 1
        place.stamp = self.clock

    def next_place(self) -> Place:
        """An empty place, else the one whose last use is the longest ago."""
        return min(self.places, key=lambda place: (place.entry is not None, place.stamp))


class PagingStructureCaches:
    """The caches of one CPU, by level; none for a level that has no entries, or whose root is in registers."""

    def __init__(self, sizes: StructureCaches, journal: Journal, watch: Watch) -> None:
        self._journal = journal
        self._watch = watch
        entries = {"PML5E": sizes.pml5e, "PML4E": sizes.pml4e, "PDPTE": sizes.pdpte, "PDE": sizes.pde}
        self.caches = {level: StructureCache(level, n) for level, n in entries.items() if n}
        """Those that are switched on, by the name of their level."""
        self._by_depth: list[tuple[int, int, StructureCache]] = []

    def set_controls(self, controls: Controls | None) -> None:
        """Choose the caches that the paging mode fills: not that of the last level, nor that of registers."""
        self._by_depth.clear()
        if controls is not None:
            upper = list(enumerate(controls.mode.levels[:-1]))[controls.mode.root_in_registers :]
            self._by_depth += [
                (depth, level.shift, self.caches[level.name])
                for depth, level in upper
                if level.name in self.caches
            ]

    def find(self, linear: LinearAddress, pcid: int) -> Place | None:
        """Where a walk of `linear` begins: the deepest place that covers it, None for the root. Changes nothing."""
        for _, shift, cache in reversed(self._by_depth):
            place = cache.lookup(linear >> shift, pcid)
            if place is not None:
                return place
        return None

    def fill(self, found: Walk, begun: StructureEntry | None, pcid: int, cause: str) -> None:
        """Keep the upper entries that `found`, a walk that ended in an allowed translation, read below `begun`."""
        leaf = len(found.values) - 1
        for depth, _, cache in self._by_depth:
            if found.known <= depth < leaf:
                self._put(cache, self._entry(found, depth, begun, pcid), cause)

    def _entry(self, found: Walk, depth: int, begun: StructureEntry | None, pcid: int) -> StructureEntry:
        mode = found.controls.mode
        level = mode.levels[depth]
        known = found.upper(depth + 1)
        rights = Rights.of(known.granted, known.denied)
        return StructureEntry(
            page=found.linear // level.page_bytes,
            page_bytes=level.page_bytes,
            frame=PhysicalAddress(level.table.frame(known.values[-1])),
            US=rights.US,
            RW=rights.RW,
            XD=rights.XD,
            D=False,
            is_global=False,
            pcid=pcid,
            chain=chain_of(found, depth + 1, begun),
            filled_insn=self._journal.insn,
            filled_rip=self._journal.rip,
            entry_bytes=mode.entry_bytes,
            suspect=begun is not None and begun.suspect,
            known=known,
        )

    def _put(self, cache: StructureCache, entry: StructureEntry, cause: str) -> None:
        place = cache.next_place()
        if place.entry is not None:
            age = cache.clock - place.stamp
            report(self._journal, TlbEvicted, (cache.name, 0, place.way), place.entry, cause, age=age)
            self._empty(place)
        place.entry = entry
        cache.use(place)
        self._watch.add(entry)
        report(self._journal, TlbFilled, (cache.name, 0, place.way), entry, cause)

    def drop(self, pcid: int | None, linear: LinearAddress | None = None) -> list[str]:
        """Drop the entries of `pcid` (None: of every one), only those that cover `linear` if it is given."""
        dropped: list[str] = []
        for place in self:
            entry = place.entry
            if entry is None or pcid not in (None, entry.pcid):
                continue
            if linear is None or entry.page == linear // entry.page_bytes:
                dropped.append(describe(place.name, entry))
                self._empty(place)
        return dropped

    def _empty(self, place: Place) -> None:
        assert place.entry is not None
        self._watch.remove(place.entry)
        place.entry = None

    def __iter__(self) -> Iterator[Place]:
        for cache in self.caches.values():
            yield from cache.places

    def state(self) -> StructureState:
        """Everything that decides what a walk will begin from."""
        return tuple(
            (cache.clock, tuple((place.entry, place.stamp) for place in cache.places))
            for cache in self.caches.values()
        )

    def load_state(self, state: StructureState) -> None:
        """Go back to `state`, with entries of our own. The watch is empty: its owner has cleared it."""
        for cache, (clock, saved) in zip(self.caches.values(), state, strict=True):
            cache.clock = clock
            for place, (entry, place.stamp) in zip(cache.places, saved, strict=True):
                place.entry = None if entry is None else replace(entry, suspect=True)
                if place.entry is not None:
                    self._watch.add(place.entry)


def chain_of(found: Walk, depth: int, begun: StructureEntry | None) -> Chain:
    """What the first `depth` entries of a walk were made from: those in memory, A and D masked out."""
    if begun is not None:
        known = len(begun.known.values)
        below = zip(found.addresses[known:depth], found.values[known:depth], strict=True)
        return begun.chain + tuple((address, value & ~A_AND_D) for address, value in below)
    first = found.first_read
    below = zip(found.addresses[first:depth], found.values[first:depth], strict=True)
    return tuple((address, value & ~A_AND_D) for address, value in below)
