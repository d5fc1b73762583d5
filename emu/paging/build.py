# SPDX-License-Identifier: GPL-2.0-or-later
"""Building page tables: for tests, referees and imported traces. The guest's kernel builds its own."""

from collections.abc import Callable
from itertools import pairwise
from typing import Final, Protocol

from emu.bits import PAGE_BYTES, LinearAddress, PhysicalAddress, hexadecimal
from emu.paging.formats import RW, US, EntryFormat, P
from emu.paging.modes import Level, PagingMode

TABLE_FLAGS: Final = P | RW | US
"""What the builder puts into entries that refer to tables: the page's own entry decides the rights."""


class EntryMemory(Protocol):
    """Memory as far as tables need it: entries read and written at physical addresses."""

    def read_entry(self, address: PhysicalAddress, entry_bytes: int, /) -> int:
        """Give the entry at `address`."""
        ...

    def write_entry(self, address: PhysicalAddress, value: int, entry_bytes: int, /) -> None:
        """Put `value` at `address`."""
        ...


class TableBuilder:
    """Builds the tables of one mode in a memory."""

    def __init__(
        self, memory: EntryMemory, allocate: Callable[[], PhysicalAddress], mode: PagingMode
    ) -> None:
        """Begin with an empty root table. `allocate` gives a zeroed, aligned frame each time it is called."""
        self.memory: Final = memory
        self.allocate: Final = allocate
        self.mode: Final = mode
        self.root: Final = allocate()
        """The root table: what CR3 points to."""

    def map(
        self,
        linear: LinearAddress,
        physical: PhysicalAddress,
        page_bytes: int = PAGE_BYTES,
        flags: int = TABLE_FLAGS,
    ) -> PhysicalAddress:
        """Map the page at `linear` to the one at `physical`; the address of the entry is returned.

        `flags` are the entry's other bits (PS comes by itself). Missing tables are allocated. ValueError if
        the mode has no such page, an address is not aligned to it, or a larger page is in the way.
        """
        level, form = self._level_of(page_bytes)
        for address in (linear, physical):
            if address & (page_bytes - 1):
                raise ValueError(f"{hexadecimal(address)} is not aligned to {page_bytes} bytes")
        entry_address = self._entry_address(linear, level, create=True)
        value = form.encode(physical, flags | form.flag_masks.get("PS", 0))
        self.memory.write_entry(entry_address, value, self.mode.entry_bytes)
        return entry_address

    def unmap(self, linear: LinearAddress) -> int:
        """Clear the entry that maps `linear`; the page's size is returned. ValueError if nothing maps it."""
        for level in self.mode.levels:
            address = self._entry_address(linear, level, create=False)
            raw = self._read(address)
            if raw & P and _maps_page(level, raw):
                self.memory.write_entry(address, 0, self.mode.entry_bytes)
                return level.page_bytes
        raise ValueError(f"nothing maps {hexadecimal(linear)}")

    def entry_address(self, linear: LinearAddress, level: str) -> PhysicalAddress:
        """Where the entry of `level` ("PDE") for `linear` is. ValueError if no such table is there."""
        return self._entry_address(linear, self.mode.level(level), create=False)

    def _level_of(self, page_bytes: int) -> tuple[Level, EntryFormat]:
        for level in self.mode.levels:
            if level.page is not None and level.page_bytes == page_bytes:
                return level, level.page
        raise ValueError(f"{self.mode.name} paging has no pages of {page_bytes} bytes")

    def _read(self, address: PhysicalAddress) -> int:
        return self.memory.read_entry(address, self.mode.entry_bytes)

    def _entry_address(self, linear: LinearAddress, target: Level, create: bool) -> PhysicalAddress:
        entry_bytes = self.mode.entry_bytes
        address = PhysicalAddress(self.root + self.mode.levels[0].index(linear) * entry_bytes)
        for level, below in pairwise(self.mode.levels):
            if level is target:
                break
            raw = self._read(address)
            if not raw & P:
                if not create:
                    raise ValueError(f"there is no table with a {below.name} for {hexadecimal(linear)}")
                raw = level.table.encode(self.allocate(), TABLE_FLAGS & ~level.table.implied)
                self.memory.write_entry(address, raw, entry_bytes)
            elif _maps_page(level, raw):
                raise ValueError(f"a {level.name} maps {hexadecimal(linear)}: there is no table below it")
            address = PhysicalAddress((raw & level.table.address_mask) + below.index(linear) * entry_bytes)
        return address


def _maps_page(level: Level, raw: int) -> bool:
    if level.page is None or level.page is level.table:
        return level.page is not None
    return raw & level.page.flag_masks["PS"] != 0
