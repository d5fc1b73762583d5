# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames that lessons put on the wire, what a frame says, and what became of a packet.

Enough for a scenario without scapy: UDP, pings, and a line about anything that the guest sends.
"""

import struct
from typing import TYPE_CHECKING

from emu.devices.neighbourhood import neighbour_mac
from emu.devices.network import CARD_SLOTS, MACS
from emu.events import Event, Kind, Marked
from emu.lesson.packet_costs import fate_name
from emu.net.datagrams import Datagram, Endpoint, checksum, ipv4, write_udp

if TYPE_CHECKING:
    from emu.lesson.lab import Lab

_ECHO_REPLY, _UNREACHABLE, _ECHO = 0, 3, 8
_ICMP, _TCP, _UDP = 1, 6, 17


def _endpoint(text: str) -> Endpoint:
    address, _, port = text.partition(":")
    return Endpoint(ipv4(address), int(port))


def udp(source: str, destination: str, payload: bytes = b"name?", card: str = "eth0") -> bytes:
    """A frame with a datagram, "10.0.0.2:1001" to "203.0.113.9:53", as it comes in at a card. ValueError for others."""
    datagram = Datagram(_endpoint(source), _endpoint(destination), payload)
    return write_udp(datagram, neighbour_mac(datagram.source.address), MACS[card])


def ping(source: str, destination: str, card: str = "eth0") -> bytes:
    """A frame with an ICMP echo request, "10.0.0.2" to "10.0.0.1", as it comes in at a card."""
    message = struct.pack("!BBHHH", _ECHO, 0, 0, 1, 1) + b"ping"
    message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
    addresses = ipv4(source) + ipv4(destination)
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(message), 0, 0, 64, _ICMP, 0)
    header = header[:10] + struct.pack("!H", checksum(header + addresses)) + addresses
    return MACS[card] + neighbour_mac(ipv4(source)) + b"\x08\x00" + header + message


def payload_of(frame: bytes) -> bytes:
    """The payload of the UDP datagram in a frame; empty if it has none."""
    return frame[42 : 14 + int.from_bytes(frame[16:18], "big")] if frame[23:24] == bytes([_UDP]) else b""


def _dotted(address: bytes) -> str:
    return ".".join(map(str, address))


def _icmp(message: bytes) -> str:
    names = {
        _ECHO_REPLY: "echo reply",
        _UNREACHABLE: f"unreachable, code {message[1]}",
        _ECHO: "echo request",
    }
    return f"ICMP {names.get(message[0], f'type {message[0]}')}"


def describe(frame: bytes) -> str:
    """A frame in a line: who to whom, and what."""
    if frame[12:14] == b"\x08\x06":
        return f"ARP: who has {_dotted(frame[38:42])}?" if frame[21] == 1 else "ARP reply"
    if frame[12:14] != b"\x08\x00":
        return f"ether type 0x{frame[12:14].hex()}"
    packet = frame[14:]
    source, destination, data = _dotted(packet[12:16]), _dotted(packet[16:20]), packet[(packet[0] & 15) * 4 :]
    if packet[9] == _ICMP:
        return f"{_icmp(data)}, {source} > {destination}"
    if packet[9] not in (_TCP, _UDP):
        return f"protocol {packet[9]}, {source} > {destination}"
    ports = struct.unpack("!HH", data[:4])
    name = "TCP" if packet[9] == _TCP else "UDP"
    return f"{name} {source}:{ports[0]} > {destination}:{ports[1]}, TTL {packet[8]}"


def is_packet(frame: bytes) -> bool:
    """Whether a frame carries IPv4."""
    return frame[12:14] == b"\x08\x00"


def begun(lab: "Lab", frame: bytes, card: str = "eth0") -> int:
    """Lets a frame come in, and runs until the kernel has it: the packet's number."""
    number = CARD_SLOTS[card]  # the kernel numbers its cards as the board does
    lab.inject(frame, card)
    lab.run_until(
        lambda event: (
            isinstance(event, Marked) and event.name == "packet_in" and event.arguments["interface"] == number
        )
    )
    mark = lab.events.of(Kind.MARK, name="packet_in")[-1]
    assert isinstance(mark, Marked)
    return int(mark.arguments["id"])


def fate(lab: "Lab", number: int) -> str | None:
    """What became of a packet; None while it lives."""
    for mark in lab.events.of(Kind.MARK, name="packet_end"):
        if isinstance(mark, Marked) and mark.arguments["id"] == number:
            kernel = lab.inspector.symbols.kernel
            assert kernel is not None
            return fate_name(int(mark.arguments["reason"]), kernel.enumeration("drop_reason"))
    return None


def ended(lab: "Lab", number: int) -> str:
    """Runs until a packet has ended; what became of it."""

    def is_end(event: Event) -> bool:
        return isinstance(event, Marked) and event.name == "packet_end" and event.arguments["id"] == number

    found = fate(lab, number)
    if found is None:
        lab.run_until(is_end)
        found = fate(lab, number)
    assert found is not None
    return found


def offered(lab: "Lab", frame: bytes, card: str = "eth0") -> str:
    """Lets a frame come in, and runs until its packet has ended; what became of it."""
    return ended(lab, begun(lab, frame, card))
