# SPDX-License-Identifier: GPL-2.0-or-later
"""Lesson "verdict": copy, map or ring, in the kernel or out of it: what packets cost, counted; and what came after."""

from collections.abc import Callable
from dataclasses import dataclass, field

from emu.events import Event, Marked, SyscallEntered
from emu.lesson import Kind, Lab, Text, happened, step
from emu.lesson.packet_costs import PacketCosts
from emu.lesson.wire import udp

HEADERS = 28
"""Bytes of an IPv4 and a UDP header."""
PATHS = ("kernel", "copy", "ukshm", "ring")
ASKING = PATHS[1:]
"""The paths that ask a program."""
SMALL, MIDDLE, LARGE = 64, 512, 1500
"""Bytes of a packet from its IPv4 header on; the last is the largest that an Ethernet frame takes."""
BATCHES = (1, 4, 16)
ROUNDS = 8
RING_ROUNDS = 32
"""Packets that are measured. For the ring a whole turn of the card's 32 pages: to find a page among them takes longer
for one than for another."""
WARM = 3
"""Packets before the count begins: pages are touched, neighbours are known."""
MOST_COLD = 60
TIMER = 32
"""The vector of the timer's interrupt."""
PAGE = 4096
FAR = (PAGE, 2 * PAGE, 3 * PAGE)
"""Sizes beyond any frame, for the lines that are drawn on."""
BAR, PLOT = 40, 56


def setup(lab: Lab) -> None:
    start(lab, "ukshm")


# -- measuring --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """What a packet cost, as a mean over `packets` of them. `cycles` comes of the cost model, all else is counted."""

    packets: int
    instructions: float
    cycles: float
    accesses: float
    misses: float
    """Level-1 TLB misses, those that level 2 answered and those that walked."""
    walks: float
    invalidations: float
    rings: float

    def row(self, name: str) -> str:
        """The cost as a row under HEAD."""
        return (
            f"{name:<17}{self.instructions:>8,.0f}{'~' + format(self.cycles, ',.0f'):>9}{self.accesses:>10,.0f}"
            f"{self.misses:>8.1f}{self.walks:>7.1f}{self.invalidations:>8.1f}{self.rings:>7.1f}"
        )


HEAD = f"{'a packet':<17}{'instr.':>8}{'cycles':>9}{'accesses':>10}{'misses':>8}{'walks':>7}{'INVLPG':>8}{'rings':>7}"


def listens(path: str, event: Event) -> bool:
    """Whether the firewall of that path is ready for packets from this event on."""
    if path == "kernel":
        return isinstance(event, Marked) and event.name == "firewall_rules"
    if not isinstance(event, SyscallEntered):
        return False
    if path == "copy":
        return event.name == "SYS_pkt_recv"
    return event.name == "SYS_ukshm_register" and event.result is not None


def start(lab: Lab, path: str) -> None:
    """Boot a firewall with one rule on that path, up to where it is ready."""
    lab.boot(
        "firewall",
        "-A",
        "FORWARD",
        "-j",
        "ACCEPT",
        switches={"firewall.path": path},
        network=True,
        memory_mib=8,
    )
    lab.run_until(lambda event: listens(path, event))
    rest(lab)


def rest(lab: Lab) -> None:
    """Until everybody waits again, and the timer has just ticked: no tick falls into what comes next."""
    for _ in range(2):
        lab.run_until(happened(Kind.INTERRUPT, vector=TIMER))


def send(lab: Lab, count: int, size: int) -> None:
    """Let `count` packets arrive at once, and run until each has met its fate and everybody rests."""
    for number in range(count):
        lab.inject(udp(f"10.0.0.2:{1024 + number}", "203.0.113.9:53", bytes(size - HEADERS)))
    for _ in range(count):
        lab.run_until(happened(Kind.MARK, name="packet_end"))
    rest(lab)


