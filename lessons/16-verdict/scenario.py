# SPDX-License-Identifier: GPL-2.0-or-later
"""Lesson "verdict": copy, map or ring, in the kernel or out of it: what packets cost, counted; and what came after."""

from dataclasses import dataclass

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from emu.events import Event, Marked, SyscallEntered
from emu.lesson import Kind, Lab, Text, happened, step
from emu.lesson.packet_costs import PacketCosts

GUEST, HOST = "52:54:00:12:34:56", "02:00:0a:00:00:02"
HEADERS = 28
"""Bytes of an IPv4 and a UDP header."""
PATHS = ("kernel", "copy", "ukshm", "ring")
SMALL, MIDDLE, LARGE = 64, 512, 1500
BATCHES = (1, 4, 16)
WARM = 3
"""Packets before the count begins: pages are touched, neighbours are known."""
ROUNDS = 8
PAGE = 4096
ETH0 = 1


def setup(lab: Lab) -> None:
    start(lab, "ukshm")


# -- measuring --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """What a packet cost, as a mean over `packets` of them. `cycles` comes of the cost model, all else is counted."""

    packets: int
    instructions: float
    cycles: float
    ring_changes: float
    invalidations: float
    walks: float

    def row(self, name: str) -> str:
        """The cost as a row under HEAD."""
        return (
            f"{name:<22} {self.instructions:>9,.1f} {'~' + format(self.cycles, ',.0f'):>8} "
            f"{self.ring_changes:>7.1f} {self.invalidations:>7.1f} {self.walks:>7.1f}"
        )


HEAD = f"{'for each packet':<22} {'instr.':>9} {'cycles':>8} {'rings':>7} {'INVLPG':>7} {'walks':>7}"


def packet(number: int, size: int) -> Ether:
    """A datagram of `size` bytes from its IPv4 header on, from a host inside to one far away."""
    return (
        Ether(src=HOST, dst=GUEST)
        / IP(src="10.0.0.2", dst="203.0.113.9", id=number)
        / UDP(sport=1000, dport=53)
        / bytes(size - HEADERS)
    )


def listens(path: str, event: Event) -> bool:
    """Whether the firewall of that path is ready for packets from this event on."""
    if path == "kernel":
        return isinstance(event, Marked) and event.name == "firewall_rules"
    if not isinstance(event, SyscallEntered):
        return False
    return (
        event.name == "SYS_pkt_recv"
        if path == "copy"
        else (event.name == "SYS_ukshm_register" and event.result is not None)
    )


def start(lab: Lab, path: str, **switches: str) -> None:
    """Boot a firewall with one rule on that path, up to where it is ready."""
    words = {name.replace("__", "."): value for name, value in switches.items()}
    lab.boot(
        "firewall", "-A", "FORWARD", "-j", "ACCEPT", switches={"firewall.path": path, **words}, network=True
    )
    lab.run_until(lambda event: listens(path, event))


def came_in(lab: Lab) -> set[object]:
    """The numbers of the packets that came in by eth0."""
    marks = lab.events.of(Kind.MARK, name="packet_in")
    return {
        mark.arguments["id"]
        for mark in marks
        if isinstance(mark, Marked) and mark.arguments["interface"] == ETH0
    }


def send(lab: Lab, count: int, size: int) -> None:
    """Let `count` packets arrive at once, and run until each has met its fate."""
    seq = lab.machine.journal.seq
    for number in range(count):
        lab.inject(packet(1 + number, size))
    ended = 0
    while ended < count:
        lab.run_until(happened(Kind.MARK, name="packet_end"))
        mark = lab.events[-1]
        assert isinstance(mark, Marked)
        ended += mark.arguments["id"] in came_in(lab) and mark.seq > seq


