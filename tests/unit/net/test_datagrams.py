# SPDX-License-Identifier: GPL-2.0-or-later
"""UDP, IPv4, Ethernet and ARP in our own few lines; scapy is the referee of every byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.net.datagrams import Datagram, Endpoint, arp_answer, checksum, ipv4, read_udp, write_udp

scapy = pytest.importorskip("scapy.all")

HERE, THERE = b"\x02\x00\xc0\x00\x02\x02", b"\x52\x54\x00\x12\x34\x57"
SERVER, GUEST = ipv4("192.0.2.2"), ipv4("192.0.2.1")
ports = st.integers(1, 0xFFFF)


def by_scapy(payload: bytes, source_port: int = 4000, **fields: int) -> bytes:
    """The frame that scapy makes of a datagram from the guest to the server."""
    ip = scapy.IP(src="192.0.2.1", dst="192.0.2.2", **fields)
    frame = scapy.Ether(src="52:54:00:12:34:57", dst="02:00:c0:00:02:02") / ip
    return bytes(frame / scapy.UDP(sport=source_port, dport=69) / payload)


@given(st.binary(max_size=1472), ports, ports)
def test_a_frame_is_what_scapy_makes_of_the_same_datagram(payload: bytes, source: int, to: int) -> None:
    frame = write_udp(Datagram(Endpoint(SERVER, source), Endpoint(GUEST, to), payload), HERE, THERE)
    theirs = scapy.Ether(src="02:00:c0:00:02:02", dst="52:54:00:12:34:57") / scapy.IP(
        src="192.0.2.2", dst="192.0.2.1", id=0, flags="DF", ttl=64
    )
    assert frame == bytes(theirs / scapy.UDP(sport=source, dport=to) / payload)


@given(st.binary(max_size=1472))
def test_what_scapy_sends_is_read(payload: bytes) -> None:
    assert read_udp(by_scapy(payload), HERE) == Datagram(Endpoint(GUEST, 4000), Endpoint(SERVER, 69), payload)


def test_options_padding_and_a_missing_checksum_are_fine() -> None:
    wanted = Datagram(Endpoint(GUEST, 4000), Endpoint(SERVER, 69), b"x")
    frame = scapy.Ether(dst="02:00:c0:00:02:02") / scapy.IP(
        src="192.0.2.1", dst="192.0.2.2", options=[scapy.IPOption_NOP()] * 4
    )
    assert read_udp(bytes(frame / scapy.UDP(sport=4000, dport=69) / b"x"), HERE) == wanted
    assert read_udp(bytes(frame / scapy.UDP(sport=4000, dport=69, chksum=0) / b"x"), HERE) == wanted
    assert read_udp(by_scapy(b"x") + bytes(17), HERE) == wanted


def test_fragments_and_other_machines_frames_are_not_read() -> None:
    assert read_udp(by_scapy(b"x", frag=3), HERE) is None
    assert read_udp(by_scapy(b"x", flags=1), HERE) is None
    assert read_udp(by_scapy(b"x"), THERE) is None


@given(st.binary(max_size=80), st.data())
def test_a_frame_with_one_bit_changed_behind_the_addresses_is_refused(
    payload: bytes, data: st.DataObject
) -> None:
    frame = bytearray(by_scapy(payload))
    bit = data.draw(st.integers(14 * 8, len(frame) * 8 - 1))
    frame[bit // 8] ^= 1 << bit % 8
    checksum_was_cleared = frame[40:42] == b"\0\0"
    assert read_udp(bytes(frame), HERE) is None or checksum_was_cleared


@given(st.binary(max_size=120))
def test_garbage_is_read_as_nothing_and_raises_nothing(tail: bytes) -> None:
    read_udp(tail, HERE)
    arp_answer(tail, HERE, SERVER)
    for length in range(14, 60):
        read_udp((by_scapy(b"abc")[:14] + tail)[:length], HERE)


@given(st.binary(max_size=99))
def test_the_checksum_of_what_holds_its_checksum_is_zero(data: bytes) -> None:
    data += b"\0" * (len(data) % 2)
    assert checksum(data + checksum(data).to_bytes(2, "big")) == 0


def test_arp_asks_for_the_server_and_gets_its_mac() -> None:
    ask = scapy.Ether(src="52:54:00:12:34:57", dst="ff:ff:ff:ff:ff:ff") / scapy.ARP(
        hwsrc="52:54:00:12:34:57", psrc="192.0.2.1", pdst="192.0.2.2"
    )
    reply = scapy.Ether(arp_answer(bytes(ask), HERE, SERVER))
    assert (reply.src, reply.dst) == ("02:00:c0:00:02:02", "52:54:00:12:34:57")
    assert (reply[scapy.ARP].op, reply[scapy.ARP].hwsrc, reply[scapy.ARP].psrc) == (
        2,
        "02:00:c0:00:02:02",
        "192.0.2.2",
    )
    assert (reply[scapy.ARP].hwdst, reply[scapy.ARP].pdst) == ("52:54:00:12:34:57", "192.0.2.1")


def test_arp_for_others_and_arp_replies_are_not_answered() -> None:
    ask = scapy.Ether(dst="ff:ff:ff:ff:ff:ff") / scapy.ARP(psrc="192.0.2.1", pdst="192.0.2.3")
    told = scapy.Ether(dst="ff:ff:ff:ff:ff:ff") / scapy.ARP(op=2, psrc="192.0.2.1", pdst="192.0.2.2")
    assert arp_answer(bytes(ask), HERE, SERVER) is None
    assert arp_answer(bytes(told), HERE, SERVER) is None
