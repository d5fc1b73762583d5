# SPDX-License-Identifier: GPL-2.0-or-later
"""Lesson "killed": the firewall's program dies, with packets in flight; what passes then, and until when."""

from emu.lesson import Call, Kind, Lab, Text, happened, step
from emu.lesson.wire import begun, describe, ended, fate, is_packet, offered, ping, udp

NAMES, FORBIDDEN = "203.0.113.9:53", "203.0.113.9:69"
INSIDE, ROUTER, OUTSIDE = "10.0.0.2", "10.0.0.1", "192.0.2.1"
NONE, ALIVE, DEAD = 0, 1, 2
"""The kernel's firewall_state."""
UD2 = b"\x0f\x0b"
DENIED = "dropped: dead"
A_WHILE = 100_000
ARP = bytes.fromhex(
    "ffffffffffff 02000a000002 0806 0001 0800 06 04 0001 02000a000002 0a000002 000000000000 0a000001"
)
"""10.0.0.2 asks everybody who has 10.0.0.1."""


def setup(lab: Lab) -> None:
    start(lab)


def start(lab: Lab, **switches: str) -> None:
    """The guest with the rules of an office, up to the moment when the network is there and no program is."""
    words = {"firewall.path": "ukshm"} | {name.replace("__", "."): value for name, value in switches.items()}
    lab.boot("warden", "office.rules", switches=words, network=True, memory_mib=8)
    lab.run_until(happened(Kind.MARK, name="boot_done"))


def to_registration(lab: Lab) -> None:
    """On until a firewall has registered, and sleeps."""
    lab.run_until(Call("upcall_register"), then="return")
    lab.step(A_WHILE)


def name_query(port: int) -> bytes:
    """A question for a name server outside: what the rules let out."""
    return udp(f"{INSIDE}:{port}", NAMES)


def wish(port: int) -> bytes:
    """A datagram that the rules forbid."""
    return udp(f"{INSIDE}:{port}", FORBIDDEN)


def left(lab: Lab, since: int = 0, card: str = "eth1") -> list[str]:
    """The IPv4 packets that have left through a card, in words."""
    return [describe(frame) for frame in lab.sent(card)[since:] if is_packet(frame)]


def packets(title: str, rows: list[tuple[str, str]]) -> Text:
    """A table of packets and what became of them."""
    return Text(title, tuple(f"{what:<44} {became}" for what, became in rows))


def spoil_judge(lab: Lab) -> None:
    """Two bytes over the program's function `judge`: the next packet that it looks at is its last."""
    judge = lab.inspector.symbols.programs["firewall"].address_of("judge")
    physical = lab.walk(judge, process="firewall").physical
    assert physical is not None
    lab.machine.input("poke", physical, UD2)


@step("before-birth", points=2)
def before_birth(lab: Lab) -> None:
    lab.say(
        "The kernel has booted and both cards are up. `warden` will start the program `firewall` with the "
        "rules of an office: names, the web and pings may go out, all else may not."
    )
    copy = lab.fork()
    became = offered(copy, wish(3000))
    copy.step(A_WHILE)
    lab.ask(
        "Right now, before that program runs, a datagram comes from inside that its rules will forbid. "
        "What becomes of it?",
        choices=[
            "it waits until there is a firewall",
            "it is dropped: no firewall, no network",
            "it is sent",
        ],
        answer={"sent": 2}.get(became, 1),
        hint="How would a kernel know that there is going to be a firewall?",
    )
    lab.show(packets("In a copy of the machine:", [("UDP to port 69, from inside", became)]))
    lab.show(Text("What left through eth1:", tuple(left(copy))))
    lab.expect(lab.value("firewall_state") == NONE, "nobody has ever registered")
    lab.expect(became == "sent", "what the rules will forbid is let out")
    lab.expect(
        left(copy)[0].startswith(f"UDP {INSIDE}:3000"),
        "under its inside address: nobody translated it either",
    )


@step("alive", points=1)
def alive(lab: Lab) -> None:
    to_registration(lab)
    copy = lab.fork()
    answers = [offered(copy, frame) for frame in (name_query(3001), wish(3002), ping(INSIDE, ROUTER))]
    lab.ask(
        "The firewall has registered. Three packets from inside: a name query, a datagram to port 69, and a "
        "ping to the router itself. How many of the three get what they want?",
        choices=["none", "one", "two", "all three"],
        answer=len([answer for answer in answers if answer in ("sent", "delivered")]),
        hint="The rules are in guest/user/rules/office.rules. A ping to the router is a matter of INPUT.",
    )
    became = [offered(lab, frame) for frame in (name_query(3001), wish(3002), ping(INSIDE, ROUTER))]
    lab.step(A_WHILE)
    names = ("a name query", "UDP to port 69", "a ping to the router")
    lab.show(packets("With a firewall that lives:", list(zip(names, became, strict=True))))
    lab.show(Text("What left through eth1:", tuple(left(lab))))
    lab.show(Text("What left through eth0:", tuple(left(lab, card="eth0"))))
    lab.expect(
        became == ["sent", "dropped: rejected", "delivered"], "one is sent, one rejected, one delivered"
    )
    lab.expect(left(lab)[0].startswith(f"UDP {OUTSIDE}:"), "what left has the router's address (MASQUERADE)")
    lab.expect(
        any("unreachable, code 13" in line for line in left(lab, card="eth0")), "who was refused was told so"
    )


