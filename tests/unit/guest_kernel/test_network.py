# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's stack: what it answers, what it passes on, what it drops and why. scapy makes and judges the packets."""

from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from emu.lesson import Call, Lab
from emu.machine import Machine
from tests.helpers.captures import office, write_captures
from tests.helpers.network import ETH0, FAR, GATEWAY, HOST, INSIDE, OUTSIDE, inside, is_sound, outside, run

PAGE = 4096
RAX, RSP = 0, 4
GUESTS = Path(__file__).parent / "guests"
SOCKETS = GUESTS / "sockets.txt"


def with_ip_checksum(frame: Any) -> bytes:
    """A frame whose IPv4 header is wrong in anything but its checksum."""
    raw = bytearray(bytes(frame))
    header = raw[14:34]
    header[10:12] = b"\0\0"
    total = sum(int.from_bytes(header[i : i + 2], "big") for i in range(0, 20, 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    raw[24:26] = (0xFFFF - total).to_bytes(2, "big")
    return bytes(raw)


UDP_PACKET = UDP(sport=5, dport=6) / b"datagram"
BAD = {
    "SHORT, a frame of 14 bytes": ("SHORT", bytes(inside())[:14]),
    "SHORT, half a header": ("SHORT", bytes(inside())[:24]),
    "NOT_FOR_US": ("NOT_FOR_US", Ether(dst="52:54:00:12:34:58") / IP() / UDP_PACKET),
    "NOT_FOR_US, a group": ("NOT_FOR_US", Ether(dst="01:00:5e:00:00:01") / IP() / UDP_PACKET),
    "ETHER_TYPE": ("ETHER_TYPE", Ether(dst=ETH0, type=0x86DD) / Raw(bytes(40))),
    "ARP, cut": ("ARP", bytes(Ether(dst=ETH0) / ARP(pdst=INSIDE))[:40]),
    "ARP, for another": ("ARP", Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(psrc=HOST, pdst="10.0.0.77")),
    "ARP, an unknown operation": ("ARP", Ether(dst=ETH0) / ARP(op=3, psrc=HOST, pdst=INSIDE)),
    "IP_VERSION": ("IP_VERSION", with_ip_checksum(inside(version=6) / UDP_PACKET)),
    "IP_HEADER, too short": ("IP_HEADER", with_ip_checksum(inside(ihl=4) / UDP_PACKET)),
    "IP_HEADER, too long": ("IP_HEADER", with_ip_checksum(inside(ihl=15) / UDP_PACKET)),
    "IP_LENGTH, longer than the frame": ("IP_LENGTH", with_ip_checksum(inside(len=100) / UDP_PACKET)),
    "IP_LENGTH, shorter than the header": ("IP_LENGTH", with_ip_checksum(inside(len=19) / UDP_PACKET)),
    "IP_CHECKSUM": ("IP_CHECKSUM", inside(chksum=1) / UDP_PACKET),
    "TTL": ("TTL", inside(dst=FAR, ttl=1) / UDP_PACKET),
    "NO_ROUTE, to nobody": ("NO_ROUTE", inside(dst="0.0.0.9") / UDP_PACKET),
    "NO_ROUTE, to many": ("NO_ROUTE", inside(dst="224.0.0.5") / UDP_PACKET),
    "NO_ROUTE, inside a machine": ("NO_ROUTE", inside(dst="127.0.0.1") / UDP_PACKET),
    "FRAGMENT, the first": ("FRAGMENT", inside(flags="MF") / UDP_PACKET),
    "FRAGMENT, a later one": ("FRAGMENT", inside(frag=100) / UDP_PACKET),
    "PROTOCOL": ("PROTOCOL", inside(proto=99) / Raw(b"?")),
    "ICMP, its checksum": ("ICMP", inside() / ICMP(chksum=7)),
    "ICMP, cut": ("ICMP", inside(proto=1) / Raw(b"\x08\0\xf7\xff")),
    "ICMP, an unknown type": ("ICMP", inside() / ICMP(type=200)),
    "ICMP, a broadcast echo": (
        "ICMP",
        Ether(dst="ff:ff:ff:ff:ff:ff") / IP(src=HOST, dst="10.0.0.255") / ICMP(),
    ),
    "ICMP, an echo in a frame for all": (
        "ICMP",
        Ether(dst="ff:ff:ff:ff:ff:ff") / IP(src=HOST, dst=INSIDE) / ICMP(),
    ),
    "UDP, its checksum": ("UDP", inside() / UDP(sport=5, dport=7, chksum=9) / b"x"),
    "UDP, cut": ("UDP", inside(proto=17) / Raw(b"1234567")),
    "UDP, longer than the packet": ("UDP", inside() / UDP(dport=7, len=40, chksum=0) / b"x"),
    "UDP, shorter than its header": ("UDP", inside() / UDP(dport=7, len=7, chksum=0) / b"x"),
    "TCP, its checksum": ("TCP", inside() / TCP(chksum=9)),
    "TCP, cut": ("TCP", inside(proto=6) / Raw(bytes(19))),
    "TCP, a header that is no header": ("TCP", inside() / TCP(dataofs=4)),
    "TCP, a header behind the end": ("TCP", inside() / TCP(dataofs=15)),
    "PORT, UDP": ("PORT", inside() / UDP(sport=5, dport=9)),
    "PORT, TCP": ("PORT", inside() / TCP(sport=5, dport=9)),
    "SOURCE, ours": ("SOURCE", inside(src=OUTSIDE) / UDP_PACKET),
    "SOURCE, nobody": ("SOURCE", inside(src="0.0.0.0") / UDP_PACKET),
    "SOURCE, everybody": ("SOURCE", inside(src="10.0.0.255", dst=FAR) / UDP_PACKET),
    "SOURCE, many": ("SOURCE", inside(src="224.0.0.1", dst=FAR) / UDP_PACKET),
}


def test_what_is_malformed_or_for_nobody_is_dropped_and_counted_by_its_reason() -> None:
    outcome = run([frame for _, frame in BAD.values()])
    expected = [reason for reason, _ in BAD.values()]
    asked = [fate for fate in outcome.fates.values() if fate.interface and fate.length >= 14]
    got = [str(fate) for fate in asked if str(fate) != "delivered"]  # ARP answers for our own
    assert dict(zip(BAD, got, strict=True)) == dict(zip(BAD, expected, strict=True))
    counted = dict(line.split()[2:] for line in outcome.lines if line.startswith("2: dropped"))
    names = {reason.lower().replace("_", "-") for reason in expected}
    assert counted == {
        name: str(sum(r.lower().replace("_", "-") == name for r in expected)) for name in names
    }


def test_each_packet_begins_once_and_ends_once_whatever_comes_in() -> None:
    frames = [(card, data) for _, card, data in office(300, seed=5)]
    outcome = run(frames)
    assert None not in [fate.end for fate in outcome.fates.values()]
    own = [fate for fate in outcome.fates.values() if not fate.interface]
    answers = sum(str(fate) == "delivered" and fate.length == 42 for fate in outcome.fates.values())
    assert len(outcome.fates) - len(own) - answers == len(frames)
    assert len(outcome.sent) == sum(str(fate) == "sent" for fate in outcome.fates.values())
    assert all(is_sound(packet) for packet in outcome.packets() if not packet.frag and packet.flags != "MF")


def test_an_echo_request_is_answered_with_the_same_bytes() -> None:
    asked = inside() / ICMP(id=77, seq=5) / b"abcdefg"
    far = outside(dst=INSIDE) / ICMP(id=1) / (b"x" * 1472)
    outcome = run([asked, ("eth1", far)])
    near, other = outcome.packets()
    assert (near.src, near.dst, near[ICMP].type, near[ICMP].id, near[ICMP].seq) == (INSIDE, HOST, 0, 77, 5)
    assert bytes(near[ICMP].payload) == b"abcdefg"
    assert (other.src, other.dst, len(other)) == (INSIDE, FAR, 1500)
    assert is_sound(near)
    assert is_sound(other)
    assert [card for card, frame in outcome.sent if IP in Ether(frame)] == ["eth0", "eth1"]


def test_a_packet_is_passed_on_from_page_to_page_with_one_less_to_live() -> None:
    frame = inside(dst=FAR, ttl=9, id=1234, options=[]) / UDP(sport=1, dport=2) / b"through"
    outcome = run([frame])
    (passed,) = outcome.packets("eth1")
    assert passed.ttl == 8
    assert is_sound(passed)
    wanted = IP(bytes(frame[IP]))
    wanted.ttl = 8
    del wanted.chksum
    assert bytes(passed) == bytes(wanted)
    data = len(bytes(frame))
    written = [dma.address for dma in outcome.dma if dma.size == 20 + data]
    read = [dma.address for dma in outcome.dma if dma.size == 12 + data]
    assert [address // PAGE for address in written] == [address // PAGE for address in read], (
        "no copy was made"
    )


def test_what_the_link_padded_is_passed_on_without_the_padding() -> None:
    frame = bytes(inside(dst=FAR) / UDP(sport=1, dport=2) / b"x")
    (passed,) = run([frame.ljust(60, b"\xee")]).packets("eth1")
    assert len(passed) == len(frame) - 14


def test_ttl_1_is_told_to_the_sender_and_quoted() -> None:
    frame = inside(dst=FAR, ttl=1, id=7) / UDP(sport=1, dport=2) / b"far"
    (error,) = run([frame]).packets()
    assert (error.src, error.dst, error[ICMP].type, error[ICMP].code) == (INSIDE, HOST, 11, 0)
    assert bytes(error[ICMP].payload) == bytes(frame[IP])
    assert is_sound(error)


def test_an_error_quotes_no_more_than_fits_into_576_bytes() -> None:
    (error,) = run([inside(dst=FAR, ttl=1) / UDP() / (b"x" * 1000)]).packets()
    assert len(error) == 576


@pytest.mark.parametrize(
    "frame",
    [
        inside(dst=FAR, ttl=1) / ICMP(type=3) / bytes(28),
        inside(dst=FAR, ttl=1, frag=10) / Raw(bytes(30)),
        Ether(dst="ff:ff:ff:ff:ff:ff") / IP(src=HOST, dst="10.0.0.255") / UDP(dport=9),
        Ether(dst="ff:ff:ff:ff:ff:ff") / IP(src=HOST, dst=INSIDE) / UDP(dport=9),
        inside(src="0.0.0.0") / UDP(dport=9),
        inside() / TCP(dport=9, flags="R"),
    ],
    ids=["an error", "a later fragment", "a broadcast", "a frame for all", "from nobody", "a reset"],
)
def test_nobody_is_told_about(frame: Any) -> None:
    assert run([frame]).packets() == []


def test_a_closed_udp_port_is_unreachable() -> None:
    frame = inside() / UDP(sport=5, dport=99) / b"?"
    (error,) = run([frame]).packets()
    assert (error[ICMP].type, error[ICMP].code, bytes(error[ICMP].payload)) == (3, 3, bytes(frame[IP]))


@pytest.mark.parametrize(
    ("flags", "data", "answer"),
    [
        ("S", b"", ("RA", 0, 101)),
        ("SF", b"abc", ("RA", 0, 105)),
        ("A", b"", ("R", 55, 0)),
        ("", b"12", ("RA", 0, 102)),
    ],
    ids=str,
)
def test_a_connection_is_refused_by_a_reset_that_answers_its_segment(
    flags: str, data: bytes, answer: tuple[str, int, int]
) -> None:
    segment = TCP(sport=4000, dport=80, flags=flags, seq=100, ack=55 if "A" in flags else 0) / data
    (reset,) = run([inside() / segment]).packets()
    assert (str(reset[TCP].flags), reset[TCP].seq, reset[TCP].ack) == answer
    assert (reset[TCP].sport, reset[TCP].dport) == (80, 4000)
    assert is_sound(reset)


# -- ARP ------------------------------------------------------------------------------------------------------------


def test_who_asks_for_us_by_arp_is_answered_and_remembered() -> None:
    mac = "02:11:22:33:44:55"
    ask = Ether(src=mac, dst="ff:ff:ff:ff:ff:ff") / ARP(hwsrc=mac, psrc="10.0.0.9", pdst=INSIDE)
    outcome = run([ask, Ether(src=mac, dst=ETH0) / IP(src="10.0.0.9", dst=INSIDE) / ICMP()])
    arp, echo = (Ether(frame) for _, frame in outcome.sent)
    assert (arp[ARP].op, arp[ARP].hwsrc, arp[ARP].psrc, arp[ARP].hwdst, arp[ARP].pdst) == (
        *(2, ETH0, INSIDE),
        *(mac, "10.0.0.9"),
    )
    assert echo.dst == mac


def silent(machine: Machine) -> None:
    """Nobody answers on any wire."""
    for card in machine.network.cards.values():
        card.peers = ()


def test_a_neighbour_that_does_not_answer_is_asked_for_three_times_and_the_sender_is_told() -> None:
    mac = Ether(src="02:00:0a:00:00:02", dst="ff:ff:ff:ff:ff:ff") / ARP(
        hwsrc="02:00:0a:00:00:02", psrc=HOST, pdst=INSIDE
    )
    frames = [inside(dst="192.0.2.9", id=n) / UDP(sport=n + 1, dport=7) for n in range(2)]
    outcome = run([mac, *frames], prepare=silent)
    asked = [Ether(frame)[ARP].pdst for card, frame in outcome.sent if card == "eth1"]
    assert asked == ["192.0.2.9"] * 3 + ["192.0.2.9"] * 3, "one packet after the other"
    errors = outcome.packets("eth0")
    assert [(error[ICMP].type, error[ICMP].code) for error in errors] == [(3, 1), (3, 1)]
    assert outcome.arrivals() == ["NO_NEIGHBOUR", "NO_NEIGHBOUR"]


def test_packets_wait_for_the_answer_in_their_order_and_the_ninth_finds_no_room() -> None:
    frames = [inside(dst="192.0.2.9", id=n) / UDP(sport=n + 1, dport=7) for n in range(10)]
    outcome = run(frames, closed=False)
    assert [packet.id for packet in outcome.packets("eth1")] == list(range(8))
    assert outcome.arrivals() == ["sent"] * 8 + ["NO_NEIGHBOUR"] * 2


def test_what_is_not_on_a_link_goes_to_the_gateway() -> None:
    outcome = run([inside(dst=FAR) / UDP(), inside(dst="192.0.2.7") / UDP()])
    frames = [Ether(frame) for card, frame in outcome.sent if card == "eth1"]
    assert [frame[ARP].pdst for frame in frames if ARP in frame] == [GATEWAY, "192.0.2.7"]
    assert [frame.dst for frame in frames if IP in frame] == ["02:00:c0:00:02:fe", "02:00:c0:00:02:07"]


def test_of_five_neighbours_in_a_set_of_four_the_one_used_longest_ago_is_asked_for_again() -> None:
    around = [inside(dst=f"192.0.2.{n}") / UDP() for n in (3, 19, 35, 51, 3, 67, 3, 19)]
    outcome = run(around)
    asked = [Ether(frame)[ARP].pdst for card, frame in outcome.sent if card == "eth1" and ARP in Ether(frame)]
    assert asked == [f"192.0.2.{n}" for n in (3, 19, 35, 51, 67, 19)]


# -- programs -------------------------------------------------------------------------------------------------------


def test_the_calls_for_sockets_have_every_answer_they_should() -> None:
    lines = run([], program="sockets").lines
    assert lines[1:] == SOCKETS.read_text(encoding="utf-8").splitlines()


def test_an_echo_server_gives_datagrams_back_and_ends_with_the_network() -> None:
    frames = [
        inside() / UDP(sport=5000, dport=7) / b"one",
        inside() / UDP(sport=5000, dport=7, chksum=0) / b"unchecked",
        ("eth1", outside() / UDP(sport=5001, dport=7) / bytes(1472)),
        inside() / UDP(sport=5002, dport=7),
    ]
    outcome = run(frames, program="udpecho")
    echoes = outcome.packets()
    assert [bytes(echo[UDP].payload) for echo in echoes] == [b"one", b"unchecked", bytes(1472), b""]
    assert [(echo.dst, echo[UDP].sport, echo[UDP].dport) for echo in echoes] == [
        *((HOST, 7, 5000), (HOST, 7, 5000), (FAR, 7, 5001), (HOST, 7, 5002)),
    ]
    assert all(is_sound(echo) and echo[UDP].chksum for echo in echoes)
    assert outcome.lines[-1] == "2: 0 bytes from 10.0.0.2 port 5002"


def test_a_socket_that_nobody_reads_takes_sixteen_datagrams_and_gives_their_pages_back() -> None:
    frames = [inside() / UDP(sport=5000, dport=7) / bytes([n]) for n in range(20)]
    outcome = run(frames, program=str(GUESTS / "deaf.c"))
    assert outcome.arrivals() == ["delivered"] * 16 + ["QUEUE_FULL"] * 4


def test_the_stack_lives_in_eight_mebibytes_and_gives_all_of_it_back() -> None:
    outcome = run([(card, data) for _, card, data in office(60, seed=9)], memory_mib=8)
    assert len(outcome.sent) > 30


def test_a_board_without_cards_has_no_network_and_says_so() -> None:
    lab = Lab()
    lab.boot(str(GUESTS / "no_network.c"))
    lab.run_to_exit()
    assert str(lab.console).splitlines()[1:] == [
        "2: socket: -100",
        "2: the end of the network: 0",
        "2: what was counted: packets received 0 sent 0 delivered 0 in-flight 0",
    ]


# -- the card -------------------------------------------------------------------------------------------------------


def test_a_card_that_asks_for_a_reset_is_given_up_in_words_and_the_other_one_goes_on() -> None:
    def break_eth1(machine: Machine) -> None:
        machine.run(150_000)
        slot = machine.virtio.slots[2]
        assert slot is not None
        slot.fail("the test says so")

    frames = [inside(dst=FAR) / UDP() / b"nowhere to go", inside() / ICMP() / b"ping"]
    outcome = run(frames, prepare=break_eth1)
    assert "0: eth1 asked for a reset: it is not used any more" in outcome.lines
    assert any("eth1 link down" in line for line in outcome.lines)
    assert [packet[ICMP].type for packet in outcome.packets("eth0")] == [3, 0], "unreachable, and an answer"
    assert outcome.arrivals() == ["NO_NEIGHBOUR", "delivered"]


def test_what_a_card_was_sending_when_it_was_given_up_has_ended_too() -> None:
    def break_eth1_while_it_sends(machine: Machine) -> None:
        while not machine.network.cards["eth1"].sending:
            machine.run(20)  # less than the way from the doorbell to HLT, which lets time pass
            assert machine.ended is None
        slot = machine.virtio.slots[2]
        assert slot is not None
        slot.fail("the test says so")

    outcome = run([inside(dst=FAR) / UDP() / b"waits"], prepare=break_eth1_while_it_sends)
    assert next(str(fate) for fate in outcome.fates.values() if not fate.interface) == "RING_FULL"
    assert outcome.arrivals() == ["NO_NEIGHBOUR"]


def answer_0_at_once(lab: Lab) -> None:
    """The function that would begin now returns 0 instead."""
    registers = lab.machine.cpu.engine.context.save()
    stack = registers.gpr(RSP)
    registers.rip = int.from_bytes(lab.memory(stack, 8), "little")
    registers.set_gpr(RSP, stack + 8)
    registers.set_gpr(RAX, 0)
    registers.restore()


def test_without_memory_for_a_fresh_page_the_packet_is_dropped_and_its_page_serves_again(
    tmp_path: Path,
) -> None:
    frames = [(0.0, "eth0", bytes(inside() / ICMP() / bytes([n]))) for n in range(42)]
    lab = Lab()
    lab.boot("netstat", net_in=[str(path) for path in write_captures(frames, tmp_path).values()])
    lab.run_until(Call("trace_boot_done"))
    for _ in range(40):  # more than a ring holds
        lab.run_until(Call("packet_alloc"))
        answer_0_at_once(lab)
    lab.run_to_exit()
    lines = str(lab.console).splitlines()
    assert "2: dropped no-memory 40" in lines
    assert not [line for line in lines if "leak" in line]
    assert lab.value("packet_statistics.received") == 43, "all, and an answer by ARP"
    assert lab.value("packet_statistics.delivered") == 3
