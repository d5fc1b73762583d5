# SPDX-License-Identifier: GPL-2.0-or-later
"""What a verdict makes of a packet: the targets, judged by scapy. The rules are the kernel's own."""

from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from tests.helpers.network import FAR, HOST, INSIDE, OUTSIDE, inside, is_sound, outside, run

MASQUERADE = "-A POSTROUTING -o eth1 -j MASQUERADE\n"
OTHER = "10.0.0.3"


def back(sent: Any, payload: Any) -> tuple[str, Any]:
    """An answer from outside to the packet that was sent."""
    return ("eth1", outside(src=sent.dst, dst=sent.src) / payload)


# -- DROP, ACCEPT, REJECT, FORWARD ------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"])
def test_a_hook_sees_just_the_packets_that_pass_it(hook: str) -> None:
    frames = [inside() / ICMP() / b"ping", inside(dst=FAR) / UDP(sport=1, dport=2)]
    outcome = run(frames, rules=f"-A {hook} -s {HOST} -j DROP\n-A {hook} -s {INSIDE} -j DROP\n")
    reached = {
        "PREROUTING": ["RULE", "RULE"],
        "INPUT": ["RULE", "sent"],
        "FORWARD": ["delivered", "RULE"],
        "OUTPUT": ["delivered", "sent"],
        "POSTROUTING": ["delivered", "RULE"],
    }
    assert outcome.arrivals() == reached[hook]
    echoes = [packet for packet in outcome.packets("eth0") if ICMP in packet]
    assert len(echoes) == (hook == "FORWARD"), (
        "OUTPUT and POSTROUTING see the answer, the others what is asked"
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        *(("net-unreachable", 0), ("host-unreachable", 1), ("proto-unreachable", 2), ("port-unreachable", 3)),
        *(("net-prohibited", 9), ("host-prohibited", 10), ("admin-prohibited", 13)),
    ],
)
@pytest.mark.parametrize("hook", ["INPUT", "FORWARD"])
def test_reject_tells_the_sender_with_the_code_of_the_rule(hook: str, words: str, code: int) -> None:
    frame = inside(dst=INSIDE if hook == "INPUT" else FAR) / UDP(sport=1, dport=2) / b"no"
    outcome = run([frame], rules=f"-A {hook} -p udp -j REJECT --reject-with icmp-{words}\n")
    (error,) = outcome.packets()
    assert (error[ICMP].type, error[ICMP].code, error.dst) == (3, code, HOST)
    assert is_sound(error)
    assert "REJECTED" in outcome.arrivals()


def test_reject_is_silent_about_errors_later_fragments_and_broadcasts() -> None:
    frames = [
        inside(dst=FAR) / ICMP(type=11) / bytes(28),
        inside(dst=FAR, frag=100) / Raw(bytes(40)),
        Ether(dst="ff:ff:ff:ff:ff:ff") / IP(src=HOST, dst="10.0.0.255") / UDP(dport=9),
    ]
    outcome = run(frames, rules="-A INPUT -j REJECT\n-A FORWARD -j REJECT\n")
    assert outcome.packets() == []
    assert outcome.arrivals() == ["REJECTED"] * 3


def test_reject_at_output_tells_the_program_that_sent() -> None:
    outcome = run([inside() / ICMP()], rules="-A OUTPUT -p icmp --icmp-type 0 -j REJECT\n")
    assert outcome.packets() == []
    assert [str(fate) for fate in outcome.fates.values() if not fate.interface] == ["REJECTED", "delivered"]


@pytest.mark.parametrize("hook", ["PREROUTING", "FORWARD"])
def test_forward_sends_through_the_other_card_without_routing(hook: str) -> None:
    to_inside = inside(dst="10.0.0.9", ttl=9) / UDP(sport=1, dport=2)
    outcome = run([to_inside], rules=f"-A {hook} -d 10.0.0.9 -j FORWARD\n")
    (packet,) = outcome.packets()
    assert (packet.dst, packet.ttl) == ("10.0.0.9", 8)
    assert [card for card, frame in outcome.sent if IP in Ether(frame)] == ["eth1"]


def test_forward_takes_even_what_is_for_us_and_goes_where_it_is_told() -> None:
    outcome = run(
        [inside(ttl=9) / ICMP(), ("eth1", outside(dst=HOST) / ICMP())],
        rules="-A PREROUTING -i eth0 -j FORWARD --to eth1\n-A PREROUTING -i eth1 -j FORWARD --to eth1\n",
    )
    assert [(card, Ether(frame)[IP].dst) for card, frame in outcome.sent if IP in Ether(frame)] == [
        ("eth1", INSIDE),
        ("eth1", HOST),
    ]


# -- MASQUERADE -------------------------------------------------------------------------------------------------------

