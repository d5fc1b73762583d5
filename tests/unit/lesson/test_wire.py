# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames that lessons make without scapy, read by scapy; and what they say about others."""

from pathlib import Path

from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import ARP, Ether

from emu.lesson.boot import bundled_kernel
from emu.lesson.packet_costs import fate_name
from emu.lesson.wire import describe, is_packet, payload_of, ping, udp

ROOT = Path(__file__).resolve().parents[3]


def test_a_datagram_is_what_scapy_reads_with_its_checksums():
    frame = udp("10.0.0.2:1001", "203.0.113.9:53", b"name?")
    packet = Ether(frame)[IP]
    fresh = IP(bytes(packet))
    del fresh.chksum, fresh[UDP].chksum
    assert (packet.src, packet.dst, packet[UDP].sport, packet[UDP].dport) == (
        "10.0.0.2",
        "203.0.113.9",
        1001,
        53,
    )
    assert bytes(fresh) == bytes(packet)
    assert payload_of(frame) == b"name?"


def test_a_ping_is_what_scapy_reads_with_its_checksums():
    packet = Ether(ping("10.0.0.2", "10.0.0.1"))[IP]
    fresh = IP(bytes(packet))
    del fresh.chksum, fresh[ICMP].chksum
    assert packet[ICMP].type == 8 and bytes(fresh) == bytes(packet)


def test_frames_are_told_in_a_line():
    link = Ether(src="02:00:0a:00:00:02", dst="52:54:00:12:34:56")
    ip = IP(src="10.0.0.1", dst="10.0.0.2")
    told = {
        "UDP 10.0.0.2:1001 > 203.0.113.9:53, TTL 64": udp("10.0.0.2:1001", "203.0.113.9:53"),
        "ICMP unreachable, code 13, 10.0.0.1 > 10.0.0.2": bytes(link / ip / ICMP(type=3, code=13)),
        "ARP: who has 10.0.0.1?": bytes(link / ARP(pdst="10.0.0.1")),
        "ether type 0x86dd": bytes(Ether(type=0x86DD) / (b"\0" * 40)),
    }
    for line, frame in told.items():
        assert describe(frame) == line
        assert is_packet(frame) == (line[0] in "UI")


def test_a_fate_is_named_by_the_kernel_s_own_enumeration():
    kernel = bundled_kernel().symbols
    reasons = kernel.enumeration("drop_reason")
    assert [fate_name(number, reasons) for number in (0, 1)] == ["sent", "delivered"]
    at = {name: number for number, name in reasons.items()}
    assert fate_name(2 + at["DROP_ETHER_TYPE"], reasons) == "dropped: ether type"
    assert fate_name(2 + at["DROP_DEAD"], reasons) == "dropped: dead"
    assert fate_name(2 + 200, reasons) == "dropped: 200"
