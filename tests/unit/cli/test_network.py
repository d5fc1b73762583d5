# SPDX-License-Identifier: GPL-2.0-or-later
"""`pagewalk run` with captures: in, out, what it costs, and what the trace says of it."""

from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.utils import rdpcap, wrpcap

from emu.events import Acknowledged, UpcallMade
from emu.trace.reader import read_trace
from tests.unit.cli.conftest import Pagewalk, Said

ETH0 = "52:54:00:12:34:56"
PACKETS = 6


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Four echo requests, a datagram to be forwarded, and something that is no IPv4."""
    inside = Ether(dst=ETH0, src="02:00:0a:00:00:02")
    request = inside / IP(src="10.0.0.2", dst="10.0.0.1")
    packets = [request / ICMP(seq=number) for number in range(4)]
    packets += [inside / IP(src="10.0.0.2", dst="198.51.100.7") / UDP(dport=53), inside / b"no IPv4 at all"]
    for number, packet in enumerate(packets):
        packet.time = 1_700_000_000 + number / 100
    wrpcap(str(tmp_path / "in.pcap"), packets)
    (tmp_path / "rules").write_text("-A INPUT -p icmp -j ACCEPT\n-P FORWARD DROP\n")
    return tmp_path / "in.pcap"


def run(pagewalk: Pagewalk, capture: Path, *options: object) -> Said:
    words = (
        "firewall",
        "rules",
        "--file",
        capture.parent / "rules",
        "--net-in",
        capture,
        "--net-pace",
        "closed",
    )
    said = pagewalk("run", *words, *options)
    assert said.code == 0, said.errors
    return said


def test_json_says_what_became_of_the_packets_and_what_they_cost(pagewalk: Pagewalk, capture: Path) -> None:
    network = run(pagewalk, capture, "--json").json["network"]
    assert network["pace"] == "closed"
    arp = 1
    assert network["cards"] == {
        "eth0": {"offered": PACKETS + arp, "received": PACKETS + arp, "sent": 4 + arp},
        "eth1": {"offered": 0, "received": 0, "sent": 0},
    }
    assert network["packets"] == {"came_in": PACKETS + arp, "made": 4 + arp, "in_flight": 0}
    assert network["verdicts"] == {"INPUT": {"ACCEPT": 4}, "FORWARD": {"DROP": 1}}
    assert network["fates"] == {"sent": 5, "delivered": 5, "dropped: rule": 1, "dropped: ether type": 1}
    costs = network["per_packet"]
    assert costs["packets"] == PACKETS + arp
    assert 500 * PACKETS < costs["total"]["instructions"] < 5_000 * PACKETS
    assert costs["total"]["instructions"] < costs["total"]["cycles.model"]
    assert costs["total"]["ring_changes"] > 0
    for name, value in costs["total"].items():
        assert costs["mean"][name] == round(value / (PACKETS + arp), 2)


def test_a_path_that_asks_a_program_costs_more_ring_changes_and_invalidations(
    pagewalk: Pagewalk, capture: Path
) -> None:
    costs = {
        path: run(pagewalk, capture, "--json", "--set", f"firewall.path={path}").json["network"][
            "per_packet"
        ]["mean"]
        for path in ("kernel", "copy", "ukshm")
    }
    assert costs["kernel"]["ring_changes"] < costs["ukshm"]["ring_changes"]
    assert costs["kernel"]["ring_changes"] < costs["copy"]["ring_changes"]
    assert (
        costs["kernel"]["invalidations"]
        == costs["copy"]["invalidations"]
        == 0
        < costs["ukshm"]["invalidations"]
    )


def test_what_the_guest_sends_is_written_with_the_boards_times(pagewalk: Pagewalk, capture: Path) -> None:
    out = capture.parent / "out.pcap"
    said = run(pagewalk, capture, "--net-out", out, "--net-out", f"eth1={capture.parent / 'outside.pcap'}")
    packets = rdpcap(str(out))
    assert [packet[ICMP].seq for packet in packets if ICMP in packet] == list(range(4))
    assert ARP in packets[0]
    times = [float(packet.time) for packet in packets]
    assert times == sorted(times) and 0 < times[0] < times[-1] < 1
    assert list(rdpcap(str(capture.parent / "outside.pcap"))) == []
    assert f"capture: {out}, 5 frames that eth0 sent" in said.errors
    assert "packets: 7 came in, 5 were made here; 5 delivered" in said.errors


def test_two_runs_write_the_same_capture(pagewalk: Pagewalk, capture: Path) -> None:
    outs = [capture.parent / f"{number}.pcap" for number in range(2)]
    for out in outs:
        run(pagewalk, capture, "--net-out", out)
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_the_trace_names_the_capture_and_the_files(pagewalk: Pagewalk, capture: Path) -> None:
    trace = capture.parent / "t.jsonl"
    run(pagewalk, capture, "--trace", trace, "--kinds", "upcall,ack,mark", "--set", "firewall.path=ukshm")
    header, events = read_trace(trace)
    assert header.files == {"eth0": "in.pcap", "file rules": "rules"}
    kept = list(events)
    upcalls = [event for event in kept if isinstance(event, UpcallMade)]
    acks = [event for event in kept if isinstance(event, Acknowledged)]
    assert {event.name for event in upcalls} == {"ROLE_FIREWALL"}
    assert [event.arguments[:2] for event in upcalls] == [event.arguments[:2] for event in acks]
    assert all(event.arguments[4] == 0 for event in acks), "every answer is taken"


def test_a_walk_may_have_a_network(pagewalk: Pagewalk, capture: Path) -> None:
    words = (
        "--arg",
        "rules",
        "--file",
        capture.parent / "rules",
        "--net-in",
        capture,
        "--net-pace",
        "closed",
    )
    said = pagewalk("walk", "firewall", "packet_statistics", "--at", "trace_packet_end", *words, "--json")
    assert said.code == 0, said.errors
    assert said.json["at"] == "trace_packet_end"


def test_a_program_without_a_network_says_nothing_of_one(pagewalk: Pagewalk) -> None:
    assert "network" not in pagewalk("run", "hello", "--json").json


def test_a_peer_serves_the_folder_that_was_named(pagewalk: Pagewalk, tmp_path: Path) -> None:
    (tmp_path / "hello.txt").write_text("from the far end\n")
    said = pagewalk("run", "netfs", "/net/hello.txt", "--peer", f"tftp={tmp_path}")
    assert said.code == 0, said.errors
    assert "from the far end" in said.out
