# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets as scenarios have them: bytes, or anything that has bytes, such as a scapy packet."""

from collections.abc import Callable
from html import escape
from typing import SupportsBytes

from emu.devices.virtio_net import CLOCKS_PER_US, MOST_FRAME_BYTES
from emu.lesson.errors import LabError

Packet = bytes | bytearray | SupportsBytes
Answer = Packet | list[Packet] | tuple[Packet, ...] | None
AnswerFrame = Callable[[bytes], Answer]
"""Asked with a frame that the guest has sent, what comes back for it."""


def frame_of(packet: Packet) -> bytes:
    """The bytes of an Ethernet frame. LabError if `packet` has none, or not as many as a card takes."""
    if not hasattr(packet, "__bytes__") and not isinstance(packet, bytearray):
        raise LabError(f"{packet!r} is no packet: give bytes, or what bytes() makes some of")
    frame = bytes(packet)
    if not 0 < len(frame) <= MOST_FRAME_BYTES:
        raise LabError(
            f"a frame of {len(frame):,} bytes: a card takes 1 to {MOST_FRAME_BYTES:,}, Ethernet header included"
        )
    return frame


def frames_of(answer: Answer) -> list[bytes]:
    """The frames of a peer's answer. LabError for what is none."""
    if answer is None:
        return []
    if isinstance(answer, list | tuple):
        return [frame_of(packet) for packet in answer]
    return [frame_of(answer)]


class SentFrame(bytes):
    """A frame that the guest has sent; `clock` is the board's clock when it had gone out, 100 to the microsecond."""

    clock: int

    def __new__(cls, data: bytes, clock: int) -> "SentFrame":
        """`data`, sent at `clock`."""
        frame = super().__new__(cls, data)
        frame.clock = clock
        return frame

    def __str__(self) -> str:
        """When, from whom to whom, and what."""
        target, source, kind = self[:6].hex(":"), self[6:12].hex(":"), self[12:14].hex()
        at = f"{self.clock / CLOCKS_PER_US:,.2f} us"
        return f"{at}: {len(self)} bytes from {source} to {target}, type 0x{kind}: {self[14:].hex(' ')}"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"
