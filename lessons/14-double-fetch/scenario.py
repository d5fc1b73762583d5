# SPDX-License-Identifier: GPL-2.0-or-later
"""Lesson "double-fetch": who may answer, what an answer is checked for, and what changes between check and use."""

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from emu.events import Acknowledged, Event, Faulted, Marked, SyscallEntered, UpcallMade
from emu.lesson import At, Kind, Lab, Text, happened, step

GUEST, HOST = "52:54:00:12:34:56", "02:00:0a:00:00:02"
SOURCE, FAR, FORGED = "10.0.0.2", "203.0.113.9", "10.66.66.66"
FORGED_BYTES = bytes((10, 66, 66, 66))
SOURCE_AT = 12
"""Where an IPv4 header has the source address."""
POSTROUTING = 4
ERRORS = {0: "0, taken", -1: "-1, EPERM", -2: "-2, ENOENT", -22: "-22, EINVAL"}
"""What the kernel answers to an acknowledgement."""


def setup(lab: Lab) -> None:
    lab.boot("upcall", "sum", memory_mib=8)


# -- helpers ----------------------------------------------------------------------------------------------------------


def acks(lab: Lab) -> list[Acknowledged]:
    """All acknowledgements so far; their arguments: pid, id, length, verdict, and the result."""
    return [event for event in lab.events.of(Kind.ACK) if isinstance(event, Acknowledged)]


def has_registered(event: Event) -> bool:
    """Whether a registration has just been granted or refused."""
    return (
        isinstance(event, SyscallEntered) and event.name == "SYS_ukshm_register" and event.result is not None
    )


def is_answered_twice(event: Event) -> bool:
    """Whether the laboratory has just told that its second call was answered."""
    return "call 2 answered" in getattr(event, "text", "")


def packet(number: int = 1) -> Ether:
    """A datagram from a host inside to one far away."""
    return (
        Ether(src=HOST, dst=GUEST)
        / IP(src=SOURCE, dst=FAR, id=number)
        / UDP(sport=999 + number, dport=53)
        / b"hello"
    )


def firewall(lab: Lab, program: str, path: str = "ukshm", packets: int = 1, **switches: str) -> None:
    """Boot a firewall, and let packets come in as soon as it has registered."""
    words = {name.replace("__", "."): value for name, value in switches.items()}
    lab.boot(program, switches={"firewall.path": path, **words}, network=True)
    lab.run_until(has_registered)
    for number in range(packets):
        lab.inject(packet(1 + number))


def datagrams(lab: Lab) -> list[IP]:
    """The UDP datagrams that have left by eth1."""
    frames = [Ether(bytes(frame)) for frame in lab.sent("eth1")]
    return [frame[IP] for frame in frames if UDP in frame]


def to_datagram(lab: Lab) -> IP:
    """On until the first datagram has left by eth1, and that datagram."""
    while not datagrams(lab):
        lab.run_until(happened(Kind.DMA, device="eth1", write=False))
    return datagrams(lab)[0]


def to_end_of_packet(lab: Lab) -> int:
    """On until the first packet has met its fate: 0 sent, 1 delivered, from 2 on dropped."""
    lab.run_until(
        lambda event: isinstance(event, Marked) and event.name == "packet_end" and event.arguments["id"] == 1
    )
    mark = lab.events.of(Kind.MARK, name="packet_end")[-1]
    assert isinstance(mark, Marked)
    return int(mark.arguments["reason"])


def to_last_question(lab: Lab) -> UpcallMade:
    """On until the firewall is asked at POSTROUTING; how the kernel called it."""
    lab.run_until(is_asked_at_the_end)
    call = lab.events.of(Kind.UPCALL)[-1]
    assert isinstance(call, UpcallMade)
    return call


def fate(lab: Lab, reason: int) -> str:
    """A packet's fate in words."""
    names = lab.booted.kernel.symbols.enumeration("drop_reason")
    return ("sent", "delivered")[reason] if reason < 2 else names.get(reason - 2, "?").removeprefix("DROP_")


def is_sound(sent: IP) -> bool:
    """Whether the IPv4 header's checksum is that of its bytes."""
    fresh = sent.copy()
    del fresh.chksum
    return IP(bytes(fresh)).chksum == sent.chksum


def told(sent: IP) -> str:
    """What left by eth1, beside what was checked."""
    return "as checked" if sent.src == SOURCE and is_sound(sent) else f"source {sent.src}"