@dataclass
class Bench:
    """A warm machine with a firewall on one path, and what packets cost there."""

    lab: Lab
    path: str
    costs: PacketCosts = field(init=False)
    cold: Cost | None = None
    """What a packet cost while the ring did not yet have the card's pages; None on other paths."""

    def __post_init__(self) -> None:
        start(self.lab, self.path)
        self.costs = PacketCosts(self.lab.machine, self.lab.booted.kernel.symbols)
        for _ in range(WARM):
            send(self.lab, 1, LARGE)
        if self.path == "ring":
            self.cold = self.measure(SMALL, rounds=4)
            self.warm_the_ring()

    def copies(self) -> int:
        """How many packets the kernel has had to copy into the ring so far."""
        return self.lab.value("ring.copies")

    def warm_the_ring(self) -> None:
        """On until no packet has to be copied into the ring any more: all pages that the card gets are the ring's."""
        for _ in range(MOST_COLD // 4):
            before = self.copies()
            for _ in range(4):
                send(self.lab, 1, SMALL)
            if self.copies() == before:
                return

    def measure(self, size: int, batch: int = 1, rounds: int = 0) -> Cost:
        """What a packet of `size` bytes costs when `batch` of them arrive at once."""
        before, came = self.costs.total(), self.costs.came_in
        rounds = rounds or max(2, (RING_ROUNDS if self.path == "ring" else ROUNDS) // batch)
        for _ in range(rounds):
            send(self.lab, batch, size)
        count = self.costs.came_in - came
        spent = {name: (value - before[name]) / count for name, value in self.costs.total().items()}

        def together(*ends: str) -> float:
            return sum(value for name, value in spent.items() if name.endswith(ends))

        return Cost(
            count,
            spent["instructions"],
            spent["cycles.model"],
            together("accesses.read", "accesses.write"),
            together("STLB_HIT", "MISS_CAUSES_A_WALK"),
            together("MISS_CAUSES_A_WALK"),
            spent["invalidations"],
            spent["ring_changes"],
        )


def dearest_last(costs: dict[str, Cost]) -> list[str]:
    """The paths, the cheapest first, by instructions."""
    return sorted(costs, key=lambda path: costs[path].instructions)


def bars(title: str, costs: dict[str, float]) -> Text:
    """A row of signs for each number, the longest for the largest."""
    most = max(costs.values())
    rows = [f"{name:<22}{value:>9,.0f}  {'#' * round(BAR * value / most)}" for name, value in costs.items()]
    return Text(title, tuple(rows))


def grid(what: str, table: dict[int, dict[str, Cost]], unit: str, number: Callable[[Cost], str]) -> list[str]:
    """A row for each path, a column for each size or batch."""
    head = f"{what:<22}" + "".join(f"{f'{column:,} {unit}':>14}" for column in table)
    return [
        head,
        *(
            f"{path:<22}" + "".join(f"{number(costs[path]):>14}" for costs in table.values())
            for path in PATHS
        ),
    ]


def instructions(cost: Cost) -> str:
    """The instructions a packet, as text."""
    return f"{cost.instructions:,.0f}"


# -- steps ------------------------------------------------------------------------------------------------------------


@step("one-packet", points=2)
def one_packet(lab: Lab) -> None:
    for _ in range(WARM):
        send(lab, 1, SMALL)
    seq = lab.machine.journal.seq
    lab.say(
        f"The path `ukshm`, warm: {WARM} packets have passed. Now one more, of {SMALL} bytes, with one rule: "
        "`-A FORWARD -j ACCEPT`."
    )
    forked = lab.fork()
    send(forked, 1, SMALL)
    events = forked.events.since(seq)
    maps = len(events.of(Kind.MARK, name="ukshm_map"))
    calls = [e for e in events.of(Kind.SYSCALL) if isinstance(e, SyscallEntered) and e.result is None]
    lab.ask(
        '"Without copying ram or using syscalls", says the letter (john moser, 2003-12-07). How many system calls does '
        "the program make for this one packet?",
        choices=["none", "one", "two", "more"],
        answer=min(3, len(calls)),
        hint="How does a handler tell the kernel what it has decided? And what does the program do when it has?",
    )
    lab.ask(
        "And how often does the kernel write the entry of a page table to show the program the packet, and to take it "
        "back?",
        choices=[
            "never: the page stays mapped",
            "twice: once each way",
            "eight times: at four levels, each way",
        ],
        answer={0: 0, 1: 1}.get(maps, 2),
        hint="The upper tables of the window are there from the packet before. Which entry changes?",
    )
    send(lab, 1, SMALL)
    wanted = ("packet_in", "ukshm_map", "ukshm_unmap", "verdict", "packet_end")
    shown = [
        event
        for event in lab.events.since(seq)
        if event.kind in (Kind.UPCALL, Kind.INVALIDATE)
        or (isinstance(event, SyscallEntered) and event.result is None)
        or (isinstance(event, Marked) and event.name in wanted)
    ]
    rows = [f"{event.insn - shown[0].insn:>6,}  ring {event.cpl}  {described(event)}" for event in shown]
    lab.show(Text("Instructions since the packet came in, and what happened:", tuple(rows)))
    names = [call.name for call in calls]
    lab.expect(names.count("SYS_ukshm_ack") == 1, "one system call for the answer")
    lab.expect(len(names) == 2, "and one more, to wait for what comes next")
    lab.expect(maps == 1, "the page is mapped once, and unmapped once")
    lab.expect(len(lab.events.since(seq).of(Kind.INVALIDATE)) == 1, "and invalidated once")


def described(event: Event) -> str:
    """An event of a packet's life in a word or two."""
    if event.kind is Kind.INVALIDATE:
        return "INVLPG"
    if isinstance(event, SyscallEntered):
        return f"system call: {event.name.removeprefix('SYS_')}"
    return "the kernel calls the program" if event.kind is Kind.UPCALL else str(getattr(event, "name", ""))


@step("four-designs", points=2)
def four_designs(lab: Lab) -> None:
    lab.notes.benches = {path: Bench(lab.beside(), path) for path in PATHS}
    costs = {path: bench.measure(SMALL) for path, bench in lab.notes.benches.items()}
    lab.notes.small = costs
    ranked = dearest_last({path: costs[path] for path in ASKING})
    lab.say(
        f"Four machines, one a design. Packets of {SMALL} bytes, one at a time, {costs['copy'].packets} of them behind "
        "enough others to warm everything. What is counted is all that the machine does while the guest holds a "
        "packet; cycles (`~`) are not counted, they come of the cost model of this TLB geometry."
    )
    lab.ask(
        "The rules in the kernel itself are the cheapest, of course. Of the three designs that ask a program, which "
        "costs the most instructions for such a packet?",
        choices=[
            "copy: two system calls, and the bytes move",
            "ukshm: map, call, unmap",
            "ring: all pages stay mapped",
        ],
        answer=ASKING.index(ranked[-1]),
        hint="How many eight-byte words are in the packet? And how many lines had the list of the step before?",
    )
    lab.ask(
        "Which of the four invalidates?",
        choices=["all that ask a program", "ukshm and ring: they map", "ukshm alone", "none"],
        answer={(False, True, True): 1, (False, True, False): 2, (False, False, False): 3}.get(
            tuple(costs[path].invalidations > 0 for path in ASKING), 0
        ),
        hint="When does an entry have to leave the TLB? Which of the designs ever takes a page away?",
    )
    lab.show(
        Text(f"{SMALL} bytes, one at a time:", (HEAD, *(costs[path].row(path) for path in PATHS))),
        bars("Instructions a packet:", {path: costs[path].instructions for path in PATHS}),
    )
    lab.expect(dearest_last(costs)[0] == "kernel", "nothing is cheaper than not to ask")
    lab.expect(
        costs["ukshm"].instructions > costs["copy"].instructions,
        "for a small packet, to map and unmap costs more instructions than to copy",
    )
    lab.expect(costs["ukshm"].cycles > costs["copy"].cycles, "and more cycles, by the model")
    lab.expect(
        costs["ukshm"].instructions > costs["ring"].instructions,
        "to leave the pages mapped costs less than that",
    )
    lab.expect(
        [round(costs[path].invalidations, 1) for path in PATHS] == [0, 0, 1, 0],
        "ukshm alone invalidates: once for each packet",
    )


@step("where-it-goes", points=2)
def where_it_goes(lab: Lab) -> None:
    full, copy = lab.notes.small["ukshm"], lab.notes.small["copy"]
    bench: Bench = lab.notes.benches["ukshm"]
    spared: dict[str, Cost] = {}
    for name, switches in {
        "not invalidated": ("ukshm.invalidate",),
        "not cleared": ("ukshm.zero",),
        "neither": ("ukshm.invalidate", "ukshm.zero"),
    }.items():
        for switch in switches:
            bench.lab.set_switch(switch, "none" if switch == "ukshm.invalidate" else "off")
        send(bench.lab, 1, SMALL)
        spared[name] = bench.measure(SMALL)
        for switch in switches:
            bench.lab.set_switch(switch, "all" if switch == "ukshm.invalidate" else "on")
    lab.notes.neither = spared["neither"]
    saved = {name: full.instructions - cost.instructions for name, cost in spared.items()}
    lab.ask(
        "Two things that ukshm does could be left out, at the price that earlier lessons have shown: the invalidation, "
        "and the clearing of what else is on the page before a program sees it. Which of the two takes more "
        "instructions?",
        choices=["the invalidation", "the clearing"],
        answer=int(saved["not cleared"] > saved["not invalidated"]),
        hint=f"INVLPG is one instruction. How many eight-byte words has a page, without {SMALL} bytes?",
    )
    lab.ask(
        "With both left out, which nobody should do: does ukshm cost fewer instructions than the copy then?",
        choices=["yes", "no"],
        answer=0 if spared["neither"].instructions < copy.instructions else 1,
        hint="What is left: a place in the address space, an entry, notes in the frame table, a frame for the upcall, "
        "and all of it back again.",
    )
    rows = (HEAD, full.row("ukshm"), *(cost.row(name) for name, cost in spared.items()), copy.row("copy"))
    lab.show(
        Text(f"ukshm, {SMALL} bytes, and what might be left out:", rows),
        bars(
            "Instructions a packet:",
            {
                "asking at all (copy)": copy.instructions,
                "ukshm, neither": spared["neither"].instructions,
                "ukshm": full.instructions,
            },
        ),
    )
    lab.expect(
        saved["not cleared"] > saved["not invalidated"], "to clear takes more instructions than to invalidate"
    )
    lab.expect(
        spared["not invalidated"].invalidations == 0, "without the invalidation there is none in the count"
    )
    lab.expect(spared["not invalidated"].cycles < full.cycles, "by the model, not to invalidate saves cycles")
    lab.expect(
        spared["neither"].instructions > copy.instructions,
        "even stripped of its safety it costs more instructions than the copy",
    )


@step("sizes", points=3)
def sizes(lab: Lab) -> None:
    table = {SMALL: lab.notes.small}
    for size in (MIDDLE, LARGE):
        table[size] = {path: bench.measure(size) for path, bench in lab.notes.benches.items()}
    lab.notes.large = table[LARGE]
    grows = {path: table[LARGE][path].instructions - table[SMALL][path].instructions for path in PATHS}
    dearer = tuple(path for path in PATHS if grows[path] > 1)
    lab.ask(
        f"From {SMALL} to {LARGE:,} bytes: which of the designs get dearer?",
        choices=["copy alone", "copy and ring", "copy, ring and ukshm", "all four"],
        answer={("copy",): 0, ("copy", "ring"): 1, ("copy", "ukshm", "ring"): 2}.get(dearer, 3),
        hint="Who touches all bytes of a packet? The one rule looks at the header alone.",
    )
    lab.ask(
        "And ukshm?",
        choices=["it stays as it is", "it gets cheaper", "it gets dearer"],
        answer=1 if grows["ukshm"] < -1 else 2 if grows["ukshm"] > 1 else 0,
        hint="What takes most of its instructions? And what of the page is *not* cleared?",
    )
    lab.show(
        Text("One packet at a time:", tuple(grid("instructions a packet", table, "bytes", instructions))),
        bars(f"{LARGE:,} bytes:", {path: table[LARGE][path].instructions for path in PATHS}),
    )
    both, level = meeting(table, "ukshm"), meeting_if_level(table)
    ring = meeting(table, "ring")
    lab.ask(
        "Draw the lines of copy and ukshm through your points, and on. Where does ukshm become the cheaper one? (An "
        f"Ethernet frame holds packets of at most {LARGE:,} bytes.)",
        choices=["at some size within a frame", "beyond a frame, or never"],
        answer=0 if both <= LARGE else 1,
        hint=f"How far apart are they at {LARGE:,} bytes, and how much did the gap shrink since {SMALL}?",
    )
    lab.show(plot(table))
    lab.show(
        Text(
            "Where lines would meet, drawn on through what was counted:",
            (
                f"copy and ring                 {where(ring)}",
                f"copy and ukshm                {where(both)}",
                f"the same, were ukshm level    {where(level)}",
            ),
        )
    )
    lab.expect(abs(grows["kernel"]) < 1, "who does not touch the payload does not mind its size")
    lab.expect(abs(grows["ring"]) < 1, "nor does the ring, once the card fills pages of the ring")
    lab.expect(
        table[SMALL]["copy"].instructions
        < table[MIDDLE]["copy"].instructions
        < table[LARGE]["copy"].instructions,
        "a copy costs more, the more there is to copy",
    )
    lab.expect(
        grows["ukshm"] < 0, "ukshm does not: it even gets cheaper, since less of the page is to be cleared"
    )
    lab.expect(
        all(costs["ukshm"].instructions > costs["copy"].instructions for costs in table.values()),
        "at no size that was measured does ukshm cost fewer instructions than the copy",
    )
    lab.expect(both > LARGE, "the lines of copy and ukshm meet beyond one Ethernet frame")
    lab.expect(ring < LARGE, "those of copy and ring meet within one")


def meeting(table: dict[int, dict[str, Cost]], path: str) -> float:
    """At how many bytes the lines of copy and of `path` meet, drawn through SMALL and LARGE; infinity if never."""
    gap = {size: table[size][path].instructions - table[size]["copy"].instructions for size in (SMALL, LARGE)}
    shrinks = (gap[SMALL] - gap[LARGE]) / (LARGE - SMALL)
    return LARGE + gap[LARGE] / shrinks if shrinks > 0 else float("inf")


def line(table: dict[int, dict[str, Cost]], path: str, size: int) -> float:
    """The instructions of a packet of `size` bytes: counted, or on the line through SMALL and LARGE.

    ukshm is drawn level behind LARGE: there is little left of its page that would not have to be cleared.
    """
    if size in table:
        return table[size][path].instructions
    first, last = table[SMALL][path].instructions, table[LARGE][path].instructions
    return last if path == "ukshm" else last + (last - first) / (LARGE - SMALL) * (size - LARGE)


def meeting_if_level(table: dict[int, dict[str, Cost]]) -> float:
    """Where copy and ukshm meet if ukshm costs for larger packets what it costs for the largest measured."""
    grows = (table[LARGE]["copy"].instructions - table[SMALL]["copy"].instructions) / (LARGE - SMALL)
    return LARGE + (table[LARGE]["ukshm"].instructions - table[LARGE]["copy"].instructions) / grows


def plot(table: dict[int, dict[str, Cost]]) -> Text:
    """A line of signs for each size: the further to the right, the more instructions."""
    points = {size: {path: line(table, path, size) for path in ASKING} for size in (*table, *FAR)}
    values = [value for costs in points.values() for value in costs.values()]
    low, high = min(values), max(values)
    rows: list[str] = []
    for size, costs in points.items():
        signs = [" "] * (PLOT + 1)
        for path, value in costs.items():
            signs[round(PLOT * (value - low) / (high - low))] = path[0]
        rows.append(f"{size:>6,} bytes {' ' if size in table else '~'}|{''.join(signs).rstrip()}")
    return Text(
        f"c copy, r ring, u ukshm, from {low:,.0f} to {high:,.0f} instructions; ~: drawn on:",
        tuple(rows),
    )


def where(size: float) -> str:
    """A size at which lines meet, with what it means."""
    if size == float("inf"):
        return "never"
    beyond = "within a frame" if size <= LARGE else f"beyond a frame; {size / PAGE:.1f} pages"
    return f"~{max(size, 0):,.0f} bytes ({beyond})"


@step("batches", points=2)
def batches(lab: Lab) -> None:
    table = {1: lab.notes.small}
    for batch in BATCHES[1:]:
        table[batch] = {path: bench.measure(SMALL, batch) for path, bench in lab.notes.benches.items()}
    most = BATCHES[-1]
    first, last = table[1], table[most]
    lab.notes.batched = last
    saved = {path: first[path].instructions - last[path].instructions for path in PATHS}
    lab.ask(
        f"{most} packets arrive at once. Compared with one at a time, for which design does a packet get cheapest?",
        choices=list(PATHS),
        answer=PATHS.index(max(PATHS, key=lambda path: saved[path])),
        hint="Which program can answer several questions before it goes to the kernel again?",
    )
    lab.ask(
        f"How many invalidations does ukshm make for {most} packets that come at once?",
        choices=["one, for all of them", f"{most}: one for each", "none"],
        answer=1 if last["ukshm"].invalidations > 0.9 else 0 if last["ukshm"].invalidations else 2,
        hint="Each packet lies in a page of its own, and is taken back when its own answer comes.",
    )
    lab.show(
        Text(
            f"Packets of {SMALL} bytes:",
            (
                *grid("instructions a packet", table, "at once", instructions),
                "",
                *grid("changes of ring", table, "at once", lambda cost: f"{cost.rings:.1f}"),
                "",
                *grid("cycles, by the model", table, "at once", lambda cost: f"~{cost.cycles:,.0f}"),
            ),
        ),
        bars(f"Instructions a packet, {most} at once:", {path: last[path].instructions for path in PATHS}),
    )
    lab.expect(
        max(PATHS, key=lambda path: saved[path]) == "ring", "it is the ring that gains most by a batch"
    )
    lab.expect(
        last["ring"].instructions < last["copy"].instructions, f"{most} at once, it costs less than copying"
    )
    lab.expect(last["ring"].rings < 1, "less than one change of ring a packet: the system calls are shared")
    lab.expect(last["copy"].rings >= 4, "the copying path makes its two calls for each, however many come")
    lab.expect(
        last["ukshm"].invalidations > 0.9, "to map gains nothing by a batch: each page is taken back singly"
    )
    lab.expect(dearest_last(last)[-1] == "ukshm", "ukshm remains the dearest")


@step("what-came-after", points=2)
def what_came_after(lab: Lab) -> None:
    small, batched = lab.notes.small, lab.notes.batched
    cold: Cost = lab.notes.benches["ring"].cold
    gains = {
        "pages are mapped": small["copy"].instructions - cold.instructions,
        "buffers are ready": cold.instructions - small["ring"].instructions,
        "many at once": small["ring"].instructions - batched["ring"].instructions,
    }
    lab.ask(
        "netmap (2012) sends 14.88 million packets a second with one core at 900 MHz, through buffers that are mapped "
        "into the program. Its authors list four techniques in their order of importance. Which comes last?",
        choices=[
            "many packets for one system call",
            "lean drivers",
            "buffers made beforehand",
            "memory that is mapped",
        ],
        answer=3,
        hint="Which of your tables showed the ring's gain over one packet at a time?",
    )
    lab.ask(
        f"Your own machines have three of the four. How many instructions does a packet of {SMALL} bytes save because "
        "pages are mapped for good, and for no other reason: the ring with pages that the card does not know yet, "
        "against the copy?",
        choices=["more than by the other two together", "less than that, but some", "none: it costs more"],
        answer=(
            2
            if gains["pages are mapped"] <= 0
            else 0
            if gains["pages are mapped"] > gains["buffers are ready"] + gains["many at once"]
            else 1
        ),
        hint="If the packet does not lie in the ring's pages, it has to come there. How?",
    )
    lab.ask(
        "AF_XDP, in Linux since 2018: a region of memory that stays mapped, and four rings between kernel and program. "
        "What goes through the rings?",
        choices=["the packets' bytes", "the right to use a buffer", "entries of page tables"],
        answer=1,
        hint="The bytes lie in the region. What must both sides agree on for each piece of it?",
    )
    lab.show(
        Text(
            f"{SMALL} bytes, from copy to ring, instructions a packet that are saved because",
            tuple(f"{why:<20}{gain:>+8,.0f}" for why, gain in gains.items()),
        ),
        Text("What was built:", BUILT),
    )
    lab.expect(
        gains["pages are mapped"] < gains["buffers are ready"]
        and gains["pages are mapped"] < gains["many at once"],
        "to map pages is what gains least; buffers that are ready, and batches, gain more",
    )
    lab.expect(
        batched["ring"].instructions < small["copy"].instructions,
        "all three together are cheaper than the copy",
    )


BUILT = (
    "2001  QUEUE (ip_queue)  copied through a socket, the verdict back   copy",
    "2003  the letter        the page is mapped, and unmapped            ukshm",
    "2005  NFQUEUE           copied, through one of many queues          copy",
    "2012  netmap            mapped once, many packets a call            ring",
    "2017  MSG_ZEROCOPY      the program's pages are lent and noted      ukshm",
    "2018  AF_XDP            mapped once, ownership goes through rings   ring",
    "2019  io_uring          requests and results in two shared rings    ring",
)
"""Year, name, how the bytes reach the other side, and which of the four designs it is like."""


@step("was-he-right", points=1)
def was_he_right(lab: Lab) -> None:
    small, large, batched = lab.notes.small, lab.notes.large, lab.notes.batched
    lab.ask(
        'The letter promises the firewall in a process "with the only performance hit and complications being that of '
        'moving CODE from kernel space to userspace" (john moser, 2003-12-07). What do your tables say?',
        choices=[
            "it is so: what remains is the price of the code's new place",
            "it is not so: to map, to clear and to take back costs more than the copy that it saves",
            "it depends on the packet's size",
        ],
        answer=1
        if all(costs["ukshm"].instructions > costs["copy"].instructions for costs in (small, large))
        else 2,
        hint="Compare copy and ukshm: at the smallest size, and at the largest.",
    )
    lab.ask(
        "And in which direction has the border between kernel and program moved since 2018, for security?",
        choices=[
            "more is shared: processors have become safe enough",
            "less is shared: a kernel hides its memory from programs, and theirs from itself",
            "it has not moved",
        ],
        answer=1,
        hint="SMAP was in the lesson on rights. What would a kernel need a second set of page tables for?",
    )
    rows = [
        f"{name:<34}{value:>8,.0f}"
        for name, value in {
            f"kernel, {SMALL} bytes": small["kernel"].instructions,
            f"ring, {BATCHES[-1]} at once, {SMALL} bytes": batched["ring"].instructions,
            f"copy, {SMALL} bytes": small["copy"].instructions,
            f"copy, {LARGE:,} bytes": large["copy"].instructions,
            f"ukshm, {LARGE:,} bytes": large["ukshm"].instructions,
            f"ukshm, {SMALL} bytes": small["ukshm"].instructions,
        }.items()
    ]
    lab.show(Text("Instructions a packet, the whole lesson:", tuple(rows)))
    lab.expect(
        small["kernel"].instructions
        < batched["ring"].instructions
        < small["copy"].instructions
        < large["copy"].instructions
        < large["ukshm"].instructions
        < small["ukshm"].instructions,
        "kernel, ring with batches, copy, ukshm: in this order",
    )
