# SPDX-License-Identifier: GPL-2.0-or-later
"""A driver in Python for one network card: two queues in real RAM, and the steps that a guest's driver takes."""

from collections.abc import Sequence
from struct import pack, unpack

from emu.devices.dma import Dma
from emu.devices.virtio import VirtioMmio, VirtioSlots
from emu.devices.virtio_net import (
    ARRIVAL_STAMP,
    HEADER_BYTES,
    LATENCY,
    RECEIVE,
    TRANSMIT,
    Arrival,
    Peer,
    VirtioNet,
)
from emu.mem import PhysicalMemory
from tests.helpers.virtio_driver import (
    AVAILABLE,
    DESCRIPTORS,
    NOTIFY,
    QUEUE,
    QUEUE_READY,
    QUEUE_SIZE,
    RAM_BYTES,
    STATUS,
    USED,
    Driver,
    Transfer,
)

SIZE = 8
AREAS = ((0x1000, 0x2000, 0x3000), (0x5000, 0x6000, 0x7000))
"""Of each queue: descriptors, driver area, device area."""
BUFFERS = 0x10000
BUFFER_BYTES = 2048
SLOT = 0
MAC = bytes.fromhex("525400123456")
VERSION_1 = 1 << 32


class NetDriver(Driver):
    """A slot with a card, and RAM with its queues laid out in it."""

    def __init__(
        self, capture: Sequence[Arrival] = (), on_time: bool = True, peers: Sequence[Peer] = ()
    ) -> None:
        self.memory = PhysicalMemory(RAM_BYTES)
        self.transfers: list[Transfer] = []
        self.level = False
        self.edges = 0
        self.now = 0
        self.sent: list[tuple[int, int, bytes]] = []
        self.slots = VirtioSlots()
        self.card = VirtioNet("eth0", MAC, capture, on_time, peers, self._on_sent)
        dma = Dma(self.card.name, self.memory, lambda *what: self.transfers.append(Transfer(*what)))
        self.slots.plug(SLOT, self.card, dma, self._line)
        self.counts = [0, 0]

    def _on_sent(self, card: VirtioNet, number: int, clock: int, frame: bytes) -> bool:
        self.sent.append((number, clock, frame))
        return False

    @property
    def transport(self) -> VirtioMmio:
        """The slot's registers."""
        return self.slot

    def start(self, features: int = VERSION_1 | ARRIVAL_STAMP) -> None:
        """Everything up to DRIVER_OK."""
        assert self.begin(features) == 11
        for queue in (RECEIVE, TRANSMIT):
            self.set_up(queue)
        self.set(STATUS, 15)
        assert self.get(STATUS) == 15
        self.wait(0)

    def set_up(self, queue: int, size: int = SIZE) -> None:
        """Say where a queue is, and that it is ready."""
        self.set(QUEUE, queue)
        self.set(QUEUE_SIZE, size)
        for offset, address in zip((DESCRIPTORS, AVAILABLE, USED), AREAS[queue], strict=True):
            self.set(offset, address)
            self.set(offset + 4, 0)
        self.set(QUEUE_READY, 1)
        self.counts[queue] = 0

    def descriptor(
        self, queue: int, number: int, address: int, size: int, flags: int = 0, following: int = 0
    ) -> None:
        """Fill one descriptor."""
        self.poke(AREAS[queue][0] + 16 * number, pack("<QIHH", address, size, flags, following))

    def make_available(self, queue: int, *heads: int) -> None:
        """Publish chains, without a doorbell."""
        for head in heads:
            self.poke(AREAS[queue][1] + 4 + 2 * (self.counts[queue] % SIZE), pack("<H", head))
            self.counts[queue] += 1
        self.poke(AREAS[queue][1] + 2, pack("<H", self.counts[queue] & 0xFFFF))

    def doorbell(self, queue: int) -> None:
        """Tell the card."""
        self.set(NOTIFY, queue)

    def give_buffers(self, count: int = 1, size: int = BUFFER_BYTES, first: int = 0) -> None:
        """Publish buffers to receive into, one descriptor each, and ring."""
        for number in range(first, first + count):
            self.descriptor(RECEIVE, number, BUFFERS + number * BUFFER_BYTES, size, 2)
        self.make_available(RECEIVE, *range(first, first + count))
        self.doorbell(RECEIVE)
        self.wait(0)

    def send(self, frame: bytes, number: int = 0, header: bytes = bytes(HEADER_BYTES)) -> None:
        """Publish a frame behind its header, and ring."""
        at = BUFFERS + (SIZE + number) * BUFFER_BYTES
        self.poke(at, header + frame)
        self.descriptor(TRANSMIT, number, at, len(header + frame))
        self.make_available(TRANSMIT, number)
        self.doorbell(TRANSMIT)

    def used_of(self, queue: int) -> list[tuple[int, int]]:
        """(head, written) of the entries of a used ring, oldest first; the ring must not have wrapped."""
        at = AREAS[queue][2]
        index = unpack("<H", self.peek(at + 2, 2))[0]
        return [unpack("<II", self.peek(at + 4 + 8 * i, 8)) for i in range(index)]

    def received(self) -> list[bytes]:
        """The received buffers, header and stamp included, oldest first."""
        return [self.peek(BUFFERS + head * BUFFER_BYTES, written) for head, written in self.used_of(RECEIVE)]

    def finish(self) -> None:
        """Let transmissions end."""
        self.wait(LATENCY)
