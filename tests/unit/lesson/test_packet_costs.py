# SPDX-License-Identifier: GPL-2.0-or-later
"""What packets cost is what the machine did between the marks, and nothing else."""

from pathlib import Path

from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap

from emu.events import Marked
from emu.lesson import Lab
from emu.lesson.packet_costs import PacketCosts


def test_the_instructions_are_those_while_the_guest_holds_a_packet(tmp_path: Path) -> None:
    ping = (
        Ether(dst="52:54:00:12:34:56", src="02:00:0a:00:00:02") / IP(src="10.0.0.2", dst="10.0.0.1") / ICMP()
    )
    wrpcap(str(tmp_path / "in.pcap"), [ping] * 3)
    lab = Lab()
    lab.boot("firewall", "-A", "INPUT", "-j", "ACCEPT", net_in=tmp_path / "in.pcap", net_pace="closed")
    costs = PacketCosts(lab.machine, lab.booted.kernel.symbols)
    lab.run_to_exit()
    held: set[object] = set()
    begun = expected = overlaps = 0
    for event in lab.events:
        if not isinstance(event, Marked) or event.name not in ("packet_in", "packet_end"):
            continue
        if event.name == "packet_in":
            overlaps += bool(held)
            begun = begun if held else event.insn
            held.add(event.arguments["id"])
        else:
            held.discard(event.arguments["id"])
            expected += 0 if held else event.insn - begun
    assert overlaps >= 3, "an answer is made while its question is held"
    total = costs.total()
    assert total["instructions"] == expected > 1000
    assert total["accesses.fetch"] >= expected
    assert costs.report()["per_packet"]["mean"]["instructions"] == round(expected / costs.came_in, 2)
