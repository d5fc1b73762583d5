# SPDX-License-Identifier: GPL-2.0-or-later
"""The firewall in the real guest: its program, /dev/firewall, and the four paths to the same verdicts."""

import re
from pathlib import Path
from random import Random

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw
from scapy.utils import PcapWriter

from emu.lesson import Lab
from tests.helpers.iptables import Iptables
from tests.helpers.random_rules import random_packet, random_rules

from .memory import balance_is_equal, marks, run, said
from .rules_fixture import CARDS, in_words

GUESTS = Path(__file__).parent / "guests"
MACS = ("", "52:54:00:12:34:56", "52:54:00:12:34:57")
PATHS = ("kernel", "copy", "ukshm", "ring")
PACKETS = 50
LONG_SEEDS = (2, 9, 11)
PREROUTING = 0
MILLISECOND = 1_000


def write_captures(folder: Path, packets: list[tuple[int, bytes]]) -> tuple[str, ...]:
    """A capture for each card, a packet a millisecond; as `net_in` wants them."""
    names: list[str] = []
    for card in (1, 2):
        path = folder / f"{CARDS[card]}.pcap"
        with PcapWriter(str(path), linktype=1) as writer:
            for number, (arrived, data) in enumerate(packets):
                frame = Ether(dst=MACS[card], src="02:00:0a:00:00:02", type=0x800) / Raw(data)
                frame.time = 1_000 + number / 1_000
                if arrived == card:
                    writer.write(frame)
        if any(arrived == card for arrived, _ in packets):
            names.append(f"{CARDS[card]}={path}")
    return tuple(names)


def judge(folder: Path, text: str, packets: list[tuple[int, bytes]], path: str) -> Lab:
    """A finished run of the firewall, one packet at a time."""
    (folder / "office.rules").write_text(text)
    lab = Lab()
    lab.boot(
        "firewall",
        "office.rules",
        switches={"firewall.path": path},
        files=[folder / "office.rules"],
        net_in=write_captures(folder, packets),
        net_pace="closed",
    )
    lab.run_to_exit()
    return lab


