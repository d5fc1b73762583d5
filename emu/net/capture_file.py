# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures that go out: a pcap file that tcpdump and Wireshark read, whole after each frame.

The times are the board's clock, as if the board had been switched on when 1970 began.
"""

from pathlib import Path
from typing import Any, Final

from emu.devices.virtio_net import CLOCKS_PER_US
from emu.net.captures import ETHERNET
from emu.net.errors import NetError

_SECOND_US: Final = 1_000_000
_SNAPLEN: Final = 65535


class CaptureFile:
    """A capture that is being written: what one card sends."""

    def __init__(self, card: str, path: Path) -> None:
        """Create the file, with no frame in it. NetError if it cannot be."""
        from scapy.utils import RawPcapWriter

        self.card = card
        self.path = path
        self.frames = 0
        try:
            self._file = path.open("wb")
            self._writer: Any = RawPcapWriter(
                self._file, linktype=ETHERNET, endianness="<", sync=True, snaplen=_SNAPLEN
            )
            self._writer.write_header(None)
        except (OSError, ValueError) as error:
            raise _cannot(path, error) from None

    def __call__(self, card: str, clock: int, frame: bytes) -> None:
        """Write `frame`, sent by `card` at clock value `clock`, if the card is this one."""
        if card != self.card:
            return
        seconds, microseconds = divmod(clock // CLOCKS_PER_US, _SECOND_US)
        try:
            self._writer.write_packet(frame, sec=seconds, usec=microseconds)
        except OSError as error:
            raise _cannot(self.path, error) from None
        self.frames += 1

    def close(self) -> None:
        """Nothing more will be written."""
        self._file.close()


def _cannot(path: Path, error: Exception) -> NetError:
    reason = getattr(error, "strerror", None) or str(error)
    return NetError(f"capture {path}: cannot be written ({reason}); choose another place")
