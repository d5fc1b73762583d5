# SPDX-License-Identifier: GPL-2.0-or-later
"""Lesson "firewall": who examines, who decides and who acts, on four paths with one set of rules."""

from dataclasses import dataclass

from emu.events import Marked, UpcallMade
from emu.lesson import At, Call, Kind, Lab, Text, happened, step
from emu.lesson.wire import begun, describe, ended, is_packet, offered, ping, udp

PATHS = ("kernel", "copy", "ukshm", "ring")
HOOKS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
TARGETS = ("DROP", "ACCEPT", "REJECT", "FORWARD", "MASQUERADE")
MASQUERADE = 4
NAMES, FORBIDDEN, INSIDE, OUTSIDE = "203.0.113.9:53", "203.0.113.9:69", "10.0.0.2", "192.0.2.1"
A_WHILE = 100_000


@dataclass(frozen=True)
class Done:
    """What one path made of the same packets."""

    verdicts: tuple[tuple[str, str], ...]
    ends: tuple[str, ...]
    sent: tuple[bytes, ...]
    syscalls: int
    upcalls: int
    invalidations: int
    instructions: int


def setup(lab: Lab) -> None:
    lab.boot("firewall", "--check", "-P", "FORWARD", "DENY", memory_mib=8)


def begin(lab: Lab, path: str, *arguments: str, program: str = "firewall") -> None:
    """A guest in which `program` has registered on a path, and waits."""
    lab.boot(program, *arguments, switches={"firewall.path": path}, network=True, memory_mib=8)
    if path == "kernel":
        lab.run_until(happened(Kind.MARK, name="firewall_rules"))
    else:
        lab.run_until(Call("upcall_register" if path == "ukshm" else "firewall_begin"), then="return")
    lab.step(A_WHILE)


def office_packets() -> list[bytes]:
    """A name query, something forbidden, a ping to the router, and a datagram to the router."""
    return [
        udp(f"{INSIDE}:3001", NAMES),
        udp(f"{INSIDE}:3002", FORBIDDEN),
        ping(INSIDE, "10.0.0.1"),
        udp(f"{INSIDE}:3003", "10.0.0.1:7"),
    ]


def verdicts(lab: Lab, since: int) -> tuple[tuple[str, str], ...]:
    """Each verdict since an event: the hook, and the target."""
    marks = [m for m in lab.events.since(since).of(Kind.MARK, name="verdict") if isinstance(m, Marked)]
    words = [(int(m.arguments["hook"]), int(m.arguments["verdict"]) & 0xFF) for m in marks]
    return tuple((HOOKS[hook], TARGETS[target]) for hook, target in words)


def measured(lab: Lab, path: str) -> Done:
    """The office's packets on one path, on a machine beside this one."""
    other = lab.beside()
    begin(other, path, "office.rules")
    offered(other, udp(f"{INSIDE}:3000", NAMES))  # the neighbours are known from here on
    other.step(A_WHILE)
    seq, insn = other.machine.journal.seq, other.machine.journal.insn
    ends = tuple(offered(other, packet) for packet in office_packets())
    insn = other.machine.journal.insn - insn
    other.step(A_WHILE)
    events = other.events.since(seq)
    asked = [e for e in events.of(Kind.UPCALL) if isinstance(e, UpcallMade)]
    return Done(
        verdicts(other, seq),
        ends,
        tuple(bytes(frame) for card in ("eth0", "eth1") for frame in other.sent(card)),
        len([event for event in events.of(Kind.SYSCALL) if getattr(event, "result", 0) is None]),
        len(asked),
        len(events.of(Kind.INVALIDATE)),
        insn,
    )


def left(lab: Lab, card: str = "eth1") -> list[str]:
    """The IPv4 packets that have left through a card, in words."""
    return [describe(frame) for frame in lab.sent(card) if is_packet(frame)]


def console(lab: Lab) -> Text:
    """What was printed so far."""
    return Text("The console:", tuple(line.strip() for line in lab.console.lines()))