CONVERSATIONS = {
    "udp": (UDP(sport=5000, dport=53) / b"question", lambda p: UDP(sport=53, dport=p[UDP].sport) / b"answer"),
    "udp without a checksum": (
        UDP(sport=5000, dport=53, chksum=0) / b"question",
        lambda p: UDP(sport=53, dport=p[UDP].sport, chksum=0) / b"answer",
    ),
    "a privileged port": (
        UDP(sport=123, dport=123),
        lambda p: UDP(sport=123, dport=p[UDP].sport) / b"an odd",
    ),
    "tcp": (TCP(sport=4000, dport=80), lambda p: TCP(sport=80, dport=p[TCP].sport, flags="SA") / b"x"),
    "ping": (ICMP(id=9, seq=4) / b"odd", lambda p: ICMP(type=0, id=p[ICMP].id, seq=4) / b"odd"),
    "another protocol": (Raw(b"gre or so"), lambda p: Raw(b"and back")),
}


@pytest.mark.parametrize("kind", CONVERSATIONS)
def test_a_conversation_is_translated_out_and_back(kind: str) -> None:
    question, answer = CONVERSATIONS[kind]
    fields: dict[str, Any] = {"proto": 47} if kind == "another protocol" else {}
    asked = inside(dst=FAR, **fields) / question
    (out,) = run([asked], rules=MASQUERADE).packets("eth1")
    assert (out.src, out.dst) == (OUTSIDE, FAR)
    assert is_sound(out)
    reply = ("eth1", outside(**fields) / answer(out))
    came = run([asked, reply], rules=MASQUERADE).packets("eth0")
    assert [(packet.src, packet.dst) for packet in came] == [(FAR, HOST)]
    assert is_sound(came[0])
    if UDP in out:
        assert came[0][UDP].dport == asked[UDP].sport
        assert bool(out[UDP].chksum) == bool(IP(bytes(asked[IP]))[UDP].chksum)
    if ICMP in out:
        assert came[0][ICMP].id == 9


@pytest.mark.parametrize("kind", CONVERSATIONS)
@pytest.mark.parametrize("quoted", [28, 200], ids=["eight bytes", "all"])
def test_an_error_about_a_translated_packet_finds_its_way_in(kind: str, quoted: int) -> None:
    question, _ = CONVERSATIONS[kind]
    fields: dict[str, Any] = {"proto": 47} if kind == "another protocol" else {}
    asked = inside(dst=FAR, **fields) / question
    (out,) = run([asked], rules=MASQUERADE).packets("eth1")
    error = outside(src="198.51.100.1") / ICMP(type=11) / Raw(bytes(out)[:quoted])
    (came,) = run([asked, ("eth1", error)], rules=MASQUERADE).packets("eth0")
    assert (came.src, came.dst) == ("198.51.100.1", HOST)
    wanted = IP(bytes(asked[IP]))
    wanted.ttl = 63
    del wanted.chksum
    assert bytes(came[ICMP].payload) == bytes(wanted)[:quoted], "it quotes what the sender has sent"
    assert internet_checksum(bytes(came[ICMP])) == 0