def is_asked_at_the_end(event: Event) -> bool:
    """Whether the kernel calls the firewall at its last hook."""
    return (
        isinstance(event, UpcallMade) and event.name == "ROLE_FIREWALL" and event.arguments[3] == POSTROUTING
    )


def rows_of(events: list[Event]) -> tuple[str, ...]:
    """Events, one a line, with the instruction each belongs to."""
    return tuple(f"{event.insn:>9,}  {words(event)}" for event in events)


def words(event: Event) -> str:
    """One event in a few words."""
    if isinstance(event, Acknowledged):
        return f"ack of call {event.arguments[1]}: result {event.arguments[4]}"
    if isinstance(event, UpcallMade):
        return f"upcall {event.arguments[1]} at hook {event.arguments[3]}"
    if isinstance(event, Marked):
        given = ", ".join(
            f"{name.replace('_', ' ')} {value:#x}"
            if name == "frame_number"
            else f"{name.replace('_', ' ')} {value}"
            for name, value in event.arguments.items()
            if name != "linear"
        )
        return f"{event.name.replace('_', ' ')}: {given}"
    if isinstance(event, Faulted):
        return f"page fault in ring {event.cpl}: {event.error_bits}"
    return "INVLPG of the page" if event.kind is Kind.INVALIDATE else str(event.kind)


def what_happened(lab: Lab, seq: int, page: int) -> list[Event]:
    """What matters between a call and its use: unmapping, invalidation, verdict, answer, a fault at the packet."""
    wanted = ("ukshm_map", "ukshm_unmap", "verdict", "packet_end")
    return [
        event
        for event in lab.events.since(seq)
        if (isinstance(event, Marked) and event.name in wanted)
        or (isinstance(event, Faulted) and event.cr2 == page + SOURCE_AT)
        or event.kind in (Kind.INVALIDATE, Kind.ACK)
    ]


# -- steps ------------------------------------------------------------------------------------------------------------


@step("an-answer", points=3)
def an_answer(lab: Lab) -> None:
    lab.run_until(is_answered_twice)
    good = acks(lab)[0]
    lab.say(
        f"An honest handler first: called with id {good.arguments[1]} and a page of "
        f"{good.arguments[2]} bytes, it answers with `ukshm_ack({good.arguments[1]}, {good.arguments[2]}, "
        f"{good.arguments[3]})`, the sum of the bytes. The kernel's result is {good.arguments[4]}."
    )
    results: dict[str, int] = {}
    for mode in ("length", "verdict", "twice", "child"):
        lab.boot("upcall", mode, memory_mib=8)
        lab.run_until(is_answered_twice)
        results[mode] = next(int(ack.arguments[4]) for ack in acks(lab) if ack.arguments[4])
    lab.ask(
        "The second call is running, and the handler answers the first one again, which it did answer a moment ago. "
        "What is the result?",
        choices=[
            "0: it is the right program, and it was asked this",
            "an error: nobody waits for that answer",
            "0, and the new answer takes the place of the first",
        ],
        answer=int(results["twice"] != 0),
        hint="What would a second answer to the same packet mean? The packet is gone.",
    )
    lab.ask(
        "The handler forks, and its child, with the same memory and the same user, answers the call that is running. "
        "What does the kernel say?",
        choices=["0: it knows the right id", "an error: it was not asked", "the child is killed"],
        answer=0 if results["child"] == 0 else 1,
        hint="Is the id a secret? How would you tell who was asked?",
    )
    lab.ask(
        "The handler says that there are more bytes than the page has room for. And then?",
        choices=[
            "the kernel cuts the length to what there is, and goes on",
            "the kernel refuses the answer; the call is still running, and the handler may answer properly",
            "the kernel ends the program",
        ],
        answer=1 if results["length"] == -22 else 0,
        hint="Which of these leaves no doubt about what the program wanted?",
    )
    tried = {
        "length": "a length beyond the page",
        "verdict": "a verdict without sense",
        "twice": "the call before, again",
        "child": "another process answers",
    }
    lab.show(
        Text("What was tried:", tuple(f"{tried[mode]:<24}  {ERRORS[results[mode]]}" for mode in results))
    )
    lab.expect(good.arguments[4] == 0, "a proper answer is taken")
    lab.expect(results["length"] == results["verdict"] == -22, "length and verdict must make sense")
    lab.expect(results["twice"] == -2, "an answer that nobody waits for is refused")
    lab.expect(results["child"] == -1, "who was not asked may not answer")
    lab.expect(
        "call 1 answered" in lab.console and "call 2 answered" in lab.console,
        "after each refusal the proper answer was still taken",
    )