def measure(lab: Lab, path: str, size: int, batch: int = 1, **switches: str) -> Cost:
    """On a machine of its own: what a packet costs when `batch` of `size` bytes arrive at once."""
    other = lab.beside()
    start(other, path, **switches)
    for _ in range(WARM):
        send(other, 1, size)
    send(other, batch, size)
    costs = PacketCosts(other.machine, other.booted.kernel.symbols)
    for _ in range(max(2, ROUNDS // batch)):
        send(other, batch, size)
    total, count = costs.total(), costs.came_in
    walks = sum(value for name, value in total.items() if name.endswith("MISS_CAUSES_A_WALK"))
    values = (
        total["instructions"],
        total["cycles.model"],
        total["ring_changes"],
        total["invalidations"],
        walks,
    )
    return Cost(count, *(value / count for value in values))


def order(costs: dict[str, Cost]) -> list[str]:
    """The paths, the cheapest first, by instructions."""
    return sorted(costs, key=lambda path: costs[path].instructions)


# -- steps ------------------------------------------------------------------------------------------------------------


@step("one-packet", points=2)
def one_packet(lab: Lab) -> None:
    for _ in range(WARM):
        send(lab, 1, SMALL)
    seq = lab.machine.journal.seq
    lab.say(
        f"The path `ukshm`, warm: three packets have passed. One more of {SMALL} bytes, with one rule: FORWARD, ACCEPT. "
        "These are all the notable things that the machine does for it."
    )
    forked = lab.fork()
    send(forked, 1, SMALL)
    changes = len(forked.events.since(seq).of(Kind.MARK, name="ukshm_map"))
    syscalls = [
        event
        for event in forked.events.since(seq).of(Kind.SYSCALL)
        if isinstance(event, SyscallEntered) and event.result is None
    ]
    lab.ask(
        '"Without copying ram or using syscalls", says the letter (john moser, 2003-12-07). How many system calls does '
        "the program make for this one packet?",
        choices=["none", "one: the acknowledgement", "two or more"],
        answer=min(2, len(syscalls)),
        hint="How does a handler return to the kernel?",
    )
    lab.ask(
        "And how many page-table entries does the kernel write to show the program the packet and to take it back?",
        choices=["none: the page stays mapped", "one, twice", "four, twice: one at each level"],
        answer=1 if changes == 1 else 0 if not changes else 2,
        hint="The upper tables of the window are there from the packet before. Which entry changes?",
    )
    send(lab, 1, SMALL)
    wanted = ("packet_in", "ukshm_map", "ukshm_unmap", "verdict", "packet_end")
    events = [
        event
        for event in lab.events.since(seq)
        if event.kind in (Kind.UPCALL, Kind.ACK, Kind.INVALIDATE)
        or (isinstance(event, Marked) and event.name in wanted)
    ]
    first = events[0].insn
    rows = tuple(
        f"{event.insn - first:>6,}  ring {event.cpl}  {getattr(event, 'name', None) or event.kind}"
        for event in events
    )
    lab.show(Text("Instructions since the packet was there, and what happened:", rows))
    lab.expect(len(syscalls) == 1, "one system call for the packet: not none, and not two")
    lab.expect(changes == 1, "the page is mapped once, and unmapped once")
    lab.expect(
        len(lab.events.since(seq).of(Kind.INVALIDATE)) == 1, "one invalidation, and it cannot be left out"
    )


@step("four-designs", points=2)
def four_designs(lab: Lab) -> None:
    costs = {path: measure(lab, path, SMALL) for path in PATHS}
    lab.notes.small = costs
    ranked = order(costs)
    lab.say(
        f"Now the same with each of the four designs: packets of {SMALL} bytes, one at a time, {costs['copy'].packets} of "
        "them behind three that warm everything. Counted is all that the machine does while the guest holds a packet."
    )
    lab.ask(
        "The rules in the kernel itself are the cheapest, of course. Which of the other three costs the fewest "
        "instructions for such a packet?",
        choices=[
            "copy: two copies, two system calls",
            "ukshm: map, call, unmap",
            "ring: nothing is mapped, nothing moves",
        ],
        answer=PATHS.index(ranked[1]) - 1 if ranked[0] == "kernel" else 0,
        hint="How many words are 64 bytes? And how many things happened in the list of the step before?",
    )
    lab.ask(
        "And which costs the most?",
        choices=["copy", "ukshm", "ring"],
        answer=PATHS.index(ranked[-1]) - 1,
        hint="Which of them does something with a page, all of it, for every packet?",
    )
    lab.show(
        Text(f"{SMALL} bytes, one packet at a time:", (HEAD, *(costs[path].row(path) for path in PATHS)))
    )
    lab.expect(ranked[0] == "kernel", "nothing is cheaper than not to ask")
    lab.expect(
        costs["ukshm"].instructions > costs["copy"].instructions,
        "for small packets, to map and unmap costs more than to copy: the letter's central claim is wrong",
    )
    lab.expect(
        costs["ukshm"].instructions > costs["ring"].instructions,
        "to leave the pages mapped costs less than that",
    )
    lab.expect(
        costs["ukshm"].invalidations >= 1
        and not costs["copy"].invalidations
        and not costs["ring"].invalidations,
        "only ukshm invalidates, once for each packet",
    )


@step("where-it-goes", points=2)
def where_it_goes(lab: Lab) -> None:
    full = lab.notes.small["ukshm"]
    parts = {
        "ukshm.invalidate=none": measure(lab, "ukshm", SMALL, ukshm__invalidate="none"),
        "ukshm.zero=off": measure(lab, "ukshm", SMALL, ukshm__zero="off"),
    }
    without = measure(lab, "ukshm", SMALL, ukshm__zero="off", ukshm__invalidate="none")
    saved = {name: full.instructions - cost.instructions for name, cost in parts.items()}
    copy = lab.notes.small["copy"].instructions
    lab.ask(
        "Two things that ukshm does could be left out, at the price of two earlier lessons: the invalidation, and "
        "clearing what else is on the page before it is shown. Which of them takes more instructions?",
        choices=["the invalidation", "the clearing", "about the same"],
        answer=1 if saved["ukshm.zero=off"] > 2 * abs(saved["ukshm.invalidate=none"]) else 0,
        hint=f"INVLPG is one instruction. How many eight-byte words has a page, without {SMALL} bytes?",
    )
    lab.ask(
        "With both left out, which is not safe any more: is ukshm cheaper than copying then?",
        choices=["yes", "no"],
        answer=0 if without.instructions < copy else 1,
        hint="What is left: the upcall's frame, finding and writing an entry, marks in the frame table, twice.",
    )
    rows = (
        HEAD,
        full.row("ukshm"),
        *(cost.row(name.removeprefix("ukshm.")) for name, cost in parts.items()),
        without.row("both of them"),
        lab.notes.small["copy"].row("copy"),
    )
    lab.show(Text(f"ukshm with {SMALL} bytes, and what is left out:", rows))
    lab.expect(
        saved["ukshm.zero=off"] > 300, "clearing the rest of the page is hundreds of instructions a packet"
    )
    lab.expect(
        abs(saved["ukshm.invalidate=none"]) < 100,
        "INVLPG itself is few instructions; its price is in cycles and walks",
    )
    lab.expect(
        parts["ukshm.invalidate=none"].cycles < full.cycles,
        "by the cost model it is cheaper not to invalidate",
    )
    lab.expect(without.instructions > copy, "without any safety it still costs more instructions than a copy")


@step("sizes", points=3)
def sizes(lab: Lab) -> None:
    table = {SMALL: lab.notes.small}
    for size in (MIDDLE, LARGE):
        table[size] = {path: measure(lab, path, size) for path in PATHS}
    grows = {path: table[LARGE][path].instructions - table[MIDDLE][path].instructions for path in PATHS}
    lab.ask(
        f"From {MIDDLE} to {LARGE} bytes: which of the designs get more expensive?",
        choices=["copy and ring", "copy alone", "all four", "copy, ring and ukshm"],
        answer={("copy", "ring"): 0, ("copy",): 1, PATHS: 2}.get(
            tuple(path for path in PATHS if grows[path] > 1), 3
        ),
        hint="Whose bytes move? A packet that is not in the ring's pages has to come there, once.",
    )
    lab.ask(
        "And ukshm?",
        choices=[
            "it stays the same: the page is mapped, whatever is in it",
            "it gets cheaper",
            "it gets more expensive",
        ],
        answer=1 if grows["ukshm"] < -1 else 2 if grows["ukshm"] > 1 else 0,
        hint="What did the step before find to be its largest part? What of the page is *not* cleared?",
    )
    rows = [f"{'instructions a packet':<22}" + "".join(f"{size:>9} bytes" for size in table)]
    rows += [
        f"{path:<22}" + "".join(f"{costs[path].instructions:>15,.1f}" for costs in table.values())
        for path in PATHS
    ]
    lab.show(Text("One packet at a time:", tuple(rows)))
    crossing = meeting(table)
    lab.notes.crossing = crossing
    pages = crossing / PAGE
    lab.say(
        f"Two points make a line. Drawn on through {MIDDLE} and {LARGE} bytes, the lines of copy and ukshm meet at about "
        f"~{crossing:,.0f} bytes, ~{pages:.1f} pages. That number is drawn, not counted: a packet here has one page."
    )
    lab.ask(
        "What does that say about packets on an Ethernet, whose frames have at most 1,514 bytes?",
        choices=[
            "mapping wins for the large ones",
            "mapping never wins, by this count",
            "nothing: it depends on the firewall's rules",
        ],
        answer=0 if crossing <= LARGE else 1,
        hint="Where do the lines meet?",
    )
    lab.expect(abs(grows["kernel"]) < 1, "who does not touch the payload does not care for its size")
    lab.expect(grows["copy"] > 50, "a copy costs more, the more there is to copy")
    lab.expect(grows["ukshm"] < 0, "ukshm gets cheaper: there is less of the page to clear")
    lab.expect(
        all(costs["ukshm"].instructions > costs["copy"].instructions for costs in table.values()),
        "at no size of a packet does ukshm cost fewer instructions than the copy",
    )
    lab.expect(crossing > LARGE, "the lines meet beyond the largest frame")


def meeting(table: dict[int, dict[str, Cost]]) -> float:
    """At how many bytes the lines of copy and ukshm meet, drawn through their costs at MIDDLE and LARGE."""
    gap = {
        size: table[size]["ukshm"].instructions - table[size]["copy"].instructions for size in (MIDDLE, LARGE)
    }
    slope = (gap[LARGE] - gap[MIDDLE]) / (LARGE - MIDDLE)
    return LARGE - gap[LARGE] / slope


@step("batches", points=2)
def batches(lab: Lab) -> None:
    table = {1: lab.notes.small}
    for batch in BATCHES[1:]:
        table[batch] = {path: measure(lab, path, SMALL, batch) for path in PATHS}
    first, last = table[1], table[BATCHES[-1]]
    saved = {path: first[path].instructions - last[path].instructions for path in PATHS}
    lab.ask(
        f"{BATCHES[-1]} packets arrive at once. For which design does a packet get cheapest, compared with one at a time?",
        choices=list(PATHS),
        answer=PATHS.index(max(PATHS, key=lambda path: saved[path])),
        hint="Which of them can answer several questions before it goes to the kernel again?",
    )
    lab.ask(
        "And does that one now cost less than the copy?",
        choices=["yes", "no"],
        answer=0 if last["ring"].instructions < last["copy"].instructions else 1,
        hint="One at a time it cost more. What was it that it paid for each packet?",
    )
    rows = [f"{'instructions a packet':<22}" + "".join(f"{batch:>10} at once" for batch in table)]
    rows += [
        f"{path:<22}" + "".join(f"{costs[path].instructions:>18,.1f}" for costs in table.values())
        for path in PATHS
    ]
    rows += ["", f"{'changes of ring':<22}" + "".join(f"{batch:>10} at once" for batch in table)]
    rows += [
        f"{path:<22}" + "".join(f"{costs[path].ring_changes:>18,.1f}" for costs in table.values())
        for path in PATHS
    ]
    lab.show(Text(f"Packets of {SMALL} bytes:", tuple(rows)))
    lab.notes.batched = last
    lab.expect(
        first["ring"].instructions > first["copy"].instructions, "one at a time, the ring is no bargain"
    )
    lab.expect(
        last["ring"].instructions < last["copy"].instructions, "sixteen at once, it costs less than copying"
    )
    lab.expect(
        last["ring"].ring_changes < 1, "less than one change of ring a packet: the system calls are shared"
    )
    lab.expect(
        last["copy"].ring_changes > 4,
        "the copying path makes its two system calls for each, however many come",
    )
    lab.expect(
        last["ukshm"].instructions > last["ring"].instructions,
        "mapping each packet remains the most expensive",
    )


@step("what-came-after", points=2)
def what_came_after(lab: Lab) -> None:
    lab.ask(
        "netmap (2012) brought 14.88 million packets a second through one slow core, where a raw socket brought 1.05. Its "
        "memory is mapped into the program, once. What do its authors name as the key to that?",
        choices=[
            "that memory is mapped: nothing is copied",
            "many packets for one system call, buffers made beforehand, lean drivers",
            "faster invalidation of the TLB",
        ],
        answer=1,
        hint="Which of your two tables showed a large gain: that of sizes, or that of batches?",
    )
    lab.ask(
        "AF_XDP, in Linux since 2018: a region of memory that stays mapped, and four rings between the kernel and the "
        "program. What goes through the rings?",
        choices=["the packets' bytes", "the right to use a buffer", "page-table entries"],
        answer=1,
        hint="The bytes lie in the region. What must both sides agree on for each piece of it?",
    )
    designs = (
        "year  what                  how the packet gets to the program       like",
        "2000  QUEUE (ip_queue)      copied through a socket, verdict back    copy",
        "2003  the letter            its page is mapped, and unmapped         ukshm",
        "2005  NFQUEUE               copied; several queues, batches          copy",
        "2012  netmap                pages mapped once, calls for many        ring",
        "2018  AF_XDP                pages mapped once, ownership in rings    ring",
        "2019  io_uring              rings for any system call                ring",
    )
    lab.show(Text("Userspace and packets, by year:", designs))
    lab.ask(
        "And in which direction has the border between kernel and user moved since 2018, for security?",
        choices=[
            "more is shared: processors have become safe enough",
            "less is shared: kernels unmap themselves from programs, and check every access to user pages",
            "it has not moved",
        ],
        answer=1,
        hint="SMAP and SMEP were in the lesson on rights. And why does a kernel give a program a second set of tables?",
    )
    small, batched = lab.notes.small, lab.notes.batched
    mapping = small["copy"].instructions - small["ring"].instructions
    batching = small["ring"].instructions - batched["ring"].instructions
    lab.show(
        Text(
            "From your own tables, instructions a packet:",
            (
                f"copy to ring, one at a time (mapping alone):   {mapping:+8,.1f} saved",
                f"ring, one at a time to sixteen (batching):     {batching:+8,.1f} saved",
            ),
        )
    )
    lab.expect(batching > mapping, "batching saves more than mapping does, as netmap's authors say")
    lab.expect(mapping < 0, "mapping alone, one packet at a time, saves nothing here")


@step("was-he-right", points=1)
def was_he_right(lab: Lab) -> None:
    small = lab.notes.small
    lab.ask(
        'The letter promises the move to user space "with the only performance hit and complications being that of moving '
        'CODE from kernel space to userspace" (john moser, 2003-12-07). What does your first table say?',
        choices=[
            "it is so: the rest is free",
            "it is not so: to map, to invalidate, to clear and to change rings costs more than the copy that it saves",
            "it cannot be measured",
        ],
        answer=1 if small["ukshm"].instructions > small["copy"].instructions else 0,
        hint="Compare the rows kernel, copy and ukshm.",
    )
    rows = (
        "that running past the end lands in user space      right, if pages are exclusive",
        "that the page must not be swapped                  right, and needs a limit",
        "that the kernel can call a program                 right; known since 1991",
        "that its crash need not take the kernel down       right",
        "that a dead firewall means: deny                   right, and others do so",
        "that the CPU handles the TLB by itself             half: filling, not emptying",
        "that unmapping is one act                          no: three, in one order",
        "that no kernel-level checking is needed            only for bounds, not contents",
        "that it spares the overhead                        no: a copy of 1,500 B is cheap",
        "that data transfer is what costs                   no: crossing the border does",
    )
    lab.show(Text("The letter, sentence by sentence:", rows))
    lab.expect(
        small["kernel"].instructions < small["copy"].instructions < small["ukshm"].instructions,
        "kernel, copy, ukshm: in this order, for a small packet",
    )
    lab.expect(
        lab.notes.batched["ring"].instructions < small["ukshm"].instructions / 1.2,
        "what came after him, a ring and many packets at once, is where his idea pays",
    )
