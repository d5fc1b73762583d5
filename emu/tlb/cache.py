# SPDX-License-Identifier: GPL-2.0-or-later
"""One set-associative array of translations."""

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Final

from emu.bits import PAGE_SHIFT, PAGE_SIZE_NAMES
from emu.tlb.counters import TYPE_NAMES
from emu.tlb.entry import Slot, TlbEntry
from emu.tlb.geometry import ArrayGeometry
from emu.tlb.policy import POLICIES, splitmix64

_way: Final = attrgetter("way")
_SHIFTS: Final = {page_bytes: page_bytes.bit_length() - 1 - PAGE_SHIFT for page_bytes in PAGE_SIZE_NAMES}
"""How far to shift the number of a 4 KiB page for that of the page of each size that holds it."""

SlotState = tuple[TlbEntry | None, int, int]
ArrayState = tuple[int, int, tuple[SlotState, ...]]
"""(clock, choices, (entry, stamp, filled) of every slot)."""


class TlbArray:
    """Sets of ways. The set is the low bits of the page number, in the entry's own size, modulo the sets.

    `seed` decides what the policy "random" draws. Arrays of different names draw different numbers from one seed.
    """

    def __init__(self, geometry: ArrayGeometry, seed: int = 0) -> None:
        self.geometry = geometry
        self.name = geometry.name
        self.level = geometry.level
        self.page_bytes = geometry.page_bytes
        self.kinds = tuple(TYPE_NAMES.index(name) for name in geometry.types)
        """The access types it answers, by index."""
        self.sets = geometry.sets
        self.slots = [[Slot(self, s, w) for w in range(geometry.way_count)] for s in range(self.sets)]
        self._held: dict[int, dict[int, list[Slot]]] = {page_bytes: {} for page_bytes in self.page_bytes}
        """The slots that hold anything, by size and number of the page; in way order, for PCIDs may share a page."""
        self._sizes = [(_SHIFTS[page_bytes], held) for page_bytes, held in self._held.items()]
        self._vacant = [geometry.way_count] * self.sets
        self._choose = POLICIES[geometry.policy]
        self._draws = geometry.policy == "random"
        self._seed = splitmix64(seed, int.from_bytes(geometry.name.encode(), "little"))
        self.clock = 0
        """Uses so far; stamps are taken from it."""
        self.choices = 0
        """How often the policy had to choose: with the seed, all that "random" depends on."""

    def lookup(self, linear_page: int, pcid: int) -> Slot | None:
        """The slot that translates the 4 KiB page `linear_page`, or None. Changes nothing."""
        for shift, held in self._sizes:
            for slot in held.get(linear_page >> shift, ()):
                entry = slot.entry
                if entry is not None and (entry.is_global or entry.pcid == pcid):
                    return slot
        return None

    def covering(self, linear_page: int) -> list[Slot]:
        """Every slot that holds a translation of the 4 KiB page `linear_page`, whatever its PCID."""
        return [slot for shift, held in self._sizes for slot in held.get(linear_page >> shift, ())]

    def use(self, slot: Slot) -> None:
        """Note that `slot` answered an access."""
        self.clock += 1
        slot.stamp = self.clock

    def age(self, slot: Slot) -> int:
        """How many uses of the array ago `slot` was used; under FIFO, which goes by nothing else, filled."""
        return self.clock - (slot.filled if self.geometry.policy == "fifo" else slot.stamp)

    def place(self, entry: TlbEntry) -> Slot:
        """The slot that `entry` will get: an empty one of its set, else the policy's choice.

        A choice is counted, so ask once for each fill.
        """
        number = entry.page % self.sets
        ways = self.slots[number]
        if self._vacant[number]:
            return next(slot for slot in ways if slot.entry is None)
        self.choices += 1
        draw = splitmix64(self._seed, self.choices) if self._draws else 0
        return self._choose(ways, draw)

    def put(self, slot: Slot, entry: TlbEntry) -> None:
        """Fill `slot` with `entry`, whatever it held."""
        self.hold(slot, entry)
        self.use(slot)
        slot.filled = slot.stamp

    def hold(self, slot: Slot, entry: TlbEntry | None) -> None:
        """Let `slot` hold `entry`, or nothing, without a use. Nobody else changes what a slot holds."""
        old, slot.entry = slot.entry, entry
        if old is not None:
            held = self._held[old.page_bytes]
            if len(held[old.page]) == 1:
                del held[old.page]
            else:
                held[old.page].remove(slot)
        if entry is not None:
            held = self._held[entry.page_bytes]
            places = held.get(entry.page)
            held[entry.page] = [slot] if places is None else sorted([*places, slot], key=_way)
        self._vacant[slot.set] += (entry is None) - (old is None)

    def holding(self, doomed: Callable[[TlbEntry], bool]) -> list[Slot]:
        """Every slot whose entry is `doomed`, set by set. Changes nothing."""
        return [slot for slot in self if slot.entry is not None and doomed(slot.entry)]

    def __iter__(self) -> Iterator[Slot]:
        for ways in self.slots:
            yield from ways

    def state(self) -> ArrayState:
        """Everything that decides the array's future, for a checkpoint."""
        return self.clock, self.choices, tuple((slot.entry, slot.stamp, slot.filled) for slot in self)

    def load_state(self, state: ArrayState) -> None:
        """Go back to `state`."""
        self.clock, self.choices, slots = state
        for slot, saved in zip(self, slots, strict=True):
            entry, slot.stamp, slot.filled = saved
            self.hold(slot, entry)