@step("in-mid-sentence", points=3)
def in_mid_sentence(lab: Lab) -> None:
    numbers = [begun(lab, name_query(3003))]
    lab.run_until(happened(Kind.UPCALL))
    before, seq = lab.snapshot(), lab.machine.journal.seq
    spoil_judge(lab)
    lab.say(
        "A name query is about to be judged: the kernel has mapped its page and entered the handler. Now two "
        "bytes are written over the first instruction of the function `judge`, 0F 0B. That is UD2, which no "
        "CPU executes. Three more name queries arrive in the same moment."
    )
    for port in (3004, 3005, 3006):
        lab.inject(name_query(port))
    copy = lab.fork()
    ends = [ended(copy, numbers[0] + i) for i in range(4)]
    lab.ask(
        "The program faults with the first packet in its hands. The rules would have let all four pass. "
        "What becomes of them?",
        choices=[
            "the first is lost with the program, the other three pass",
            "all four are dropped",
            "all four pass: the kernel knows that they are harmless",
            "the first is dropped, the other three wait for the next firewall",
        ],
        answer=1 if ends == [DENIED] * 4 else 0,
        hint="Who is there to say yes?",
    )
    became = [ended(lab, numbers[0] + i) for i in range(4)]
    kinds = (Kind.FAULT, Kind.MARK, Kind.INVALIDATE)
    quiet = ("frame_owner", "packet_in")
    events = [e for e in lab.events.since(seq).of(*kinds) if getattr(e, "name", "") not in quiet]
    lab.show(lab.told(events, "From the fault on:"))
    lab.step(A_WHILE)
    changes = lab.frames_changed(before)
    lab.ask(
        "From the handler's entry to now all frames of the kernel were compared. How many of them were "
        "changed by an instruction in ring 3?",
        choices=["none", "one: the page with the packet", "many"],
        answer=min(2, len([change for change in changes.kernel if change.by_ring_3])),
        hint="The program died before it had written anything, and what else can it reach?",
    )
    lab.show(
        Text(
            "What is left of it:",
            (
                f"{changes.compared} kernel frames compared, {len(changes.kernel)} changed, "
                f"{sum(c.by_ring_3 for c in changes.kernel)} of them by ring 3",
                f"pages shared: {lab.value('ukshm_statistics.pages')}",
                f"packets in flight: {lab.value('packet_statistics.in_flight')}",
                f"errors in the page tables: {len(lab.check().errors)}",
            ),
        ),
        Text("The console:", tuple(line.strip() for line in lab.console.lines())),
    )
    faults = lab.events.since(seq).of(Kind.FAULT, vector=6, cpl=3)
    lab.expect(len(faults) == 1, "the fault was in ring 3, and it was one")
    lab.expect(became == [DENIED] * 4, "the packet in its hands and those in the queue: all dropped")
    lab.expect(
        not any(change.by_ring_3 for change in changes.kernel), "ring 3 changed nothing of the kernel's"
    )
    lab.expect(lab.value("ukshm_statistics.pages") == 0, "the shared page has come back")
    lab.expect(lab.value("packet_statistics.in_flight") == 0, "no packet was forgotten")
    lab.expect(lab.check().errors == (), "the page tables are in order")
    lab.expect(lab.ended is None, "and the guest lives")


@step("deny-all", points=2)
def deny_all(lab: Lab) -> None:
    sent = {card: len(lab.sent(card)) for card in ("eth0", "eth1")}
    copy = lab.fork()
    pinged = offered(copy, ping(INSIDE, ROUTER))
    lab.ask(
        "The firewall is dead. Somebody inside pings the router itself: no packet of anybody's passes "
        "through, and the kernel alone would answer. Does it?",
        choices=["yes: the firewall is about what passes through", "no"],
        answer=1 if pinged == DENIED else 0,
        hint="At which hook does the kernel ask about a packet for itself?",
    )
    frames = (name_query(3007), wish(3008), ping(INSIDE, ROUTER))
    became = [offered(lab, frame) for frame in frames]
    answer = offered(lab, udp(NAMES, f"{OUTSIDE}:3001", b"answer", card="eth1"), "eth1")
    lab.step(A_WHILE)
    names = ("a name query", "UDP to port 69", "a ping to the router", "an answer from outside")
    lab.show(packets("With a dead firewall:", list(zip(names, [*became, answer], strict=True))))
    copy = lab.fork()
    copy.inject(ARP)
    copy.step(A_WHILE)
    arp = len(copy.sent("eth0")) > sent["eth0"]
    lab.ask(
        "Somebody asks by ARP which MAC the router has. Is that answered?",
        choices=["no: all networking is denied", "yes"],
        answer=int(arp),
        hint="The five hooks are hooks of IP. Is ARP a packet of IP?",
    )
    lab.show(
        Text("Frames since its death:", (f"in a copy, for the ARP request: {describe(copy.sent()[-1])}",))
    )
    lab.expect([*became, answer] == [DENIED] * 4, "in, out, through and back: all four were dropped")
    quiet = all(len(lab.sent(card)) == count for card, count in sent.items())
    lab.expect(quiet, "the router has not sent a single frame")
    lab.expect(lab.value("firewall_state") == DEAD, "the kernel knows why")
    lab.expect(arp, "ARP is answered all the same")