@step("in-anothers-name", points=2)
def in_anothers_name(lab: Lab) -> None:
    firewall(lab, "forger", packets=3)
    lab.run_until(lambda event: "who was not asked" in getattr(event, "text", ""))
    strict_line = next(line for line in lab.console.lines() if "not asked" in line)
    strict = [ack for ack in acks(lab) if ack.arguments[0] == 3 and ack.arguments[4] == 0]
    tries = len([ack for ack in acks(lab) if ack.arguments[0] == 3])
    passed_strict = len(datagrams(lab))
    lab.say(
        f"`forger`: an honest firewall that drops everything, and thinks for a while about each packet. Meanwhile its "
        f"child, who is an ordinary user, answers in its name. It does not know the ids. It guesses: {tries:,} tries."
    )
    lab.show(Text("The console:", (strict_line,)))
    firewall(lab, "forger", packets=3, ukshm__ack_check="off")
    forked = lab.fork()
    to_datagram(forked)
    lab.ask(
        "With `ukshm.ack_check=off` the kernel looks at the id only, and takes the answer of whoever knows it. The ids "
        "are 64 bits wide. Will one of three packets pass?",
        choices=["no: 64 bits cannot be guessed", "yes"],
        answer=int(bool(datagrams(forked))),
        hint="How does the kernel make the ids? Look at the ids in the step before.",
    )
    lab.run_until(lambda event: "who was not asked" in getattr(event, "text", ""))
    lab.run_until(lambda event: bool(len(datagrams(lab)) == 3))
    taken = [ack for ack in acks(lab) if ack.arguments[0] == 3 and ack.arguments[4] == 0]
    lab.show(
        Text(
            "With ukshm.ack_check=off:",
            (
                *[line for line in lab.console.lines() if "not asked" in line],
                f"datagrams that have left by eth1: {len(datagrams(lab))}",
            ),
        )
    )
    lab.expect(
        not strict and not passed_strict, "with the check no guess was taken, and no packet has passed"
    )
    lab.expect(len(taken) > 0, "without it the kernel took answers of a user who was never asked")
    lab.expect(len(datagrams(lab)) == 3, "and what the firewall would have dropped has left")


@step("before-the-answer", points=2)
def before_the_answer(lab: Lab) -> None:
    firewall(lab, "flip")
    call = to_last_question(lab)
    page = call.arguments[4]
    before = lab.memory(page, 20)
    lab.say(
        "Now a packet. The kernel has called the firewall for the last time, at POSTROUTING: this is the packet's IPv4 "
        "header, in the shared page. While the handler has it, it may change it; the letter wants that, it speaks of "
        '"decisions and alterations" (john moser, 2003-12-07).'
    )
    forked = lab.fork()
    forked.poke(page + SOURCE_AT, FORGED_BYTES)
    lab.show(lab.dump(page, 20))
    reason = to_end_of_packet(forked)
    lab.ask(
        "In the handler's place we write another source address into it, and do not mend the header's checksum. Then "
        "the handler answers: accept. What becomes of the packet?",
        choices=["it is sent, with the new source", "it is sent, with the old source", "it is dropped"],
        answer=2 if reason > 1 else 0,
        hint="The kernel looks at the packet once more when it is its own again. What does a checksum tell it?",
    )
    lab.poke(page + SOURCE_AT, FORGED_BYTES)
    lab.show(lab.dump(page, 20, before))
    real = to_end_of_packet(lab)
    lab.say(f"The packet's fate: {fate(lab, real)}.")
    lab.expect(fate(lab, real) == "CHANGED", "what a program has broken the kernel does not send")
    lab.expect(not datagrams(lab), "nothing has left by eth1")