@step("the-words", points=1)
def the_words(lab: Lab) -> None:
    copy = lab.fork()
    copy.run_to_exit()
    shown = str(copy.console)
    lab.ask(
        "`firewall --check -P FORWARD DENY` reads one rule, a policy, and shows what it has understood. Which "
        "word stands for DENY in its listing?",
        choices=["DENY: a refusal with an answer", "DROP", "REJECT", "none: it is an error"],
        answer=1 if "(policy DROP" in shown else 0,
        hint="ipchains had DENY and REJECT. Which of the two did its successor rename?",
    )
    lab.run_to_exit()
    lab.show(console(lab))
    crossing = lab.beside()
    begin(crossing, "ukshm", *"-A PREROUTING -p udp --dport 7777 -j FORWARD".split())
    became = offered(crossing, udp(f"{INSIDE}:3001", "10.0.0.1:7777"))
    crossing.step(A_WHILE)
    lab.ask(
        "`-A PREROUTING -p udp --dport 7777 -j FORWARD` uses the letter's word as a target. A datagram for the "
        "router's *own* inner address, port 7777, comes in through eth0. Where does it go?",
        choices=[
            "to the router itself: that is its address",
            "out through eth1, the other card",
            "nowhere: FORWARD is no target",
        ],
        answer=1 if left(crossing) else 0,
        hint="In iptables FORWARD is a chain. As a target it must mean something that is done.",
    )
    lab.show(Text("What left through eth1:", tuple(left(crossing))))
    lab.expect("(policy DROP 0 packets" in lab.console, "DENY is DROP: no answer, not even a refusal")
    lab.expect(became == "sent" and len(left(crossing)) == 1, "FORWARD: out through the other card")


@step("who-examines", points=2)
def who_examines(lab: Lab) -> None:
    begin(lab, "kernel", "office.rules")
    number = begun(lab, udp(f"{INSIDE}:3001", NAMES))
    lab.run_until(Call("firewall_rules_judge"))
    inner = lab.registers["cpl"]
    lab.say(
        "The baseline, `firewall.path=kernel`: the program has read the rules and handed them down. A name "
        f"query is being judged, in ring {inner}, by `firewall_rules_judge`."
    )
    became = ended(lab, number)
    baseline = verdicts(lab, 0)
    begin(lab, "ukshm", "office.rules")
    lab.ask(
        "Now `firewall.path=ukshm`, the letter's design, and the same packet. In which ring and in whose "
        "address space will it be examined?",
        choices=[
            "ring 0, the kernel's",
            "ring 3, the firewall's",
            "ring 3, that of whoever runs when the packet comes",
        ],
        answer=1,
        hint="Only one process has the rules in its memory now.",
    )
    seq = lab.machine.journal.seq
    number = begun(lab, udp(f"{INSIDE}:3001", NAMES))
    lab.run_until(At("judge"))
    outer, process = lab.registers["cpl"], lab.inspector.process()
    upcall = lab.events.since(seq).of(Kind.UPCALL)[-1]
    assert isinstance(upcall, UpcallMade)
    address = int(upcall.arguments[4])
    user, alias = lab.walk(address), lab.walk(lab.kernel_alias(address))
    lab.show(lab.told([upcall], "What the kernel asked:"), lab.space())
    lab.show(lab.dump(address, 33), user, alias)
    lab.ask(
        "The dump shows the packet from its IPv4 header on, at the program's address. How many bytes of it "
        "were copied on the way from the card to this address?",
        choices=["none: it is the frame that the card wrote to", "33, from the kernel's buffer", "4096"],
        answer=0 if user.frame == alias.frame else 1,
        hint="Compare the last lines of the two walks.",
    )
    written = [e for e in lab.events.of(Kind.DMA, device="eth0") if getattr(e, "write", False)]
    frames = {getattr(event, "address", 0) >> 12 for event in written}
    end = ended(lab, number)
    mine = verdicts(lab, seq)
    lab.show(Text("Its verdicts:", tuple(f"{hook:<12} {target}" for hook, target in mine)))
    lab.expect(inner == 0 and outer == 3, "ring 0 examines on the first path, ring 3 on the second")
    lab.expect(process is not None and process.name == "firewall", "in the firewall's own address space")
    lab.expect(user.frame == alias.frame, "the program sees the frame that the kernel has")
    lab.expect(user.frame in frames, "and that is one that the card wrote to")
    lab.expect(mine == baseline and end == became == "sent", "the same verdicts, and the packet is sent")


