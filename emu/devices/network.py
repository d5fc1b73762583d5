# SPDX-License-Identifier: GPL-2.0-or-later
"""The board's two cards together: what comes in when, how much of it is in the guest, what has gone out.

`pcap` pace: a frame of a capture comes in when its time has passed, counted from the capture's first. `closed` pace:
the frames of all captures come in one at a time, in order of their times, each when the guest has nothing to do: it
halts, no request of a device is under way, and no packet is in the guest. When all captures have come in and the guest
has nothing to do, the links of the cards that nobody else can send to go down.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from emu.devices.bus import State
from emu.devices.neighbourhood import Neighbourhood
from emu.devices.virtio_net import Arrival, Peer, Sent, VirtioNet

CARD_SLOTS: Final = {"eth0": 1, "eth1": 2}
"""The slot of each card."""
MACS: Final = {
    "eth0": bytes.fromhex("525400123456"),
    "eth1": bytes.fromhex("525400123457"),
}


@dataclass(frozen=True, slots=True)
class CardSetup:
    """A card at reset. `peers` make the stations on its wire; `open`: its link stays up, whatever its capture does."""

    name: str
    capture: tuple[Arrival, ...] = ()
    peers: tuple[Callable[[], Peer], ...] = ()
    open: bool = False


@dataclass(frozen=True, slots=True)
class NetworkSetup:
    """The cards at reset, and the pace: `closed`, or by the captures' times."""

    cards: tuple[CardSetup, ...] = (CardSetup("eth0"), CardSetup("eth1"))
    closed: bool = False


class Network:
    """The cards by name. What happened on the wires is kept beside the cards' state, which says how much of it has."""

    def __init__(self, setup: NetworkSetup | None, on_sent: Sent) -> None:
        """The cards of `setup`, none if there is none."""
        self.closed = setup is not None and setup.closed
        self.cards: dict[str, VirtioNet] = {}
        self.open: frozenset[str] = frozenset()
        """The cards whose links stay up."""
        self.in_flight: frozenset[int] = frozenset()
        """The ids of the packets that the guest holds, as its tracepoints tell."""
        self._frames: dict[str, list[tuple[int, bytes]]] = {}
        self._on_sent = on_sent
        for card in setup.cards if setup else ():
            peers = [make() for make in card.peers]
            self.cards[card.name] = VirtioNet(
                card.name,
                MACS[card.name],
                card.capture,
                not self.closed,
                (*peers, Neighbourhood()),
                self._sent,
            )
            self._frames[card.name] = []
            if card.open or peers:
                self.open |= {card.name}

    # -- what goes out --------------------------------------------------------------------------------------------

    def _sent(self, card: VirtioNet, number: int, clock: int, frame: bytes) -> bool:
        """Keep the frame; what was kept of a future that has not come goes."""
        frames = self._frames[card.name]
        if number == len(frames) or frames[number] != (clock, frame):
            frames[number:] = [(clock, frame)]
        return self._on_sent(card, number, clock, frame)

    def frames_sent(self, card: str) -> list[tuple[int, bytes]]:
        """(clock value, frame) of each frame that the card has transmitted so far."""
        return self._frames[card][: self.cards[card].sent]

    # -- what comes in --------------------------------------------------------------------------------------------

    def packet_came(self, number: int) -> None:
        """The guest holds the packet of that id from now on."""
        self.in_flight |= {number}

    def packet_ended(self, number: int) -> None:
        """The guest is done with the packet of that id."""
        self.in_flight -= {number}

    def next_thing(self, clock: int) -> bool:
        """The guest has nothing to do: the next frame comes in, or the links go down. Whether anything happened."""
        left = [
            (card.capture[card.next_frame].stamp_us, number, card)
            for number, card in enumerate(self.cards.values())
            if card.next_frame < len(card.capture)
        ]
        if left:
            _, _, card = min(left, key=lambda entry: entry[:2])
            if not card.ready or card.waiting:
                return False
            card.offer(clock)
            return True
        ending = [
            card for name, card in self.cards.items() if name not in self.open and card.link_up and card.ready
        ]
        if any(card.waiting for card in self.cards.values()):
            return False
        for card in ending:
            card.set_link(False)
        return bool(ending)

    # -- checkpoints ----------------------------------------------------------------------------------------------

    def state(self) -> State:
        """What the cards' own states do not say."""
        return (self.open, self.in_flight)

    def load_state(self, state: State) -> None:
        """What the cards' own states do not say."""
        self.open, self.in_flight = state
