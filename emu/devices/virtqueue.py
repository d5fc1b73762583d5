# SPDX-License-Identifier: GPL-2.0-or-later
"""A split virtqueue as the device sees it (virtio 1.2, "Split Virtqueues", 2.7).

The guest owns all three areas and may write anything into them at any time. So each field is read once, judged, and
a ring that breaks the rules is a QueueError in words; no chain is longer than the queue.

    descriptors   16 bytes each: address, length, flags, next
    driver area   flags, idx, ring[size] of heads              what the guest makes available
    device area   flags, idx, ring[size] of (head, length)     what the device has used
"""

from dataclasses import dataclass
from struct import Struct
from typing import ClassVar, Final

from emu.devices.bus import Registers
from emu.devices.dma import Dma

DESCRIPTOR_BYTES: Final = 16
NEXT, WRITE, INDIRECT = 1, 2, 4
NO_INTERRUPT: Final = 1
MOST_ENTRIES: Final = 32768
_INDEX: Final = 0xFFFF

_descriptor: Final = Struct("<QIHH").unpack
_used_entry: Final = Struct("<II").pack


class QueueError(Exception):
    """The guest's ring breaks the rules: what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """A piece of RAM that one descriptor hands over; never empty."""

    address: int
    size: int


@dataclass(frozen=True, slots=True)
class Chain:
    """One request: what the device may read, then what it may write."""

    head: int
    readable: tuple[Buffer, ...]
    writable: tuple[Buffer, ...]


class Virtqueue(Registers):
    """One queue. Indices run freely in 16 bits; `size` is set by the guest, and judged when it says ready."""

    FIELDS: ClassVar[tuple[str, ...]] = (
        *("size", "ready", "descriptors", "driver_area", "device_area", "announced", "taken", "given"),
    )

    def __init__(self, dma: Dma, most: int) -> None:
        """A queue that the guest may make up to `most` entries long."""
        self._dma = dma
        self.most = most
        self.reset()

    def reset(self) -> None:
        """Nothing set up."""
        self.size = self.most
        self.ready = False
        self.descriptors = self.driver_area = self.device_area = 0
        self.announced = self.taken = self.given = 0

    def start(self) -> None:
        """The guest says it is ready. QueueError if size or addresses cannot be."""
        size = self.size
        if not 0 < size <= self.most or size & (size - 1):
            raise QueueError(f"a queue of {size} entries: no power of two up to {self.most}")
        areas = (
            ("descriptor area", self.descriptors, 16, DESCRIPTOR_BYTES * size),
            ("driver area", self.driver_area, 2, 6 + 2 * size),
            ("device area", self.device_area, 4, 6 + 8 * size),
        )
        for name, address, alignment, length in areas:
            if address % alignment:
                raise QueueError(f"the {name} at {address:#x} is not aligned to {alignment} bytes")
            if not self._dma.reaches(address, length):
                raise QueueError(f"the {name} at {address:#x} is not in RAM")
        self.announced = self.taken = self.given = 0
        self.ready = True

    def stop(self) -> None:
        """The guest takes it back."""
        self.ready = False

    def announce(self) -> int:
        """The doorbell: how many chains have become available since the last one. QueueError if it cannot be."""
        self._check_ready()
        index = self._half(self.driver_area + 2)
        if index - self.taken & _INDEX > self.size:
            raise QueueError(
                f"the driver area's idx went from {self.announced} to {index} in a queue of {self.size}"
            )
        new = index - self.announced & _INDEX
        if new > self.size:
            raise QueueError(f"the driver area's idx went back from {self.announced} to {index}")
        self.announced = index
        return new

    def take(self) -> Chain | None:
        """The next announced chain, or None. QueueError if it breaks the rules; it is gone then too."""
        self._check_ready()
        if self.taken == self.announced:
            return None
        head = self._half(self.driver_area + 4 + 2 * (self.taken % self.size))
        self.taken = self.taken + 1 & _INDEX
        return self._chain(head)

    def _chain(self, head: int) -> Chain:
        readable: list[Buffer] = []
        writable: list[Buffer] = []
        number = head
        for _ in range(self.size):
            if number >= self.size:
                raise QueueError(f"descriptor {number} of {self.size}")
            at = self.descriptors + DESCRIPTOR_BYTES * number
            address, size, flags, following = _descriptor(self._dma.peek(at, DESCRIPTOR_BYTES))
            self._judge(number, address, size, flags)
            if flags & WRITE:
                writable.append(Buffer(address, size))
            elif writable:
                raise QueueError(f"descriptor {number} is readable behind one that is writable")
            else:
                readable.append(Buffer(address, size))
            if not flags & NEXT:
                return Chain(head, tuple(readable), tuple(writable))
            number = following
        raise QueueError(f"the chain from descriptor {head} does not end")

    def _judge(self, number: int, address: int, size: int, flags: int) -> None:
        if flags & INDIRECT:
            raise QueueError(f"descriptor {number} is an indirect one, which was not offered")
        if not size:
            raise QueueError(f"descriptor {number} is empty")
        if not self._dma.reaches(address, size):
            raise QueueError(f"descriptor {number}: {size:#x} bytes at {address:#x} are not in RAM")

    def give_back(self, chain: Chain, written: int) -> None:
        """Hand a chain back as used; the device wrote `written` bytes into it."""
        entry = self.device_area + 4 + 8 * (self.given % self.size)
        self._dma.write(entry, _used_entry(chain.head, written & 0xFFFF_FFFF))
        self.given = self.given + 1 & _INDEX
        self._dma.write(self.device_area + 2, self.given.to_bytes(2, "little"))

    def wants_interrupt(self) -> bool:
        """Whether the guest asks to hear of used chains."""
        return not self._half(self.driver_area) & NO_INTERRUPT

    def _half(self, address: int) -> int:
        return int.from_bytes(self._dma.peek(address, 2), "little")

    def _check_ready(self) -> None:
        if not self.ready:
            raise QueueError("the queue is not ready")