@step("four-paths", points=3)
def four_paths(lab: Lab) -> None:
    done = {path: measured(lab, path) for path in PATHS}
    base = done["kernel"]
    same = all(
        (other.verdicts, other.ends, other.sent) == (base.verdicts, base.ends, base.sent)
        for other in done.values()
    )
    lab.ask(
        "There are two more paths. `copy`: the program fetches each packet by a system call, which copies it. "
        "`ring`: 32 pages stay mapped for good, and questions and answers lie in a ring. Four packets are "
        "offered to each path. On how many of the four paths does a packet fare differently from the others?",
        choices=["on none", "on one: the kernel's own", "on two or more"],
        answer=0 if same else 2,
        hint="Which part of the work is the same C file on all four?",
    )
    lab.show(
        Text(
            "Four packets, as each path judged them:",
            tuple(f"{hook:<12} {target}" for hook, target in base.verdicts),
        ),
        Text("And what became of them:", base.ends),
    )
    lab.ask(
        "How many of these verdicts came to the kernel by a system call of the program, on the path `ukshm`?",
        choices=["none: that is the point of sharing memory", "one for each verdict", "one for each packet"],
        answer=1 if done["ukshm"].syscalls >= len(base.verdicts) else 0,
        hint="How does a handler end?",
    )
    rows = [
        f"{path:<6} {len(d.verdicts):>6} {d.upcalls:>5} {d.syscalls:>5} {d.invalidations:>6} {d.instructions:>6,}"
        for path, d in done.items()
    ]
    lab.say(
        "Counted from the first packet's arrival to the last one's end: verdicts, how often the program was asked, "
        "its system calls, invalidations, and instructions."
    )
    lab.show(Text("On each path:", ("path   judged asked calls inval.   insn", *rows)))
    lab.expect(same, "four paths: the same verdicts, the same fates, the same bytes on the wire")
    kinds = {target for _, target in base.verdicts}
    lab.expect(kinds == {"ACCEPT", "REJECT", "MASQUERADE"}, "three different targets were among them")
    lab.expect(
        done["kernel"].syscalls == done["kernel"].upcalls == 0, "the kernel's own rules ask nobody anything"
    )
    lab.expect(
        all(done[path].upcalls == len(base.verdicts) for path in PATHS[1:]), "a program is asked at each hook"
    )
    lab.expect(
        done["ukshm"].syscalls >= len(base.verdicts), "and on the letter's path it answers by a system call"
    )
    lab.expect(
        done["ukshm"].invalidations >= len(base.verdicts) > done["ring"].invalidations,
        "which costs an invalidation each; on the ring nothing is unmapped",
    )
    lab.expect(
        done["ring"].syscalls < done["copy"].syscalls, "the ring needs fewer system calls than the copy"
    )


@step("who-acts", points=2)
def who_acts(lab: Lab) -> None:
    begin(lab, "ukshm", "office.rules")
    packet = udp(f"{INSIDE}:3001", NAMES)
    number = begun(lab, packet)
    lab.run_until(
        lambda event: (
            event.kind is Kind.ACK and int(getattr(event, "arguments", [0, 0, 0, 0])[3]) & 0xFF == MASQUERADE
        )
    )
    word = int(getattr(lab.events.of(Kind.ACK)[-1], "arguments", [0, 0, 0, 0])[3])
    lab.say(
        "At POSTROUTING the rules say `-j MASQUERADE --to-ports 1024-4999`: what leaves is to bear the "
        "router's address. The program has just answered."
    )
    lab.show(lab.told([lab.events.of(Kind.ACK)[-1]], "The answer:"))
    lab.ask(
        "The packet's source address must be replaced, two checksums mended, the conversation remembered. Who "
        "has done or will do that?",
        choices=["the program, before it answered", "the kernel, now", "the card"],
        answer=1,
        hint="Decode the verdict: bits 7..0 the target, 31..16 the lowest port, 47..32 the highest.",
    )
    verdict = [m for m in lab.events.of(Kind.MARK, name="verdict")][-1]
    source = lab.machine.journal.seq
    end = ended(lab, number)
    lab.step(A_WHILE)
    lab.show(
        Text(
            f"The word {word:#x}:",
            (f"target {word & 0xFF}, ports {word >> 16 & 0xFFFF} to {word >> 32 & 0xFFFF}",),
        ),
        Text("It came in as:", (describe(packet),)),
        Text("It left as:", tuple(left(lab))),
    )
    refused = offered(lab, udp(f"{INSIDE}:3002", FORBIDDEN))
    lab.step(A_WHILE)
    lab.show(Text("And for one that was rejected, through eth0:", tuple(left(lab, "eth0"))))
    lab.expect(word & 0xFF == MASQUERADE, "the program said MASQUERADE, a word of 8 bytes")
    lab.expect((word >> 16 & 0xFFFF, word >> 32 & 0xFFFF) == (1024, 4999), "and within which ports")
    lab.expect(verdict.cpl == 0 and verdict.seq < source, "the kernel, in ring 0, took it to the target")
    lab.expect(end == "sent" and left(lab)[0].startswith(f"UDP {OUTSIDE}:3001"), "the kernel did it")
    lab.expect(
        refused == "dropped: rejected" and "code 13" in left(lab, "eth0")[-1],
        "REJECT: the kernel wrote the refusal",
    )


