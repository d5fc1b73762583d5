# SPDX-License-Identifier: GPL-2.0-or-later
"""A memory for page tables: a dict of entries."""

from collections.abc import Iterator

import pytest


class EntryDict:
    """Entries by physical address; what was never written reads as 0. Hands out frames from 0x1000 up."""

    def __init__(self) -> None:
        self.entries: dict[int, int] = {}
        self.reads: list[tuple[int, int]] = []
        self._frames: Iterator[int] = iter(range(0x1000, 0x10_0000, 0x1000))

    def read_entry(self, address: int, entry_bytes: int) -> int:
        self.reads.append((address, entry_bytes))
        return self.entries.get(address, 0)

    def write_entry(self, address: int, value: int, entry_bytes: int) -> None:
        assert value < 1 << 8 * entry_bytes
        self.entries[address] = value

    def allocate(self) -> int:
        return next(self._frames)


@pytest.fixture
def memory() -> EntryDict:
    """An empty memory for page tables."""
    return EntryDict()
