# SPDX-License-Identifier: GPL-2.0-or-later
"""What a scenario does with the guest's network: frames in, frames out, and somebody at the other end."""

from emu.devices.virtio_net import VirtioNet
from emu.lesson.errors import LabError
from emu.lesson.packets import AnswerFrame, Packet, SentFrame, frame_of, frames_of
from emu.machine import Machine


class NetworkVerbs:
    """The verbs of a lab that are about its machine's cards."""

    @property
    def machine(self) -> Machine:
        """The machine that is meant."""
        raise NotImplementedError

    def inject(self, packet: Packet, card: str = "eth0") -> None:
        """Let a frame arrive at a card now; recorded as an input. LabError if none can arrive there.

        `packet`: its bytes, or what has bytes (a scapy packet with its Ethernet header).
        """
        if not self._card(card).link_up:
            raise LabError(
                f"the link of {card} is down: the captures have ended; boot with network=True to keep it up"
            )
        self.machine.input(f"inject {card}", 0, frame_of(packet))

    def peer(self, answer: AnswerFrame, card: str = "eth1") -> None:
        """Put somebody on the wire of a card: `answer` is called with each frame that the guest sends there.

        It gives None, a packet or a list of packets. They arrive 2,000 instructions later and are recorded as inputs:
        in a replay nobody is asked again. What it leaves unanswered, built-in peers may answer.
        """
        self._card(card)
        self.machine.attach_peer(card, lambda frame: frames_of(answer(frame)))

    def sent(self, card: str = "eth0") -> list[SentFrame]:
        """The frames that the guest has sent through a card so far, oldest first."""
        self._card(card)
        return [SentFrame(frame, clock) for clock, frame in self.machine.network.frames_sent(card)]

    def _card(self, name: str) -> VirtioNet:
        cards = self.machine.network.cards
        if name not in cards:
            have = (
                f"there are {' and '.join(cards)}"
                if cards
                else "no card is plugged in: boot with network=True"
            )
            raise LabError(f"no card {name!r}: {have}")
        return cards[name]
