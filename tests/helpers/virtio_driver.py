# SPDX-License-Identifier: GPL-2.0-or-later
"""A driver in Python: a slot with a disk on real RAM, and the steps that a guest's driver takes."""

from dataclasses import dataclass
from struct import pack, unpack

from emu.devices.disk import SECTOR_BYTES, Disk, DiskImage
from emu.devices.dma import Dma
from emu.devices.virtio import CONFIG_SPACE, SLOT_BYTES, VirtioMmio, VirtioSlots
from emu.devices.virtio_block import HEADER_BYTES, LATENCY, VirtioBlock
from emu.mem import PhysicalMemory

FEATURES, FEATURE_WORD, DRIVER_FEATURES, DRIVER_WORD = 0x10, 0x14, 0x20, 0x24
QUEUE, QUEUE_MAX, QUEUE_SIZE, QUEUE_READY, NOTIFY = 0x30, 0x34, 0x38, 0x44, 0x50
INTERRUPTS, ACKNOWLEDGE, STATUS, GENERATION = 0x60, 0x64, 0x70, 0xFC
DESCRIPTORS, AVAILABLE, USED = 0x80, 0x90, 0xA0
NEXT, WRITE, INDIRECT = 1, 2, 4

RAM_BYTES = 8 << 20
SIZE = 8
"""Entries of the driver's queue."""
TABLE, DRIVER_AREA, DEVICE_AREA = 0x1000, 0x2000, 0x3000
HEADERS, STATUSES, BUFFERS = 0x4000, 0x5000, 0x10000
DISK_SECTORS = 64


@dataclass(frozen=True)
class Transfer:
    """What the door reported."""

    device: str
    address: int
    data: bytes
    write: bool


class Driver:
    """The board's slot 0, and RAM with one queue laid out in it."""

    def __init__(self, content: bytes = b"", sectors: int = DISK_SECTORS, ram_bytes: int = RAM_BYTES) -> None:
        self.memory = PhysicalMemory(ram_bytes)
        self.transfers: list[Transfer] = []
        self.level = False
        self.edges = 0
        self.now = 0
        self.slots = VirtioSlots()
        self.disk = Disk(DiskImage("test", sectors * SECTOR_BYTES, content))
        self.block = VirtioBlock(self.disk)
        dma = Dma(self.block.name, self.memory, lambda *what: self.transfers.append(Transfer(*what)))
        self.slots.plug(0, self.block, dma, self._line)
        self.published = 0

    def _line(self, level: bool) -> None:
        self.edges += level and not self.level
        self.level = level

    @property
    def slot(self) -> VirtioMmio:
        """The transport."""
        slot = self.slots.slots[0]
        assert slot is not None
        return slot

    # -- registers ----------------------------------------------------------------------------------------------

    def get(self, offset: int, size: int = 4) -> int:
        """Load from slot 0."""
        return self.slots.read_mmio(offset, size)

    def set(self, offset: int, value: int, size: int = 4) -> None:
        """Store to slot 0, now."""
        self.slots.write_mmio(offset, size, value)

    def config(self, offset: int, size: int) -> int:
        """Load from slot 0's configuration space."""
        assert CONFIG_SPACE + offset + size <= SLOT_BYTES
        return self.get(CONFIG_SPACE + offset, size)

    def begin(self, features: int = 1 << 32) -> int:
        """Reset and negotiate; the status afterwards."""
        for status in (0, 1, 3):
            self.set(STATUS, status)
        for word in (0, 1):
            self.set(DRIVER_WORD, word)
            self.set(DRIVER_FEATURES, features >> 32 * word & 0xFFFF_FFFF)
        self.set(STATUS, 11)
        return self.get(STATUS)

    def make_queue(
        self, size: int = SIZE, table: int = TABLE, driver: int = DRIVER_AREA, device: int = DEVICE_AREA
    ) -> None:
        """Say where the queue is, and that it is ready."""
        self.set(QUEUE, 0)
        self.set(QUEUE_SIZE, size)
        for offset, address in ((DESCRIPTORS, table), (AVAILABLE, driver), (USED, device)):
            self.set(offset, address & 0xFFFF_FFFF)
            self.set(offset + 4, address >> 32)
        self.set(QUEUE_READY, 1)

    def start(self) -> None:
        """Everything up to DRIVER_OK."""
        assert self.begin() == 11
        self.make_queue()
        self.set(STATUS, 15)
        assert self.get(STATUS) == 15
        self.published = 0

    # -- the ring -----------------------------------------------------------------------------------------------

    def poke(self, address: int, data: bytes) -> None:
        """Write RAM as the guest would."""
        self.memory.buffer[address : address + len(data)] = data

    def peek(self, address: int, size: int) -> bytes:
        """Read RAM."""
        return self.memory.buffer[address : address + size]

    def describe(self, number: int, address: int, size: int, flags: int = 0, following: int = 0) -> None:
        """Fill one descriptor."""
        self.poke(TABLE + 16 * number, pack("<QIHH", address, size, flags, following))

    def publish(self, *heads: int) -> None:
        """Make chains available."""
        for head in heads:
            self.poke(DRIVER_AREA + 4 + 2 * (self.published % SIZE), pack("<H", head))
            self.published += 1
        self.poke(DRIVER_AREA + 2, pack("<H", self.published & 0xFFFF))

    def ring(self) -> None:
        """The doorbell of queue 0."""
        self.set(NOTIFY, 0)

    def wait(self, clocks: int = LATENCY) -> None:
        """Let time pass."""
        self.now += clocks
        self.slots.advance(self.now)

    def used(self) -> list[tuple[int, int]]:
        """(head, written) of the entries of the used ring, oldest first; the ring must not have wrapped."""
        index = unpack("<H", self.peek(DEVICE_AREA + 2, 2))[0]
        return [unpack("<II", self.peek(DEVICE_AREA + 4 + 8 * i, 8)) for i in range(index)]

    # -- requests -----------------------------------------------------------------------------------------------

    def request(self, kind: int, sector: int, *buffers: tuple[int, int, bool], first: int = 0) -> None:
        """Publish header, `buffers` (address, bytes, device writes) and status byte from descriptor `first` on."""
        self.poke(HEADERS + 16 * first, pack("<IIQ", kind, 0, sector))
        self.poke(STATUSES + first, b"\xff")
        parts = [(HEADERS + 16 * first, HEADER_BYTES, False), *buffers, (STATUSES + first, 1, True)]
        for number, (address, size, writes) in enumerate(parts, first):
            last = number == first + len(parts) - 1
            self.describe(number, address, size, (0 if last else NEXT) | (WRITE if writes else 0), number + 1)
        self.publish(first)

    def do(self, kind: int, sector: int, *buffers: tuple[int, int, bool]) -> int:
        """One request from doorbell to end; its status byte."""
        self.request(kind, sector, *buffers)
        self.ring()
        self.wait()
        return self.outcome()

    def outcome(self, first: int = 0) -> int:
        """The status byte of the request that began at descriptor `first`; 255 before its end."""
        return self.peek(STATUSES + first, 1)[0]

    def is_broken(self) -> bool:
        """Whether the guest sees DEVICE_NEEDS_RESET."""
        return bool(self.get(STATUS) & 64)
