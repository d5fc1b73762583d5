# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtio block device (virtio 1.2, "Block Device", 5.2).

A request is done all at once, 2,000 instructions after its doorbell: header, data, status byte and used ring. Requests
keep their order. What is wrong with a request is said in its status byte; one that has no status byte or no header
leaves the device in need of a reset.
"""

from collections.abc import Iterable
from struct import Struct, pack
from typing import ClassVar, Final

from emu.devices.bus import State
from emu.devices.disk import SECTOR_BYTES, Disk
from emu.devices.virtio import VirtioDevice
from emu.devices.virtqueue import Buffer, Chain

DEVICE_ID: Final = 2
LATENCY: Final = 2_000
QUEUE_ENTRIES: Final = 64
SIZE_MAX, SEG_MAX, BLK_SIZE, FLUSH = 1 << 1, 1 << 2, 1 << 6, 1 << 9
MOST_SEGMENTS: Final = 16
MOST_SEGMENT_BYTES: Final = 64 << 10
MOST_BYTES: Final = MOST_SEGMENTS * MOST_SEGMENT_BYTES
"""Of one request; more is an I/O error, so that no doorbell costs without bound."""

T_IN, T_OUT, T_FLUSH, T_GET_ID = 0, 1, 4, 8
S_OK, S_IOERR, S_UNSUPP = 0, 1, 2
HEADER_BYTES: Final = 16
ID_BYTES: Final = 20
IDENTITY: Final = b"pagewalk disk"
CONFIG_BYTES: Final = 60

_header: Final = Struct("<IIQ").unpack


class VirtioBlock(VirtioDevice):
    """A disk in a slot, with one queue."""

    FIELDS: ClassVar[tuple[str, ...]] = ("waiting",)

    def __init__(self, disk: Disk) -> None:
        """The device in front of `disk`."""
        self.name = "disk"
        self.device_id = DEVICE_ID
        self.features = SIZE_MAX | SEG_MAX | BLK_SIZE | FLUSH
        self.queue_sizes = (QUEUE_ENTRIES,)
        self.disk = disk
        self.waiting: tuple[int, ...] = ()
        """When each announced request is done."""

    def config(self) -> bytes:
        """Capacity, greatest segment, most segments and block size; all that was not offered is zero."""
        fields = pack("<QIIII", self.disk.sectors, MOST_SEGMENT_BYTES, MOST_SEGMENTS, 0, SECTOR_BYTES)
        return fields.ljust(CONFIG_BYTES, b"\0")

    def notified(self, queue: int, now: int) -> None:
        """Note when the announced requests will be done."""
        self.waiting += (now + LATENCY,) * self.transport.announced(queue)

    def stopped(self, queue: int) -> None:
        """Forget the requests under way."""
        self.waiting = ()

    def next_due(self) -> int | None:
        """When the first request is done."""
        return self.waiting[0] if self.waiting else None

    def is_busy(self) -> bool:
        """Whether a request is under way."""
        return bool(self.waiting)

    def advance(self, now: int) -> None:
        """Do the requests whose time has come."""
        while self.waiting and self.waiting[0] <= now:
            self.waiting = self.waiting[1:]
            chain = self.transport.take(0)
            if chain is not None:
                self._serve(chain)
            if self.transport.is_broken():
                self.waiting = ()

    def _serve(self, chain: Chain) -> None:
        header, data = _split(chain.readable, HEADER_BYTES)
        room = sum(buffer.size for buffer in chain.writable)
        if not room or sum(buffer.size for buffer in header) < HEADER_BYTES:
            missing = "status byte" if not room else "whole header"
            self.transport.fail(f"a request from descriptor {chain.head} has no {missing}")
            return
        kind, _, sector = _header(self._gather(header))
        target, status_byte = _split(chain.writable, room - 1)
        status = self._do(kind, sector, data, target)
        self.transport.dma.write(status_byte[0].address, bytes((status,)))
        self.transport.give_back(0, chain, room)

    def _do(self, kind: int, sector: int, data: tuple[Buffer, ...], target: tuple[Buffer, ...]) -> int:
        if kind == T_IN:
            size = sum(buffer.size for buffer in target)
            if size > MOST_BYTES or not self.disk.holds(sector, size):
                return S_IOERR
            self._scatter(target, self.disk.read(sector, size))
        elif kind == T_OUT:
            size = sum(buffer.size for buffer in data)
            if size > MOST_BYTES or not self.disk.holds(sector, size):
                return S_IOERR
            self.disk.write(sector, self._gather(data))
        elif kind == T_GET_ID:
            self._scatter(_split(target, ID_BYTES)[0], IDENTITY.ljust(ID_BYTES, b"\0"))
        elif kind != T_FLUSH:
            return S_UNSUPP
        return S_OK

    def _gather(self, buffers: Iterable[Buffer]) -> bytes:
        return b"".join(self.transport.dma.read(buffer.address, buffer.size) for buffer in buffers)

    def _scatter(self, buffers: Iterable[Buffer], data: bytes) -> None:
        at = 0
        for buffer in buffers:
            self.transport.dma.write(buffer.address, data[at : at + buffer.size])
            at += buffer.size

    def state(self) -> State:
        """What is under way, and what was written."""
        return (self.waiting, self.disk.overlay)

    def load_state(self, state: State) -> None:
        """What is under way, and what was written."""
        self.waiting, self.disk.overlay = state


def _split(buffers: tuple[Buffer, ...], size: int) -> tuple[tuple[Buffer, ...], tuple[Buffer, ...]]:
    """The first `size` bytes, and the rest."""
    first: list[Buffer] = []
    rest: list[Buffer] = []
    for buffer in buffers:
        part = min(size, buffer.size)
        size -= part
        if part:
            first.append(Buffer(buffer.address, part))
        if part < buffer.size:
            rest.append(Buffer(buffer.address + part, buffer.size - part))
    return tuple(first), tuple(rest)
