# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that misuse what reverse syscalls share: nothing comes of it, unless the switch is on the unsafe side."""

import pytest
from scapy.layers.inet import IP, UDP

from tests.helpers.network import FAR, HOST, Outcome, inside, run

from .memory import run as run_alone
from .memory import said

COUNT = 3


def attack(program: str, *arguments: str, **switches: str) -> Outcome:
    frames = [inside(FAR, id=n) / UDP(sport=1000 + n, dport=53) / b"hello" for n in range(1, 1 + COUNT)]
    return run(frames, program, arguments, firewall__path="ukshm", **switches)


def fates(outcome: Outcome) -> list[str]:
    """What became of the packets: the answer of the ARP's neighbour, which is delivered, left out."""
    return [fate for fate in outcome.arrivals() if fate != "delivered"]


def payloads(outcome: Outcome) -> list[bytes]:
    return [bytes(packet[UDP].payload) for packet in outcome.packets("eth1")]


def test_a_packet_that_was_let_go_cannot_be_written_to() -> None:
    outcome = attack("ghost")
    assert outcome.lines[1].startswith("2: killed: page fault at 0x0000_7000_0000_")
    assert payloads(outcome) == [b"hello"]


def test_without_invalidation_the_tlb_leads_to_the_packet_on_its_way() -> None:
    outcome = attack("ghost", ukshm__invalidate="none")
    assert outcome.lines[1] == "2: I wrote to a packet that I had let go, and no fault stopped me"
    assert payloads(outcome)[0] == b"GHOST"


def test_a_page_that_is_the_kernels_again_is_not_mapped() -> None:
    lines = said(run_alone(program="early"))
    assert len(lines) == 1
    assert lines[0].startswith("2: killed: page fault at 0x0000_7000_0000_0000 (read, user, not present)")


def test_a_page_that_goes_back_before_it_is_unmapped_lets_the_program_write_in_the_kernels_text() -> None:
    lines = said(run_alone(program="early", ukshm__order="free_first"))
    assert lines == [
        "2: where my page was, there is a text of the kernel",
        "2: the kernel's list of switches begins: FORGEDmap",
    ]


def test_a_packet_cannot_be_changed_between_check_and_use() -> None:
    outcome = attack("flip")
    assert outcome.lines[1].startswith("2: killed: page fault at 0x0000_7000_0000_")
    assert [packet[IP].src for packet in outcome.packets("eth1")] == [HOST]


def test_a_check_before_the_unmapping_is_a_check_of_something_else() -> None:
    outcome = attack("flip", ukshm__check="before_unmap")
    assert outcome.lines[1] == "2: the packet has another source now, and nobody will look again"
    assert "10.66.66.66" in [packet[IP].src for packet in outcome.packets("eth1")]


def test_who_was_not_asked_cannot_answer() -> None:
    outcome = attack("forger")
    assert "3: answers that the kernel took from me, who was not asked: 0" in outcome.lines
    assert not outcome.packets("eth1")
    assert fates(outcome) == ["RULE"] * COUNT


def test_without_a_check_of_who_answers_the_user_is_the_firewall() -> None:
    outcome = attack("forger", ukshm__ack_check="off")
    assert "3: answers that the kernel took from me, who was not asked: 0" not in outcome.lines
    assert payloads(outcome) == [b"hello"] * COUNT


def test_beside_a_packet_there_is_nothing_to_see() -> None:
    assert attack("peeper").lines[1:] == [
        "2: I was shown packets: yes",
        "2: bytes beside them that are not zero: none",
    ]


def test_an_unzeroed_page_shows_what_it_held_before() -> None:
    assert "2: bytes beside them that are not zero: SOME" in attack("peeper", ukshm__zero="off").lines


def test_a_page_with_other_objects_on_it_shows_them() -> None:
    outcome = attack("peeper", ukshm__page_exclusive="off")
    assert "2: among them I read: a key of the kernel's, for no program to see" in outcome.lines
    assert payloads(outcome) == [b"hello"] * COUNT


def test_for_a_firewall_that_never_answers_the_deadline_does() -> None:
    outcome = attack("silent")
    assert f"2: dropped deadline {COUNT}" in outcome.lines
    assert "DEADLINE" in fates(outcome)


def test_without_a_deadline_the_first_packet_waits_for_ever_and_all_others_behind_it() -> None:
    outcome = attack("silent", ukshm__deadline="off")
    waiting = [line for line in outcome.lines if "in-flight" in line]
    assert waiting and not waiting[0].endswith("in-flight 0")
    assert "dropped deadline" not in " ".join(outcome.lines)
    assert "DEAD" in fates(outcome)


@pytest.mark.parametrize("path", ["copy", "ring"])
def test_every_nonsense_of_a_program_on_the_path_is_refused_and_packets_go_on(path: str) -> None:
    frames = [inside(FAR, id=n) / UDP(sport=1000 + n, dport=53) / b"hello" for n in range(1, 1 + COUNT)]
    outcome = run(frames, "misfit", firewall__path=path)
    expected = {
        "copy": [
            "2: a call without a path, or without being asked: -1",
            "2: a buffer that is too small: -90",
            "2: a buffer in the kernel: -14",
            "2: another id: -2",
            "2: a verdict without sense: -22",
            "2: too many bytes: -22",
            "2: bytes of the kernel: -14",
            "3: my child answers: -1",
            "3: my child asks: -16",
            "2: the right answer: 0, and once more: -2",
        ],
        "ring": [
            "2: a call without a path, or without being asked: -1",
            "2: a ring inside the ring: -16",
            "2: a thousand answers: -22",
            "2: more taken than asked: 0",
            "2: answers without sense: 0, refused: 4",
            "2: an id that is none of a ring: -22",
            "2: the end: 0",
        ],
    }[path]
    assert outcome.lines[1:-1] == expected
    assert fates(outcome) == ["sent"] * COUNT


def test_paths_without_system_calls_of_their_own_refuse_them() -> None:
    assert said(run_alone(program="misfit")) == ["2: a call without a path, or without being asked: -19"]