@step("further-notice", points=2)
def further_notice(lab: Lab) -> None:
    sent = len(lab.sent("eth1"))
    lab.type("again\n")
    to_registration(lab)
    lab.say("On the console somebody types `again`, `warden` starts another firewall, and it has registered.")
    copy = lab.fork()
    late = offered(copy, udp(NAMES, f"{OUTSIDE}:3001", b"answer", card="eth1"), "eth1")
    lab.ask(
        "Only now comes the answer to the very first name query, the one that the *first* firewall let out "
        "with the router's address and port 3001. Does it find its way back to 10.0.0.2?",
        choices=[
            "no: who remembered the translation is dead",
            "yes: the kernel remembers it",
            "no: the new firewall has never seen the question",
        ],
        answer=1 if late == "sent" else 0,
        hint="Where are the targets, in the letter's design?",
    )
    became = [
        ("a name query", offered(lab, name_query(3009))),
        ("UDP to port 69", offered(lab, wish(3010))),
        (
            "the late answer from outside",
            offered(lab, udp(NAMES, f"{OUTSIDE}:3001", b"answer", card="eth1"), "eth1"),
        ),
    ]
    lab.step(A_WHILE)
    lab.show(packets("With the second firewall:", became))
    lab.show(Text("What left through eth1 since:", tuple(left(lab, sent))))
    back = [line for line in left(lab, card="eth0") if line.startswith(f"UDP {NAMES} > {INSIDE}:3001")]
    lab.show(Text("And through eth0:", tuple(back)))
    lab.expect([what for _, what in became] == ["sent", "dropped: rejected", "sent"], "the rules hold again")
    lab.expect(len(left(lab, sent)) == 1, "what was dropped meanwhile stays dropped")
    lab.expect(len(back) == 1, "the late answer reached the port that asked: NAT is the kernel's")
    lab.kill("firewall")
    lab.type("end\n")
    lab.run_to_exit()
    lab.expect(lab.ended is not None and lab.ended.code == 0x10, "the guest ended in order, two deaths later")


@step("fail-open", points=2)
def fail_open(lab: Lab) -> None:
    start(lab, firewall__dead="allow")
    to_registration(lab)
    lab.say("The counter-example: the same machine with `firewall.dead=allow`.")
    rejected = offered(lab, wish(3001))
    number = begun(lab, wish(3002))
    lab.run_until(happened(Kind.UPCALL))
    lab.kill("firewall")
    copy = lab.fork()
    in_flight = ended(copy, number)
    lab.ask(
        "A datagram that the rules forbid is just being judged when the program is killed. Another one of "
        "its kind was rejected a moment ago. What becomes of this one?",
        choices=[
            "it is rejected",
            "it is dropped",
            "it is sent",
            "it is lost: the page died with the program",
        ],
        answer=2 if in_flight == "sent" else 1,
        hint="The kernel does not know the rules. It knows one word: allow.",
    )
    became = ended(lab, number)
    others = [offered(lab, wish(3003)), offered(lab, name_query(3004))]
    lab.step(A_WHILE)
    lab.ask(
        "With which source address do these packets travel through the world outside?",
        choices=["192.0.2.1, as before", "10.0.0.2", "none: they are dropped on the way out"],
        answer=1 if any(f"UDP {INSIDE}:3002" in line for line in left(lab)) else 2,
        hint="Who decided that a packet is to be masqueraded?",
    )
    rows = [
        ("forbidden, before the death", rejected),
        ("forbidden, being judged", became),
        ("forbidden, after it", others[0]),
        ("a name query, after it", others[1]),
    ]
    lab.show(packets("With firewall.dead=allow:", rows), Text("What left through eth1:", tuple(left(lab))))
    lab.expect(rejected == "dropped: rejected", "the rules were in force before")
    lab.expect(became == "sent", "the packet in flight passed, judged by nobody")
    lab.expect(others == ["sent", "sent"], "and everything behind it")
    lab.expect(
        len(left(lab)) == 3 and all(line.startswith(f"UDP {INSIDE}:") for line in left(lab)),
        "all of them with the inside address: the door was open both ways",
    )
    lab.expect(fate(lab, number) is not None and lab.ended is None, "the kernel lives here, too")
