# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures made with scapy: an hour of an office's traffic in a second or two, with what goes wrong in real ones.

Everything comes from a seed. Frames are addressed to the guest's cards, as if it were the router of 10.0.0.0/24.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random

from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw
from scapy.utils import PcapWriter

ETH0, ETH1 = "52:54:00:12:34:56", "52:54:00:12:34:57"
INSIDE, OUTSIDE = "10.0.0.1", "192.0.2.1"
NAMES = ("example.com", "pagewalk.example", "a.b.c.d.example.org", "x")
MOST_FRAME_BYTES = 1514


def _host(random: Random) -> tuple[str, str]:
    """The MAC and address of somebody inside."""
    number = random.randrange(2, 30)
    return f"02:00:0a:00:00:{number:02x}", f"10.0.0.{number}"


def _far(random: Random) -> str:
    return random.choice(("198.51.100.", "203.0.113.", "192.0.2.")) + str(random.randrange(2, 250))


def _inside(random: Random, source: str, destination: str) -> Packet:
    mac = f"02:00:0a:00:00:{int(source.rsplit('.', 1)[1]):02x}"
    header = IP(
        src=source, dst=destination, id=random.randrange(65536), ttl=random.choice((64, 64, 64, 128, 2, 1))
    )
    return Ether(src=mac, dst=ETH0) / header


def _outside(random: Random, source: str, destination: str) -> Packet:
    header = IP(src=source, dst=destination, id=random.randrange(65536), ttl=random.choice((64, 52, 128, 1)))
    return Ether(src="02:00:c0:00:02:fe", dst=ETH1) / header


def _payload(random: Random, most: int) -> Packet:
    return Raw(random.randbytes(random.randrange(most)))


def _dns(random: Random) -> Iterator[tuple[str, Packet]]:
    _, host = _host(random)
    server, port, number = _far(random), random.randrange(1024, 65536), random.randrange(65536)
    question = DNSQR(qname=random.choice(NAMES))
    yield (
        "eth0",
        _inside(random, host, server) / UDP(sport=port, dport=53) / DNS(id=number, rd=1, qd=question),
    )
    answer = DNSRR(rrname=question.qname, rdata="203.0.113.7")
    reply = DNS(id=number, qr=1, qd=question, an=answer)
    yield "eth1", _outside(random, server, random.choice((OUTSIDE, host))) / UDP(sport=53, dport=port) / reply


def _ping(random: Random) -> Iterator[tuple[str, Packet]]:
    _, host = _host(random)
    number = random.randrange(65536)
    for sequence in range(random.randrange(1, 4)):
        target = random.choice((INSIDE, OUTSIDE, _far(random)))
        echo = ICMP(type=8, id=number, seq=sequence)
        yield "eth0", _inside(random, host, target) / echo / _payload(random, 64)
    kind = random.choice((0, 3, 11, 13))
    yield "eth1", _outside(random, _far(random), OUTSIDE) / ICMP(type=kind, id=number) / _payload(random, 40)


def _tcp(random: Random) -> Iterator[tuple[str, Packet]]:
    _, host = _host(random)
    server, port = _far(random), random.randrange(1024, 65536)
    service, first, second = (
        random.choice((22, 25, 80, 443, 6667)),
        random.randrange(1 << 32),
        random.randrange(1 << 32),
    )
    there, back = {"sport": port, "dport": service}, {"sport": service, "dport": port}
    near = random.choice((OUTSIDE, host))
    yield "eth0", _inside(random, host, server) / TCP(**there, seq=first, flags="S")
    yield (
        "eth1",
        _outside(random, server, near) / TCP(**back, seq=second, ack=first + 1 & 0xFFFF_FFFF, flags="SA"),
    )
    for _ in range(random.randrange(3)):
        data = _payload(random, 1300)
        yield "eth0", _inside(random, host, server) / TCP(**there, seq=first, ack=second, flags="PA") / data
    yield (
        "eth0",
        _inside(random, host, server) / TCP(**there, seq=first, ack=second, flags=random.choice(("FA", "R"))),
    )


def _udp(random: Random) -> Iterator[tuple[str, Packet]]:
    _, host = _host(random)
    target = random.choice((INSIDE, _far(random), _far(random)))
    datagram = UDP(sport=random.randrange(1, 65536), dport=random.choice((9, 69, 123, 500, 5353, 33434)))
    if random.randrange(4) == 0:
        datagram.chksum = 0
    yield "eth0", _inside(random, host, target) / datagram / _payload(random, 1400)


def _fragments(random: Random) -> Iterator[tuple[str, Packet]]:
    _, host = _host(random)
    whole = _inside(random, host, _far(random)) / UDP(sport=4000, dport=53) / Raw(random.randbytes(2500))
    pieces = fragment(whole, fragsize=random.choice((800, 1400)))
    random.shuffle(pieces)
    for piece in pieces:
        yield "eth0", piece


def _garbage(random: Random) -> Iterator[tuple[str, Packet]]:
    _, host = _host(random)
    good = _inside(random, host, _far(random)) / UDP(sport=5, dport=53) / _payload(random, 200)
    raw = bytearray(bytes(good))
    what = random.randrange(8)
    if what == 0:
        raw = bytearray(random.randbytes(random.randrange(14, 200)))
    elif what == 1:
        raw[14:] = random.randbytes(len(raw) - 14)
    elif what == 2:
        raw[random.randrange(14, 34)] ^= 1 << random.randrange(8)
    elif what == 3:
        del raw[random.randrange(14, len(raw)) :]
    elif what == 4:
        raw[0:6] = random.randbytes(6)
    elif what == 5:
        raw[12:14] = b"\x86\xdd"
    elif what == 6:
        raw[random.randrange(34, 42)] ^= 0x55
    else:
        raw = bytearray(
            bytes(Ether(src="02:00:0a:00:00:05", dst=ETH0) / ARP(psrc="10.0.0.5", pdst="10.0.0.9"))
        )
    yield "eth0", Ether(bytes(raw)) if what else Raw(bytes(raw))


def office(packets: int, seed: int) -> list[tuple[float, str, bytes]]:
    """At least so many frames: (time in s from 0, card, bytes), in the order of time."""
    random = Random(seed)
    kinds = (_dns, _ping, _tcp, _udp, _fragments, _garbage)
    frames: list[tuple[float, str, bytes]] = []
    now = 0.0
    while len(frames) < packets:
        for card, packet in random.choices(kinds, (5, 2, 4, 4, 1, 2))[0](random):
            frames.append((round(now, 6), card, bytes(packet)[:MOST_FRAME_BYTES]))
            now += random.randrange(20, 4000) / 1e6
        if random.randrange(40) == 0:
            now += random.randrange(10, 700)  # long enough for a translation to age
    return frames


def write_captures(frames: list[tuple[float, str, bytes]], folder: Path) -> dict[str, Path]:
    """One pcap file for each card that has frames, by the card's name."""
    files = {
        card: folder / f"{card}.pcap"
        for card in ("eth0", "eth1")
        if any(frame[1] == card for frame in frames)
    }
    for card, path in files.items():
        with PcapWriter(str(path), linktype=1) as writer:
            writer.write_header(None)
            for time, where, data in frames:
                if where == card:
                    whole, part = divmod(round(time * 1_000_000), 1_000_000)
                    writer.write_packet(data, sec=whole, usec=part, caplen=len(data), wirelen=len(data))
    return files
