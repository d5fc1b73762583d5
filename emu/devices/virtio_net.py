# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtio network card (virtio 1.2, "Network Device", 5.1): one queue to receive, one to transmit.

A frame is transmitted 2,000 instructions after its doorbell, then whoever listens gets it, the card's peers too; what
a peer answers arrives 2,000 instructions later. A frame arrives when its time has come and the guest has given a
buffer; until then it waits. Nothing is lost on the way.

Beyond the specification the card offers one feature, bit 63, the arrival stamp: if the driver accepts it, eight bytes
follow the header of a received frame, its own time in microseconds (of a capture: since its first frame).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from struct import pack
from typing import Any, ClassVar, Final, Protocol

from emu.devices.bus import State
from emu.devices.virtio import DRIVER_OK, VirtioDevice
from emu.devices.virtqueue import Buffer, Chain

DEVICE_ID: Final = 1
LATENCY: Final = 2_000
CLOCKS_PER_US: Final = 100
QUEUE_ENTRIES: Final = 64
RECEIVE, TRANSMIT = 0, 1
MAC, STATUS, ARRIVAL_STAMP = 1 << 5, 1 << 16, 1 << 63
LINK_UP: Final = 1
HEADER_BYTES: Final = 12
STAMP_BYTES: Final = 8
LEAST_FRAME_BYTES: Final = 14
MOST_FRAME_BYTES: Final = 1514
"""An Ethernet frame without its check sequence, as captures hold it and virtio carries it."""
_RECEIVED_HEADER: Final = bytes(10) + b"\1\0"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A frame on its way to the guest: due at clock value `due`; `stamp_us` is its own time in microseconds."""

    due: int
    stamp_us: int
    frame: bytes = field(repr=False)


class Peer(Protocol):
    """Somebody at the other end of the wire. What it does follows from the frames it has seen, and nothing else."""

    def answer(self, frame: bytes) -> Sequence[bytes]:
        """The frames it sends because the guest has sent `frame`."""
        ...

    def state(self) -> Any:
        """All that a checkpoint needs: a value that does not change."""
        ...

    def load_state(self, state: Any) -> None:
        """Become what `state()` was."""
        ...


Sent = Callable[["VirtioNet", int, int, bytes], bool]
"""Told of a transmitted frame: (card, its number from 0, clock value, frame). True: somebody has answered it."""


class VirtioNet(VirtioDevice):
    """A card in a slot. Of each frame that has gone out `on_sent` is told, then the peers, until one answers."""

    FIELDS: ClassVar[tuple[str, ...]] = (
        *("sending", "waiting", "next_frame", "starved", "link_up", "sent", "received", "refused", "offered"),
    )

    def __init__(
        self,
        name: str,
        mac: bytes,
        capture: Sequence[Arrival] = (),
        on_time: bool = True,
        peers: Sequence[Peer] = (),
        on_sent: Sent = lambda card, number, clock, frame: False,
    ) -> None:
        """A card with `mac`. `capture` is what comes in, in order of time: on its own when due, or one frame at each
        `offer` if not `on_time`."""
        self.name = name
        self.device_id = DEVICE_ID
        self.features = MAC | STATUS | ARRIVAL_STAMP
        self.queue_sizes = (QUEUE_ENTRIES, QUEUE_ENTRIES)
        self.mac = mac
        self.capture = tuple(capture)
        self.on_time = on_time
        self.peers = tuple(peers)
        self.on_sent = on_sent
        self.sending: tuple[int, ...] = ()
        """When each announced transmission is done."""
        self.waiting: tuple[Arrival, ...] = ()
        """What is on its way besides the capture, in order of time."""
        self.next_frame = 0
        """How much of the capture has been offered."""
        self.starved = False
        """A frame is due, and the guest has not given a buffer for it."""
        self.link_up = True
        self.sent = self.received = self.refused = self.offered = 0
        """Frames transmitted; handed to the guest; not transmitted, for they are none; brought to the card."""

    # -- what others ask and do -----------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether the driver is there and takes frames."""
        transport = self.transport
        return (
            bool(transport.status & DRIVER_OK)
            and not transport.is_broken()
            and transport.queues[RECEIVE].ready
        )

    @property
    def exhausted(self) -> bool:
        """Whether all of the capture has been offered, and nothing waits for a buffer or its time."""
        return self.next_frame == len(self.capture) and not self.waiting

    def arrive(self, clock: int, frame: bytes) -> None:
        """Let `frame` arrive at clock value `clock`, its stamp that of the board."""
        self._await(Arrival(clock, clock // CLOCKS_PER_US, frame))

    def offer(self, clock: int) -> None:
        """Let the next frame of the capture arrive now, whatever its time."""
        planned = self.capture[self.next_frame]
        self.next_frame += 1
        self._await(Arrival(clock, planned.stamp_us, planned.frame))

    def _await(self, arrival: Arrival) -> None:
        later = sum(other.due <= arrival.due for other in self.waiting)
        self.waiting = (*self.waiting[:later], arrival, *self.waiting[later:])
        self.offered += 1

    def set_link(self, up: bool) -> None:
        """Plug the cable in, or pull it out; the guest is told by a change of the configuration."""
        if self.link_up != up:
            self.link_up = up
            self.transport.change_config()

    # -- what the transport asks ----------------------------------------------------------------------------------

    def config(self) -> bytes:
        """MAC address and link status."""
        return self.mac + pack("<H", LINK_UP if self.link_up else 0)

    def notified(self, queue: int, now: int) -> None:
        """New buffers to receive into; or frames to transmit, done a little later."""
        new = self.transport.announced(queue)
        if queue == RECEIVE:
            self.starved = False
        else:
            self.sending += (now + LATENCY,) * new

    def stopped(self, queue: int) -> None:
        """Forget the transmissions under way; what is on its way in waits for the next driver."""
        if queue == RECEIVE:
            self.starved = False
        else:
            self.sending = ()

    def next_due(self) -> int | None:
        """When the next transmission is done or the next frame comes in."""
        arrival = self._next_arrival()
        dues = (*self.sending[:1], *((arrival.due,) if arrival and self.ready and not self.starved else ()))
        return min(dues, default=None)

    def is_busy(self) -> bool:
        """Whether a frame is under way in or out that the guest can take."""
        return self.next_due() is not None

    def _next_arrival(self) -> Arrival | None:
        first = self.waiting[0] if self.waiting else None
        if self.on_time and self.next_frame < len(self.capture):
            planned = self.capture[self.next_frame]
            if first is None or planned.due <= first.due:
                return planned
        return first

    def advance(self, now: int) -> None:
        """Transmit and receive what is due, in order of time."""
        while (due := self.next_due()) is not None and due <= now:
            if self.sending and self.sending[0] == due:
                self.sending = self.sending[1:]
                self._transmit(due)
            else:
                self._receive()
            if self.transport.is_broken():
                self.sending = ()

    # -- frames ---------------------------------------------------------------------------------------------------

    def _receive(self) -> None:
        """Put the next frame into the guest's next buffer; if there is none, it waits for the doorbell."""
        arrival = self._next_arrival()
        assert arrival is not None
        self.transport.announced(RECEIVE)
        chain = self.transport.take(RECEIVE)
        if chain is None:
            self.starved = True
            return
        stamped = self.transport.driver_features & ARRIVAL_STAMP
        stamp = pack("<Q", arrival.stamp_us & (1 << 64) - 1) if stamped else b""
        data = _RECEIVED_HEADER + stamp + arrival.frame
        room = sum(buffer.size for buffer in chain.writable)
        if room < len(data):
            self.transport.fail(
                f"a buffer of {room} bytes to receive, from descriptor {chain.head}: too small for {len(data)}"
            )
            return
        self._scatter(chain, data)
        self._forget_next(arrival)
        self.received += 1
        self.transport.give_back(RECEIVE, chain, len(data))

    def _forget_next(self, arrival: Arrival) -> None:
        if self.waiting and self.waiting[0] is arrival:
            self.waiting = self.waiting[1:]
        else:
            self.next_frame += 1
            self.offered += 1

    def _scatter(self, chain: Chain, data: bytes) -> None:
        at = 0
        for buffer in chain.writable:
            if at < len(data):
                self.transport.dma.write(buffer.address, data[at : at + buffer.size])
                at += buffer.size

    def _transmit(self, clock: int) -> None:
        chain = self.transport.take(TRANSMIT)
        if chain is None:
            return
        frame = self._frame(chain.readable)
        if frame is None:
            self.refused += 1
            self.transport.give_back(TRANSMIT, chain, 0)
            return
        number, self.sent = self.sent, self.sent + 1
        self.transport.give_back(TRANSMIT, chain, 0)
        if self.on_sent(self, number, clock, frame):
            return
        for peer in self.peers:
            answers = peer.answer(frame)
            for answer in answers:
                self.arrive(clock + LATENCY, answer)
            if answers:
                return

    def _frame(self, buffers: tuple[Buffer, ...]) -> bytes | None:
        """What stands behind the header; None if that is no frame, or asks for an offload that was not offered.

        Nothing of what is too long is read.
        """
        size = sum(buffer.size for buffer in buffers) - HEADER_BYTES
        if not LEAST_FRAME_BYTES <= size <= MOST_FRAME_BYTES:
            return None
        data = b"".join(self.transport.dma.read(buffer.address, buffer.size) for buffer in buffers)
        needs_checksum, segments = data[0] & 1, data[1]
        return None if needs_checksum or segments else data[HEADER_BYTES:]

    # -- checkpoints ----------------------------------------------------------------------------------------------

    def state(self) -> State:
        """The card's own, and its peers'."""
        return (super().state(), tuple(peer.state() for peer in self.peers))

    def load_state(self, state: State) -> None:
        """The card's own, and its peers'."""
        own, peers = state
        super().load_state(own)
        for peer, part in zip(self.peers, peers, strict=True):
            peer.load_state(part)
