# SPDX-License-Identifier: GPL-2.0-or-later
"""UDP over IPv4 over Ethernet, and ARP: as much of it as a machine needs that only answers.

Pure functions of bytes. What is malformed reads as None: a wire carries anything.
"""

import struct
from dataclasses import dataclass
from typing import Final

from emu.devices.neighbourhood import arp_reply, arp_request

ETHER_TYPE_IPV4: Final = 0x0800
ETHER_TYPE_ARP: Final = 0x0806
PROTOCOL_UDP: Final = 17
BROADCAST: Final = b"\xff" * 6
_DO_NOT_FRAGMENT: Final = 0x4000
_MORE_FRAGMENTS_OR_OFFSET: Final = 0x3FFF
_TTL: Final = 64


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An IPv4 address, four bytes as they are on the wire, and a UDP port."""

    address: bytes
    port: int


@dataclass(frozen=True, slots=True)
class Datagram:
    """One UDP datagram: who sent it, to whom, and its payload."""

    source: Endpoint
    destination: Endpoint
    payload: bytes


def ipv4(text: str) -> bytes:
    """The four bytes of a dotted address. ValueError if it is none."""
    from ipaddress import IPv4Address

    return IPv4Address(text).packed


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of `data`: 0 over data that holds its own, right, checksum."""
    padded = data + b"\0" if len(data) % 2 else data
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _pseudo_header(source: bytes, destination: bytes, length: int) -> bytes:
    return source + destination + struct.pack("!BBH", 0, PROTOCOL_UDP, length)


def arp_answer(frame: bytes, mac: bytes, address: bytes) -> bytes | None:
    """The reply of the machine with this MAC and IPv4 address to an ARP request for it; None for anything else."""
    request = arp_request(frame)
    return arp_reply(frame, mac) if request and request[2] == address != request[1] else None


def read_udp(frame: bytes, mac: bytes) -> Datagram | None:
    """The datagram in an Ethernet frame to this MAC. None if it is no whole, well-formed UDP datagram over IPv4."""
    if len(frame) < 14 or frame[:6] != mac or frame[12:14] != b"\x08\x00":
        return None
    packet = frame[14:]
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return None
    header_bytes, total = (packet[0] & 15) * 4, int.from_bytes(packet[2:4], "big")
    if header_bytes < 20 or total < header_bytes + 8 or total > len(packet) or packet[9] != PROTOCOL_UDP:
        return None
    fragment = int.from_bytes(packet[6:8], "big") & _MORE_FRAGMENTS_OR_OFFSET
    if fragment or checksum(packet[:header_bytes]):
        return None
    return _read_segment(packet[12:16], packet[16:20], packet[header_bytes:total])


def _read_segment(source: bytes, destination: bytes, segment: bytes) -> Datagram | None:
    source_port, destination_port, length, given = struct.unpack("!4H", segment[:8])
    if not 8 <= length <= len(segment) or not source_port:
        return None
    segment = segment[:length]
    if given and checksum(_pseudo_header(source, destination, length) + segment):
        return None
    return Datagram(Endpoint(source, source_port), Endpoint(destination, destination_port), segment[8:])


def write_udp(datagram: Datagram, source_mac: bytes, destination_mac: bytes) -> bytes:
    """The Ethernet frame that carries a datagram, with all its checksums. At most 1472 bytes of payload fit one."""
    source, destination = datagram.source, datagram.destination
    length = 8 + len(datagram.payload)
    bare = struct.pack("!4H", source.port, destination.port, length, 0) + datagram.payload
    total = checksum(_pseudo_header(source.address, destination.address, length) + bare) or 0xFFFF
    segment = bare[:6] + struct.pack("!H", total) + datagram.payload
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, _DO_NOT_FRAGMENT, _TTL, PROTOCOL_UDP, 0)
    addresses = source.address + destination.address
    header = header[:10] + struct.pack("!H", checksum(header + addresses)) + addresses
    return destination_mac + source_mac + struct.pack("!H", ETHER_TYPE_IPV4) + header + segment
