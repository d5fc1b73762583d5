# SPDX-License-Identifier: GPL-2.0-or-later
"""Physical memory: bytes and frames, and the one door through which everybody but the engine writes them.

The engine executes guest stores straight into `buffer`. Whoever else writes RAM (loader, devices, the walker's A and
D bits, pokes, a restore) comes through `write`, which tells the listeners which bytes changed, so that no translated
code and no cached translation outlives what it was made from.
"""

import mmap
from collections.abc import Callable
from struct import Struct
from typing import Final

from emu.bits import PAGE_BYTES, PAGE_SHIFT, PhysicalAddress

WriteListener = Callable[[PhysicalAddress, int], None]
"""Called after a write with its address and length in bytes."""


_eight_bytes: Final = Struct("<Q").unpack_from


class PhysicalMemory:
    """RAM from physical address 0. Outside it reads give zero and writes vanish, as on QEMU's empty bus."""

    def __init__(self, size_bytes: int) -> None:
        """`size_bytes`: a positive multiple of 4096; ValueError otherwise."""
        if size_bytes <= 0 or size_bytes % PAGE_BYTES:
            raise ValueError(f"RAM must be a positive multiple of {PAGE_BYTES} bytes, not {size_bytes}")
        self.size_bytes = size_bytes
        self.frames = size_bytes >> PAGE_SHIFT
        self.buffer = mmap.mmap(-1, size_bytes)
        self.listeners: list[WriteListener] = []
        self.written: set[int] = set()
        """Frames written since whoever keeps checkpoints last emptied this set."""

    def read(self, address: PhysicalAddress, count: int) -> bytes:
        """`count` bytes from `address`; zeros where there is no RAM."""
        end = address + count
        if end <= self.size_bytes:
            return self.buffer[address:end]
        inside = self.buffer[address : self.size_bytes] if address < self.size_bytes else b""
        return inside + bytes(count - len(inside))

    def write(self, address: PhysicalAddress, data: bytes) -> None:
        """Put `data` at `address`; what falls outside RAM vanishes."""
        data = data[: max(0, self.size_bytes - address)]
        if not data:
            return
        end = address + len(data)
        self.buffer[address:end] = data
        self.written.update(range(address >> PAGE_SHIFT, ((end - 1) >> PAGE_SHIFT) + 1))
        for listener in self.listeners:
            listener(address, len(data))

    def read_entry(self, address: PhysicalAddress, entry_bytes: int) -> int:
        """A little-endian number of `entry_bytes` bytes."""
        if entry_bytes == 8 and address <= self.size_bytes - 8:
            return _eight_bytes(self.buffer, address)[0]
        return int.from_bytes(self.read(address, entry_bytes), "little")

    def write_entry(self, address: PhysicalAddress, value: int, entry_bytes: int) -> None:
        """Put a little-endian number of `entry_bytes` bytes."""
        self.write(address, value.to_bytes(entry_bytes, "little"))

    def frame(self, number: int) -> bytes:
        """The 4096 bytes of one frame."""
        return self.read(PhysicalAddress(number << PAGE_SHIFT), PAGE_BYTES)