def counted(lab: Lab) -> dict[str, list[tuple[int, int]]]:
    """Packets and bytes of each rule, by chain, as the program shows them."""
    found: dict[str, list[tuple[int, int]]] = {}
    chain = ""
    for line in said(lab):
        if head := re.match(r"2: Chain (\S+) \(", line):
            chain = head[1]
        elif row := re.match(r"2: +(\d+) +(\d+) ", line):
            found.setdefault(chain, []).append((int(row[1]), int(row[2])))
    return found


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "seed", [10, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in LONG_SEEDS)]
)
def test_every_path_gives_the_verdicts_of_the_manual(tmp_path: Path, path: str, seed: int) -> None:
    random = Random(f"guest {seed}")
    text = random_rules(random, "PREROUTING", ["ACCEPT", "DROP", "FORWARD"], most=8)
    packets = [(random.choice([1, 2]), random_packet(random)) for _ in range(PACKETS)]
    lab = judge(tmp_path, text, packets, path)
    arrived = {  # answers to the guest's own ARP requests come in too, at odd times
        (mark.arguments["interface"], mark.arguments["time"] // MILLISECOND): mark.arguments["id"]
        for mark in marks(lab, "packet_in")
        if mark.arguments["interface"] and not mark.arguments["time"] % MILLISECOND
    }
    ids = [arrived[card, number] for number, (card, _) in enumerate(packets)]
    verdicts = {
        mark.arguments["id"]: mark.arguments["verdict"]
        for mark in marks(lab, "verdict")
        if mark.arguments["hook"] == PREROUTING
    }
    assert len(arrived) == PACKETS
    assert len(verdicts) > PACKETS * 0.9
    manual = Iptables(text)
    for number, (card, data) in zip(ids, packets, strict=True):
        if number in verdicts:
            expected = manual.judge("PREROUTING", data, CARDS[card])
            assert in_words(verdicts[number]) == expected, f"{data.hex()}\n{text}"
    by_chain = {
        chain: [(manual.packets[rule.line], manual.bytes[rule.line]) for rule in rows]
        for chain, rows in manual.chains.items()
        if rows
    }
    assert counted(lab) == by_chain
    assert balance_is_equal(lab.events)


@pytest.mark.nightly
def test_all_paths_say_the_same_and_send_the_same(tmp_path: Path) -> None:
    text = """
-P INPUT DROP
-P FORWARD DROP
-N web
-A INPUT -p icmp --icmp-type echo-request -j ACCEPT
-A INPUT -p udp --dport 99 -j REJECT
-A FORWARD -p udp -j web
-A web -p udp --dport 53 -j ACCEPT
-A POSTROUTING -o eth1 -p udp -j MASQUERADE --to-ports 5000-5100
"""
    packets = [(1, bytes(packet)) for number in range(2) for packet in _office(number)]
    runs = [judge(tmp_path, text, packets, path) for path in PATHS]
    consoles = {tuple(said(lab)) for lab in runs}
    assert len(consoles) == 1
    assert "2:        2         96 REJECT     udp   --  *      *" in str(runs[0].console)
    for card in CARDS[1:]:
        sent = [[bytes(frame) for frame in lab.sent(card)] for lab in runs]
        assert sent[0] == sent[1] == sent[2] == sent[3]
        assert len(sent[0]) > 2


def _office(number: int) -> list[Packet]:
    return [
        IP(src="10.0.0.2", dst="198.51.100.7") / UDP(sport=4000 + number, dport=53) / Raw(bytes(20)),
        IP(src="10.0.0.2", dst="198.51.100.7") / UDP(sport=4000 + number, dport=80) / Raw(bytes(20)),
        IP(src="10.0.0.2", dst="10.0.0.1") / ICMP(id=7, seq=number) / Raw(bytes(20)),
        IP(src="10.0.0.2", dst="10.0.0.1") / UDP(sport=4000 + number, dport=99) / Raw(bytes(20)),
    ]


# ---- user-defined targets ----


@pytest.mark.parametrize("path", PATHS[1:])
def test_a_target_of_the_program_changes_what_the_kernel_sends(tmp_path: Path, path: str) -> None:
    text = '-A FORWARD -p udp -j TTL --ttl-set 99\n-A FORWARD -j LOG --log-prefix "through: "\n'
    packet = IP(src="10.0.0.2", dst="198.51.100.7", ttl=64) / UDP(sport=4000, dport=53) / Raw(b"hello")
    lab = judge(tmp_path, text, [(1, bytes(packet))], path)
    (sent,) = [IP(frame[14:]) for frame in lab.sent("eth1") if frame[12:14] == b"\x08\x00"]
    assert sent.ttl == 99
    packet.ttl = 99
    assert bytes(sent) == bytes(packet)
    line = "2: through: IN=eth0 OUT=eth1 SRC=10.0.0.2 DST=198.51.100.7 LEN=33 TTL=99 PROTO=17 SPT=4000 DPT=53"
    assert line in said(lab)


@pytest.mark.parametrize("path", PATHS[1:])
def test_a_mirrored_packet_goes_back_where_it_came_from(tmp_path: Path, path: str) -> None:
    packet = IP(src="10.0.0.2", dst="198.51.100.7", ttl=64) / UDP(sport=4000, dport=53) / Raw(b"hello")
    lab = judge(tmp_path, "-A PREROUTING -p udp -j MIRROR\n", [(1, bytes(packet))], path)
    (sent,) = [IP(frame[14:]) for frame in lab.sent("eth0") if frame[12:14] == b"\x08\x00"]
    assert (sent.src, sent.dst, sent.ttl) == ("198.51.100.7", "10.0.0.2", 63)
    assert sent[UDP].chksum == IP(bytes(packet))[UDP].chksum


def test_the_kernel_path_refuses_rules_with_targets_of_the_program(tmp_path: Path) -> None:
    lab = judge(tmp_path, "-A INPUT\n-A INPUT -j MIRROR\n", [], "kernel")
    words = "firewall: line 2: 'MIRROR' is a target of this program, and with firewall.path=kernel it is not asked"
    assert said(lab) == [f"2: {words}; choose copy, ukshm or ring"]


# ---- the program ----


def test_a_wrong_rule_file_ends_the_program_with_line_word_and_mend(tmp_path: Path) -> None:
    lab = judge(tmp_path, "-P INPUT DROP\n\n-A INPUT --dprot 53\n", [], "ukshm")
    (line,) = said(lab)
    assert line.startswith(
        "2: firewall: office.rules line 3: '--dprot': no such word in a rule; there are -s "
    )
    (exit_mark,) = marks(lab, "program_exit")
    assert exit_mark.arguments["status"] == 2


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((), "2: firewall: say which rules: firewall [--check] FILE"),
        (("--check",), "2: firewall: say which rules"),
        (("nowhere",), "2: firewall: nowhere: no such file (error -2); bring it along with --file"),
        (
            ("-A", "INPUT", "-N", "x", "-j"),
            "2: firewall: rules line 2: '-j': the line should have ended before this",
        ),
        (
            ("-A", "INPUT", "-j", "y", "-t", "nat", "-N", "x"),
            "2: firewall: rules line 1: 'y': no such target",
        ),
    ],
)
def test_words_that_are_no_rules_end_in_one_line(arguments: tuple[str, ...], line: str) -> None:
    (words,) = said(run(*arguments, program="firewall"))
    assert words.startswith(line)


def test_rules_may_be_given_as_words() -> None:
    words = "--check -P INPUT DROP -t nat -A POSTROUTING ! -o eth0 -j MASQUERADE".split()
    assert said(run(*words, program="firewall")) == [
        "2: Chain INPUT (policy DROP 0 packets, 0 bytes)",
        "2:     pkts      bytes target     prot  opt in     out    source               destination",
        "2: Chain POSTROUTING (policy ACCEPT 0 packets, 0 bytes)",
        "2:     pkts      bytes target     prot  opt in     out    source               destination",
        "2:        0          0 MASQUERADE all   --  *      !eth0  0.0.0.0/0            0.0.0.0/0",
    ]


# ---- the device ----


def test_the_kernel_takes_whole_sets_from_root_and_nothing_else() -> None:
    pytest.importorskip("ziglang", reason="compiling the guest needs pagewalk[guest]")
    lab = run(program=str(GUESTS / "rules_device.c"))
    assert said(lab) == [
        "2: read before: 0",
        "2: nothing: -22",
        "2: a part: -22",
        "2: too much: -22",
        "2: from nowhere: -14",
        "2: from the kernel: -14",
        "2: whole: 1",
        "2: whole: read 1616, the same",
        "2: a jump to a built-in chain: -22",
        "2: a user-defined target: -22",
        "2: still the first: read 1616, the same",
        "2: to nowhere: -14",
        "2: a little: 10",
        "2: empty: 1",
        "2: empty: read 1544, the same",
        "2: as a user: write -1, read -1",
    ]
    assert [mark.arguments["rules"] for mark in marks(lab, "firewall_rules")] == [1, 0]
    assert balance_is_equal(lab.events)
