# SPDX-License-Identifier: GPL-2.0-or-later
"""Who answers on a wire with nobody on it: the board, for any address that the guest asks for by ARP.

The station with IPv4 address A.B.C.D has MAC address 02:00:A:B:C:D (RFC 826 for the packet's form).
"""

from collections.abc import Sequence
from typing import Final

from emu.devices.bus import State

_ARP: Final = b"\x08\x06"
_REQUEST: Final = bytes.fromhex("0001 0800 06 04 0001")
_REPLY: Final = bytes.fromhex("0001 0800 06 04 0002")
_ARP_END: Final = 42


def neighbour_mac(address: bytes) -> bytes:
    """The MAC address of the station with that IPv4 address (four bytes)."""
    return b"\2\0" + address


def arp_request(frame: bytes) -> tuple[bytes, bytes, bytes] | None:
    """(asker's MAC, asker's IPv4 address, the address asked for) of an ARP request; None for any other frame."""
    if len(frame) < _ARP_END or frame[12:14] != _ARP or frame[14:22] != _REQUEST:
        return None
    return frame[22:28], frame[28:32], frame[38:42]


def arp_reply(frame: bytes, mac: bytes) -> bytes:
    """The answer to an ARP request: who was asked for has `mac`."""
    asker, asked = frame[22:32], frame[38:42]
    return asker[:6] + mac + _ARP + _REPLY + mac + asked + asker


class Neighbourhood:
    """A peer that answers ARP requests and nothing else. It remembers nothing."""

    def answer(self, frame: bytes) -> Sequence[bytes]:
        """The reply to an ARP request for another address than the asker's own."""
        request = arp_request(frame)
        if request is None or request[2] == request[1]:
            return ()
        return (arp_reply(frame, neighbour_mac(request[2])),)

    def state(self) -> State:
        """Nothing."""
        return ()

    def load_state(self, state: State) -> None:
        """Nothing."""