def internet_checksum(data: bytes) -> int:
    """0 for data that hold their own checksum."""
    total = sum(int.from_bytes(data[i : i + 2].ljust(2, b"\0"), "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def test_two_hosts_with_one_port_get_two() -> None:
    frames = [inside(dst=FAR, src=host) / UDP(sport=5000, dport=53) for host in (HOST, OTHER, HOST)]
    assert [packet[UDP].sport for packet in run(frames, rules=MASQUERADE).packets("eth1")] == [
        5000,
        5001,
        5000,
    ]
    pings = [inside(dst=FAR, src=host) / ICMP(id=7) for host in (HOST, OTHER)]
    assert [packet[ICMP].id for packet in run(pings, rules=MASQUERADE).packets("eth1")] == [7, 8]


def test_one_port_serves_for_two_remote_ends() -> None:
    frames = [
        inside(dst=FAR) / UDP(sport=5000, dport=53),
        inside(src=OTHER, dst="203.0.113.10") / UDP(sport=5000, dport=53),
    ]
    assert [packet[UDP].sport for packet in run(frames, rules=MASQUERADE).packets("eth1")] == [5000, 5000]


def test_ports_come_from_the_range_of_the_rule_and_when_it_is_used_up_packets_are_dropped() -> None:
    frames = [inside(dst=FAR, src=f"10.0.0.{n}") / UDP(sport=5000, dport=53) for n in range(2, 6)]
    outcome = run(frames, rules="-A POSTROUTING -p udp -o eth1 -j MASQUERADE --to-ports 6000-6002\n")
    assert [packet[UDP].sport for packet in outcome.packets("eth1")] == [6000, 6001, 6002]
    assert "NAT" in outcome.arrivals()


def test_behind_the_last_port_of_a_range_comes_the_first() -> None:
    frames = [inside(dst=FAR, src=f"10.0.0.{n}") / UDP(sport=6002, dport=53) for n in range(2, 5)]
    outcome = run(frames, rules="-A POSTROUTING -p udp -o eth1 -j MASQUERADE --to-ports 6000-6002\n")
    assert [packet[UDP].sport for packet in outcome.packets("eth1")] == [6002, 6000, 6001]


def test_a_checksum_that_comes_to_0_is_written_as_its_other_form() -> None:
    translated = IP(bytes(IP(src=OUTSIDE, dst=FAR) / UDP(sport=5000, dport=53) / b"\0\0"))
    payload = translated[UDP].chksum.to_bytes(2, "big")
    (out,) = run([inside(dst=FAR) / UDP(sport=5000, dport=53) / payload], rules=MASQUERADE).packets("eth1")
    assert out[UDP].chksum == 0xFFFF, "0 would say that there is none"


def test_a_table_that_is_full_drops_and_forgets_what_has_aged_when_it_must() -> None:
    frames = [inside(dst=FAR) / UDP(sport=2000 + n, dport=53) for n in range(258)]
    times = [n / 1000 for n in range(257)] + [31.1]
    outcome = run(frames, times=times, rules=MASQUERADE)
    assert outcome.arrivals() == ["sent"] * 256 + ["NAT", "sent"]


@pytest.mark.parametrize(
    ("question", "answer", "seconds"),
    [
        (UDP(sport=5000, dport=53), UDP(sport=53, dport=5000), 30),
        (ICMP(id=5000), ICMP(type=0, id=5000), 30),
        (TCP(sport=5000, dport=53), TCP(sport=53, dport=5000, flags="A"), 600),
    ],
    ids=["udp", "icmp", "tcp"],
)
def test_a_translation_ages_by_the_packets_own_time(question: Any, answer: Any, seconds: int) -> None:
    asked, reply = inside(dst=FAR) / question, ("eth1", outside() / answer)
    in_time = run([asked, reply], times=[0, seconds - 0.1], rules=MASQUERADE)
    assert [packet.dst for packet in in_time.packets("eth0")] == [HOST]
    kept = run([asked, reply, reply], times=[0, seconds - 1, 2 * seconds - 2], rules=MASQUERADE)
    assert len(kept.packets("eth0")) == 2, "each packet renews it"
    late = run([asked, reply], times=[0, seconds + 0.1], rules=MASQUERADE)
    assert late.packets("eth0") == []


def test_fragments_cannot_be_translated() -> None:
    whole = inside(dst=FAR) / UDP(sport=5000, dport=53) / (b"x" * 2000)
    outcome = run(fragment(whole, fragsize=800), rules=MASQUERADE)
    assert outcome.packets("eth1") == []
    assert outcome.arrivals() == ["NAT"] * 3


def test_nobody_but_the_remote_end_gets_in() -> None:
    asked = inside(dst=FAR) / UDP(sport=5000, dport=53)
    strangers = [
        ("eth1", outside(src="198.51.100.3") / UDP(sport=53, dport=5000)),
        ("eth1", outside() / UDP(sport=54, dport=5000)),
        ("eth1", outside() / TCP(sport=53, dport=5000)),
    ]
    outcome = run([asked, *strangers], rules=MASQUERADE)
    assert outcome.packets("eth0") == []


def test_a_question_from_outside_is_for_us_even_if_an_answer_with_its_id_would_not_be() -> None:
    frames = [inside(dst=FAR) / ICMP(id=9), ("eth1", outside() / ICMP(type=8, id=9))]
    outcome = run(frames, rules=MASQUERADE)
    assert [(packet[ICMP].type, packet[ICMP].id, packet.src) for packet in outcome.packets("eth1")] == [
        (8, 9, OUTSIDE),
        (0, 9, OUTSIDE),
    ]


def test_a_damaged_packet_stays_damaged() -> None:
    asked = inside(dst=FAR) / UDP(sport=5000, dport=53, chksum=0x1234) / b"question"
    (out,) = run([asked], rules=MASQUERADE).packets("eth1")
    assert not is_sound(out)


def test_an_error_from_inside_shows_the_outside_its_own_address() -> None:
    asked = inside(dst=FAR) / UDP(sport=5000, dport=53)
    answer = outside() / UDP(sport=53, dport=5000) / b"late"
    arrived = IP(bytes((outside(dst=HOST, ttl=63) / UDP(sport=53, dport=5000) / b"late")[IP]))
    error = inside(dst=FAR) / ICMP(type=3, code=3) / Raw(bytes(arrived))
    out = run([asked, ("eth1", answer), error], rules=MASQUERADE).packets("eth1")[-1]
    assert (out.src, out[ICMP].code) == (OUTSIDE, 3)
    quoted = IP(bytes(out[ICMP].payload))
    assert (quoted.src, quoted.dst) == (FAR, OUTSIDE)
    assert internet_checksum(bytes(out[ICMP])) == 0
    assert internet_checksum(bytes(quoted)[:20]) == 0