@step("the-right-order", points=2)
def the_right_order(lab: Lab) -> None:
    firewall(lab, "flip")
    call = to_last_question(lab)
    page, seq = call.arguments[4], lab.machine.journal.seq
    lab.say(
        "Nobody pokes this time. `flip` itself answers: accept, and changes nothing. And *then* it writes another "
        "source address into the packet. The kernel still has the packet for a long time: it must ask "
        "who has the next address before it can send."
    )
    lab.ask(
        "At the answer the kernel does three things: it checks the packet's form, clears the window's PTE and "
        "invalidates it, and acts by the verdict. Which order is safe?",
        choices=[
            "check, clear and invalidate, act: what is not in order need not be unmapped in haste",
            "clear and invalidate, check, act",
            "check, act, clear and invalidate: the packet is sent sooner",
        ],
        answer=1,
        hint="A check says something about the moment at which it is made. Who can write at each moment?",
    )
    lab.run_until(Kind.ACK)
    lab.run_until(lambda event: isinstance(event, Faulted) and event.cr2 == page + SOURCE_AT)
    fault = lab.events.of(Kind.FAULT)[-1]
    events = what_happened(lab, seq, page)
    lab.show(Text("From the last call on:", rows_of(events)))
    lab.show(lab.told([fault], "The late store:"))
    sent = to_datagram(lab)
    lab.show(Text("What left by eth1:", (f"source {sent.src}, checksum right: {is_sound(sent)}",)))
    kinds = [event.name if isinstance(event, Marked) else str(event.kind) for event in events]
    lab.expect(
        kinds.index("ukshm_unmap") < kinds.index("invalidate") < kinds.index("verdict"),
        "the page was unmapped and invalidated before the kernel acted on it",
    )
    lab.expect(isinstance(fault, Faulted) and fault.error == 6, "the late store was a page fault")
    lab.notes.left = {"ukshm": told(sent)}
    lab.expect(sent.src == SOURCE and is_sound(sent), "what was checked is what left")


@step("checked-too-early", points=3)
def checked_too_early(lab: Lab) -> None:
    firewall(lab, "flip", ukshm__check="before_unmap")
    call = to_last_question(lab)
    page, seq = call.arguments[4], lab.machine.journal.seq
    forked = lab.fork()
    ahead = to_datagram(forked)
    lab.say(
        "The counter-example: `ukshm.check=before_unmap`. The kernel checks the packet at the answer, sees that it is "
        "in order, and puts off the unmapping to the next tick of the timer. When the page is its own again it goes on "
        "from where it was: with a packet that has been checked."
    )
    lab.ask(
        "Which source address has the datagram that leaves?",
        choices=[SOURCE, FORGED, "none: it is dropped as changed"],
        answer={SOURCE: 0, FORGED: 1}.get(ahead.src, 2),
        hint="When does `flip` write, and when does the kernel look for the last time?",
    )
    lab.ask(
        "And the checksum of its IPv4 header?",
        choices=["right: the kernel has checked it", "wrong"],
        answer=0 if is_sound(ahead) else 1,
        hint="`flip` writes four bytes and mends nothing. Does anybody compute it anew behind it?",
    )
    lab.run_until(Kind.ACK)
    answered = lab.walk(page)
    lab.say("The answer was taken. The window, at this moment:")
    lab.show(answered)
    lab.run_until(At("flip"))
    lab.run_until(lambda event: isinstance(event, Marked) and event.name == "verdict")
    lab.show(Text("From the last call on:", rows_of(what_happened(lab, seq, page))))
    sent = to_datagram(lab)
    lab.show(
        Text("What left by eth1:", (f"source {sent.src}, checksum right: {is_sound(sent)}",)),
        Text("The console:", tuple(lab.console.lines()[1:])),
    )
    lab.notes.left["before_unmap"] = told(sent)
    stale = [event for event in lab.events.since(seq).of(Kind.ACCESS, stale=True) if event.cpl == 3]
    lab.expect(answered.rows[-1].rights.startswith("user"), "behind the check ring 3 could still write")
    lab.expect(sent.src == FORGED, "the packet that left is not the one that was checked")
    lab.expect(not is_sound(sent), "it does not even pass the check that was made")
    lab.expect(not stale, "no stale TLB entry was used: each translation was right")
    lab.expect(
        not lab.events.since(seq).of(Kind.FAULT, vector=14, cpl=3, error=7), "and no right was missing"
    )


