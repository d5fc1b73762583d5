# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenarios with cards: captures, injected packets, peers, and all of it again after going back and in a fork."""

from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.utils import wrpcap

from emu.events import DmaDone, InputApplied, Kind, Marked
from emu.guest.switches import read_switches
from emu.lesson import Call, Lab, LabError, happened
from emu.machine import Ending

ETH0, ETH1 = "52:54:00:12:34:56", "52:54:00:12:34:57"
HOST = "02:00:0a:00:00:02"
PORT = 7


def echo_request(data: bytes = b"hello", port: int = PORT) -> Ether:
    return Ether(dst=ETH0, src=HOST) / IP(src="10.0.0.2", dst="10.0.0.1") / UDP(sport=4000, dport=port) / data


def ping(number: int = 1) -> Ether:
    return Ether(dst=ETH0, src=HOST) / IP(src="10.0.0.2", dst="10.0.0.1") / ICMP(seq=number)


def to_outside(data: bytes = b"out") -> Ether:
    return (
        Ether(dst=ETH0, src=HOST) / IP(src="10.0.0.2", dst="198.51.100.7") / UDP(sport=4000, dport=53) / data
    )


def listening() -> Lab:
    """A guest that waits for datagrams, with nobody on the wires but the lab."""
    lab = Lab()
    lab.boot("udpecho", network=True)
    lab.run_to_exit()
    return lab


def ended(lab: Lab, packets: int = 1) -> None:
    """Run until so many more packets have met their fate and nothing is under way."""
    for _ in range(packets):
        lab.run_until(happened(Kind.MARK, name="packet_end"))
    lab.run_to_exit()


def test_a_packet_wakes_a_guest_that_waits_for_ever_and_is_answered() -> None:
    lab = listening()
    assert lab.ended is not None and lab.ended.ending is Ending.IDLE_FOR_EVER
    lab.inject(echo_request())
    lab.run_to_exit()
    request, answer = [Ether(frame) for frame in lab.sent()]
    assert (request[ARP].op, request[ARP].pdst) == (1, "10.0.0.2")
    assert (answer.dst, bytes(answer[UDP].payload)) == ("02:00:0a:00:00:02", b"hello")
    assert lab.sent()[0].clock < lab.sent()[1].clock