@step("targets-of-ones-own", points=2)
def targets_of_ones_own(lab: Lab) -> None:
    begin(lab, "ukshm", "targets.rules")
    copy = lab.fork()
    offered(copy, udp(f"{INSIDE}:3001", NAMES))
    copy.step(A_WHILE)
    ttl = int(left(copy)[0].rpartition("TTL ")[2])
    lab.ask(
        "`targets.rules` sends datagrams into a chain `curious`, to LOG, then to `TTL --ttl-set 32`, then to "
        "ACCEPT. A router takes one from the TTL of whatever passes through it. With which TTL does a "
        "datagram leave that came with 64?",
        choices=["63", "32", "31"],
        answer={63: 0, 32: 1, 31: 2}[ttl],
        hint="FORWARD is asked when the route is known. Has the router counted by then? LOG will tell.",
    )
    became = offered(lab, udp(f"{INSIDE}:3001", NAMES))
    lab.step(A_WHILE)
    lab.show(console(lab), Text("What left through eth1:", tuple(left(lab))))
    kernel = lab.beside()
    kernel.boot("firewall", "targets.rules", switches={"firewall.path": "kernel"}, network=True, memory_mib=8)
    kernel.run_until(happened(Kind.MARK, name="program_exit"))
    lab.ask(
        "The same rules with `firewall.path=kernel`. What does the kernel do with LOG, TTL and MIRROR?",
        choices=[
            "it calls the program for them",
            "it skips them",
            "nothing: the rules are refused before a packet comes",
        ],
        answer=2 if "it is not asked" in kernel.console else 1,
        hint="These three are functions of a program. Which path asks no program?",
    )
    lab.show(Text("With firewall.path=kernel:", tuple(str(kernel.console).splitlines()[1:])))
    lab.expect(became == "sent", "the datagram was sent")
    lab.expect("a datagram: IN=eth0 OUT=eth1 SRC=10.0.0.2" in lab.console, "LOG spoke, from ring 3")
    lab.expect("TTL=63" in lab.console, "it saw a TTL that the router had taken one from")
    lab.expect(left(lab)[0].endswith("TTL 32"), "and the TTL that left is the program's")
    lab.expect("it is not asked" in kernel.console, "a kernel that asks nobody refuses such rules")


@step("changed", points=2)
def changed(lab: Lab) -> None:
    begin(lab, "ukshm", "lie", "2", program="mortal")
    copy = lab.fork()
    liar = offered(copy, udp(f"{INSIDE}:3001", NAMES))
    lab.ask(
        "A program may alter what it examines. `mortal lie 2` fills the first packet that comes to FORWARD with "
        "bytes of 255, header and all, and answers ACCEPT, with the right number and the right length. What "
        "does the kernel do?",
        choices=[
            "it sends 33 bytes of 255: the firewall has decided",
            "it drops the packet",
            "it sends the packet as it was: it kept a copy",
            "it crashes: its code walks a header that is none",
        ],
        answer=1 if liar == "dropped: changed" else 0,
        hint="What had the kernel checked when the packet came in, and what of that still holds?",
    )
    ends = [offered(lab, udp(f"{INSIDE}:{port}", NAMES)) for port in (3001, 3002)]
    lab.step(A_WHILE)
    lab.show(
        Text("Two packets:", (f"the first   {ends[0]}", f"the second  {ends[1]}")),
        Text("What left through eth1:", tuple(left(lab))),
    )
    lab.expect(ends[0] == "dropped: changed", "a packet that is none any more is dropped")
    lab.expect(ends[1] == "sent", "and the next one passes")
    lab.expect(len(left(lab)) == 1 and "3002" in left(lab)[0], "nothing of the first one left")
    lab.expect(lab.ended is None, "the kernel lives")