@step("the-ring", points=2)
def the_ring(lab: Lab) -> None:
    firewall(lab, "tamper", path="ring")
    lab.say(
        "`firewall.path=ring`: sixteen pages are mapped once, for good. Packets come to lie in them, and stay; "
        "questions and answers go through a ring of records in the first page. No page is mapped or unmapped for a "
        "packet, no switch is turned. `tamper` answers: accept; has the kernel take the answer in; and then writes."
    )
    forked = lab.fork()
    ahead = to_datagram(forked)
    lab.ask(
        "Does a program that keeps all of its pages get its change past the kernel's check?",
        choices=[
            "no: the kernel checks when it takes the answer in, and ring 3 does not run meanwhile",
            "yes: the check and the card's reading are two moments, and ring 3 runs in between",
            "only if the TLB holds a stale entry for the page",
        ],
        answer=int(ahead.src == FORGED),
        hint="The packet is sent some thousands of instructions after the check. From which page does the card read?",
    )
    lab.run_until(At("tamper"))
    victim = lab.value("victim")
    walk = lab.walk(victim)
    lab.show(walk)
    sent = to_datagram(lab)
    lab.show(
        Text("What left by eth1:", (f"source {sent.src}, checksum right: {is_sound(sent)}",)),
    )
    lab.notes.left["ring"] = told(sent)
    changes = {path: late_change(lab, path) for path in ("copy", "ukshm", "ring")}
    lab.notes.reached = changes
    lab.ask(
        "On which of the other paths could a program do the same, with all switches as they should be? With `copy` the "
        "packet's bytes are copied to the program, and back if it has changed them.",
        choices=["on both", "with copy only", "with ukshm only", "on neither"],
        answer={(1, 1): 0, (1, 0): 1, (0, 1): 2, (0, 0): 3}[changes["copy"], changes["ukshm"]],
        hint="When the kernel looks for the last time: in which page, and who has an entry for it?",
    )
    lab.show(
        Text(
            "Behind the last check, can ring 3 reach the packet's page?",
            tuple(f"{path:<6} {'yes' if reached else 'no'}" for path, reached in changes.items()),
        )
    )
    lab.expect(
        walk.rows[-1].rights.startswith("user"), "the ring's page is the program's to write, before and after"
    )
    lab.expect(sent.src == FORGED and not is_sound(sent), "the ring let the change through")
    lab.expect(
        changes["ring"], "an honest firewall, too, could reach a packet that is on its way, in the ring"
    )
    lab.expect(not changes["copy"] and not changes["ukshm"], "behind a copy, or an unmapping, it could not")


def is_waiting(event: Event) -> bool:
    """Whether the firewall of the copying path asks for a packet."""
    return isinstance(event, SyscallEntered) and event.name == "SYS_pkt_recv"


def late_change(lab: Lab, path: str) -> bool:
    """Whether an honest firewall on that path could still reach a packet's page when its last verdict is acted on."""
    other = lab.beside()
    other.boot(
        "firewall", "-A", "POSTROUTING", "-j", "ACCEPT", switches={"firewall.path": path}, network=True
    )
    other.run_until(has_registered if path == "ukshm" else is_waiting)
    other.inject(packet())
    to_datagram(other)
    sent = other.events.of(Kind.DMA, device="eth1", write=False)[-1]
    frame = getattr(sent, "address", 0) >> 12
    space = other.space("firewall")
    pages = [page for area in space.areas for page in range(area.start, area.end, 4096)]
    return any(other.walk(page, "firewall").frame == frame for page in pages)


@step("the-rule", points=1)
def the_rule(lab: Lab) -> None:
    lab.ask(
        "What made the difference between the packets that left as they were checked and those that did not?",
        choices=[
            "how thorough the check was",
            "that the check came after the program's last chance to write",
            "how soon the packet was sent",
            "that the TLB held no stale entry",
        ],
        answer=1,
        hint="The check was the same function in every run, and there were no stale entries in any of them.",
    )
    left, reached = lab.notes.left, lab.notes.reached
    copied = "cannot be reached" if not reached["copy"] else "can be reached"
    rows = (
        f"{'ukshm':<22}behind the unmapping; {left['ukshm']}",
        f"{'ukshm, before_unmap':<22}before it; {left['before_unmap']}",
        f"{'ring':<22}in a page that is shared; {left['ring']}",
        f"{'copy':<22}in a page never shared; {copied}",
    )
    lab.show(Text("Four designs: where the last check of the form is made, and what left:", rows))
    lab.run_until(happened(Kind.MARK, name="packet_end"))
    lab.expect(
        [sent.src for sent in datagrams(lab)] == [FORGED],
        "the ring's only datagram is the forged one",
    )
    lab.expect(
        [left[path] == "as checked" for path in ("ukshm", "before_unmap", "ring")] == [True, False, False],
        "the one packet that left as checked was checked when nobody else could write any more",
    )
