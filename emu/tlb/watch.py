# SPDX-License-Identifier: GPL-2.0-or-later
"""Which cached entries were made from which paging-structure entries in memory."""

from collections.abc import Callable, Iterator

from emu.bits import PAGE_SHIFT, PhysicalAddress
from emu.tlb.entry import TlbEntry


class Watch:
    """Cached entries by the addresses in their chains."""

    def __init__(self, on_frame: Callable[[int], None]) -> None:
        """`on_frame` is told of every frame that was not watched before."""
        self._on_frame = on_frame
        self._made_from: dict[int, dict[TlbEntry, None]] = {}
        self.frames: dict[int, int] = {}
        """How many watched addresses lie in each frame; no other frame is here."""

    def add(self, entry: TlbEntry) -> None:
        """Watch what `entry` was made from."""
        for address, _ in entry.chain:
            watchers = self._made_from.get(address)
            if watchers is not None:
                watchers[entry] = None
                continue
            self._made_from[address] = {entry: None}
            frame = address >> PAGE_SHIFT
            count = self.frames.get(frame, 0)
            self.frames[frame] = count + 1
            if not count:
                self._on_frame(frame)

    def remove(self, entry: TlbEntry) -> None:
        """Watch for `entry` no more."""
        for address in dict(entry.chain):  # once each: tables that map themselves give an address twice
            watchers = self._made_from[address]
            del watchers[entry]
            if watchers:
                continue
            del self._made_from[address]
            frame = address >> PAGE_SHIFT
            self.frames[frame] -= 1
            if not self.frames[frame]:
                del self.frames[frame]

    def written(self, address: PhysicalAddress, size: int) -> Iterator[TlbEntry]:
        """The entries made from any of `size` bytes at `address`, now suspect."""
        frames = range(address >> PAGE_SHIFT, ((address + size - 1) >> PAGE_SHIFT) + 1)
        if not any(frame in self.frames for frame in frames):
            return
        for watched in range(address & ~7, address + size, 4):
            for entry in self._made_from.get(watched, ()):
                entry.suspect = True
                yield entry

    def clear(self) -> None:
        """Watch nothing."""
        self._made_from.clear()
        self.frames.clear()