def test_what_was_injected_comes_again_after_going_back() -> None:
    lab = listening()
    lab.inject(echo_request(b"one"))
    lab.run_to_exit()
    lab.inject(echo_request(b"two"))
    lab.run_to_exit()
    sent, end, events = lab.sent(), lab.machine.journal.state(), list(lab.events)
    lab.machine.seek(end[1] // 2)
    assert len(lab.sent()) < len(sent)
    lab.run_to_exit()
    assert (lab.sent(), lab.machine.journal.state()) == (sent, end)
    assert [frame.clock for frame in lab.sent()] == [frame.clock for frame in sent]
    copy = lab.fork()
    assert (copy.sent(), copy.machine.journal.state()) == (sent, end)
    assert [event.seq for event in copy.events] == [event.seq for event in events]


def test_a_peer_is_asked_once_and_replayed_from_the_log() -> None:
    lab = listening()
    asked: list[bytes] = []

    def answer(frame: bytes) -> object:
        asked.append(frame)
        packet = Ether(frame)
        if UDP not in packet:
            return None
        back = Ether(dst=packet.src, src=packet.dst) / IP(src=packet[IP].dst, dst=packet[IP].src)
        return [bytes(back / UDP(sport=53, dport=packet[UDP].sport) / text) for text in (b"a", b"b")]

    lab.peer(answer)  # type: ignore[arg-type]
    lab.inject(to_outside())
    lab.run_to_exit()
    assert len(asked) == 2, "an ARP request, which the neighbourhood answers, and the datagram"
    back = [Ether(frame) for frame in lab.sent("eth0")]
    assert [bytes(packet[UDP].payload) for packet in back if UDP in packet] == [b"a", b"b"]
    answers = [e for e in lab.events if isinstance(e, InputApplied) and e.actor == "peer eth1"]
    assert [event.address for event in answers] == [1, 1]
    end, sent = lab.machine.journal.state(), lab.sent("eth0")
    lab.machine.seek(answers[0].insn - 3_000)
    lab.run_to_exit()
    assert (lab.machine.journal.state(), lab.sent("eth0"), len(asked)) == (end, sent, 2)
    copy = lab.fork()
    assert (copy.machine.journal.state(), copy.sent("eth0"), len(asked)) == (end, sent, 2)
    copy.inject(to_outside(b"more"))
    copy.run_to_exit()
    assert len(asked) == 3, "the fork goes on with the same peer"
    assert lab.compare(copy).difference is not None


def test_a_packet_that_came_while_the_guest_idled_comes_at_the_same_moment_again() -> None:
    lab = listening()
    lab.inject(echo_request(b"one"))
    lab.run_until(lambda event: isinstance(event, DmaDone) and event.device == "eth0" and not event.write)
    machine = lab.machine
    lab.run_until(happened(Kind.DMA, device="eth0", write=True))
    assert machine.cpu.halted, "a transmission ends while the guest sleeps"
    lab.inject(echo_request(b"two"))
    lab.run_to_exit()
    end, sent = machine.journal.state(), lab.sent()
    machine.seek(machine.inputs[0].insn - 100_000)
    lab.run_to_exit()
    assert (machine.journal.state(), lab.sent()) == (end, sent)
    assert [frame.clock for frame in lab.sent()] == [frame.clock for frame in sent]


def test_at_the_closed_pace_nothing_comes_while_the_guest_holds_a_packet(tmp_path: Path) -> None:
    wrpcap(str(tmp_path / "in.pcap"), [echo_request(), echo_request()])
    lab = Lab()
    lab.boot("udpecho", "2", net_in=tmp_path / "in.pcap", net_pace="closed")
    lab.machine.network.packet_came(99)
    lab.run_to_exit(1_000_000)
    eth0 = lab.machine.network.cards["eth0"]
    assert (eth0.received, lab.ended) == (0, None), "it waits, and is not idle for ever"
    lab.machine.network.packet_ended(99)
    lab.run_to_exit()
    assert lab.ended is not None and lab.ended.ending is Ending.EXITED
    assert eth0.exhausted


def test_another_packet_in_the_past_is_another_future() -> None:
    lab = listening()
    lab.inject(echo_request(b"one"))
    lab.run_to_exit()
    before = lab.machine.journal.insn
    lab.inject(echo_request(b"two"))
    lab.run_to_exit()
    assert [bytes(Ether(frame)[UDP].payload) for frame in lab.sent()[1:]] == [b"one", b"two"]
    lab.machine.seek(before)
    lab.inject(echo_request(b"three"))
    lab.run_to_exit()
    assert [bytes(Ether(frame)[UDP].payload) for frame in lab.sent()[1:]] == [b"one", b"three"]


@pytest.mark.parametrize("pace", ["pcap", "closed"])
def test_a_capture_comes_in_and_the_links_go_down_behind_it(tmp_path: Path, pace: str) -> None:
    packets = [ping(n) for n in range(5)]
    for number, packet in enumerate(packets):
        packet.time = 1_700_000_000 + number / 1000
    wrpcap(str(tmp_path / "in.pcap"), packets)
    (tmp_path / "rules").write_text("-P INPUT ACCEPT\n")
    lab = Lab()
    lab.boot("firewall", "rules", net_in=tmp_path / "in.pcap", net_pace=pace, files=tmp_path / "rules")
    assert lab.run_to_exit() is not None
    assert lab.ended is not None and lab.ended.ending is Ending.EXITED, lab.ended
    answers = [Ether(frame) for frame in lab.sent()]
    assert [packet[ICMP].seq for packet in answers if ICMP in packet] == list(range(5))
    times = [e.arguments["time"] for e in lab.events if isinstance(e, Marked) and e.name == "packet_in"]
    assert {0, 1000, 2000, 3000, 4000} <= set(times), "a packet keeps its own time"


def test_at_the_closed_pace_there_is_one_packet_at_a_time(tmp_path: Path) -> None:
    wrpcap(str(tmp_path / "in.pcap"), [ping(n) for n in range(4)])
    wrpcap(str(tmp_path / "out.pcap"), [Ether(dst=ETH1, src=HOST) / IP(dst="192.0.2.1") / UDP(dport=9)] * 3)
    lab = Lab()
    captures = [tmp_path / "in.pcap", f"eth1={tmp_path / 'out.pcap'}"]
    (tmp_path / "rules").write_text("-P INPUT ACCEPT\n")
    lab.boot("firewall", "rules", net_in=captures, net_pace="closed", files=tmp_path / "rules")
    lab.run_to_exit()
    held: set[object] = set()
    most = 0
    for event in lab.events:
        if isinstance(event, Marked) and event.name == "packet_in":
            if event.arguments["interface"]:
                held.add(event.arguments["id"])
                most = max(most, len(held))
        elif isinstance(event, Marked) and event.name == "packet_end":
            held.discard(event.arguments["id"])
    assert (most, held) == (1, set())
    assert sum(card.received for card in lab.machine.network.cards.values()) >= 7


def test_a_switch_can_be_set_on_a_fork(tmp_path: Path) -> None:
    lab = Lab()
    lab.boot("hello")
    with pytest.raises(LabError, match="not mapped yet"):
        lab.set_switch("ukshm.guard", "off")
    lab.run_until(Call("trace_boot_done"))
    copy = lab.fork()
    copy.set_switch("ukshm.deadline", "12345")
    copy.set_switch("firewall.dead", "allow")
    switches = read_switches(copy.booted.kernel).switches
    deadline, dead = switches["ukshm.deadline"].number, switches["firewall.dead"].number
    assert [copy.value(f"chosen[{number}]") for number in (deadline, dead)] == [1, 1]
    assert copy.value(f"numbers[{deadline}]") == 12345
    assert lab.value(f"chosen[{dead}]") == 0
    assert [entry.actor for entry in copy.machine.inputs] == ["poke"] * 3


@pytest.mark.parametrize(
    ("name", "value"), [("nosuch", "1"), ("ukshm.deadline", "soon"), ("firewall.path", "#")]
)
def test_a_switch_that_cannot_be_is_refused(name: str, value: str) -> None:
    lab = Lab()
    lab.boot("hello")
    with pytest.raises(LabError, match="switch"):
        lab.set_switch(name, value)


def test_what_no_card_can_take_is_refused() -> None:
    lab = Lab()
    lab.boot("hello")
    with pytest.raises(LabError, match="no card is plugged in"):
        lab.inject(ping())
    lab.boot("hello", network=True)
    with pytest.raises(LabError, match="there are eth0 and eth1"):
        lab.inject(ping(), card="eth2")
    for wrong in (b"", bytes(1515), 42, "text"):
        with pytest.raises(LabError, match=r"no packet|a card takes"):
            lab.inject(wrong)  # type: ignore[arg-type]


def test_a_peer_that_answers_nonsense_is_an_error_in_words() -> None:
    lab = listening()
    lab.peer(lambda frame: [b"fine" * 10, 7], card="eth0")  # type: ignore[list-item]
    lab.inject(echo_request())
    with pytest.raises(LabError, match="7 is no packet"):
        lab.run_to_exit()


def test_the_link_that_went_down_takes_no_packet(tmp_path: Path) -> None:
    wrpcap(str(tmp_path / "in.pcap"), [ping()])
    lab = Lab()
    lab.boot("udpecho", net_in=tmp_path / "in.pcap")
    lab.run_to_exit()
    with pytest.raises(LabError, match="the link of eth0 is down"):
        lab.inject(ping())
