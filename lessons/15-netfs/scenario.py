# SPDX-License-Identifier: GPL-2.0-or-later
"""Lesson "netfs": a file that only a program knows, how one read of it travels, and what goes wrong on the way."""

from collections.abc import Callable
from dataclasses import dataclass

from emu import resources
from emu.bits import PAGE_BYTES, PAGE_SHIFT, hexadecimal
from emu.devices.neighbourhood import neighbour_mac
from emu.devices.network import MACS
from emu.events import Acknowledged, DmaDone, Event, Marked, Returned, SyscallEntered, UpcallMade
from emu.lesson import Call, Kind, Lab, Text, happened, step
from emu.net.datagrams import Datagram, Endpoint, ipv4, read_udp, write_udp
from emu.net.tftp import FIRST_TID, Opcode, packet

OPEN, READ, CLOSE = 0, 1, 3
ENOENT, EIO, ENODEV, ETIMEDOUT = -2, -5, -19, -110
DRIVER, READER = 2, 3
"""Process numbers: `netfs`, and the program that it starts."""
SERVER = ipv4("192.0.2.2")
BLOCK = 1024
"""What the driver asks for, and this server grants."""
FILES = {
    b"office.rules": (resources.guest_sources() / "user" / "rules" / "office.rules").read_bytes(),
    b"long": b"".join(b"line %03d of a file that lies on another machine\n" % n for n in range(100)),
}
RULES, LONG = FILES[b"office.rules"], FILES[b"long"]
LINE = RULES[:48]
"""What is searched for in memory."""
IN_ORDER = 0x10
LOOP = bytes.fromhex("ebfe")
"""JMP to itself."""

Change = Callable[[bytes, bytes], list[bytes]]
"""What a liar makes of an honest answer: (what was asked, the answer) to any number of answers."""


# -- the server ---------------------------------------------------------------------------------------------------


def honest(_asked: bytes, answer: bytes) -> list[bytes]:
    """The answer as it is."""
    return [answer]


def answer_to(asked: Datagram) -> tuple[int, bytes] | None:
    """The port to answer from, and the answer. It hangs on nothing but the question: the server remembers nothing."""
    opcode, number = (int.from_bytes(asked.payload[at : at + 2], "big") for at in (0, 2))
    names = list(FILES)
    if opcode == Opcode.RRQ:
        name = asked.payload[2:].split(b"\0")[0]
        if name not in FILES:
            return FIRST_TID, packet(Opcode.ERROR, 1, b"there is no such file")
        size = b"%d" % len(FILES[name])
        return FIRST_TID + names.index(name), packet(Opcode.OACK, b"blksize", b"%d" % BLOCK, b"tsize", size)
    port = asked.destination.port
    start = number * BLOCK
    if opcode != Opcode.ACK or start > len(FILES[names[port - FIRST_TID]]):
        return None
    return port, packet(Opcode.DATA, number + 1, FILES[names[port - FIRST_TID]][start : start + BLOCK])


def served(change: Change = honest) -> Callable[[bytes], list[bytes]]:
    """The machine at 192.0.2.2: TFTP, with what `change` makes of its answers."""
    mac = neighbour_mac(SERVER)

    def on_the_wire(frame: bytes) -> list[bytes]:
        asked = read_udp(frame, mac)
        found = answer_to(asked) if asked is not None and asked.destination.address == SERVER else None
        if asked is None or found is None:
            return []
        port, answer = found
        datagrams = [Datagram(Endpoint(SERVER, port), asked.source, a) for a in change(asked.payload, answer)]
        return [write_udp(datagram, mac, MACS["eth1"]) for datagram in datagrams]

    return on_the_wire


def start(lab: Lab, *words: str, change: Change = honest, **switches: str) -> None:
    """The guest with the driver, a program that reads, and a server."""
    named = {name.replace("__", "."): value for name, value in switches.items()}
    lab.boot("netfs", "with", *words, switches=named, network=True, memory_mib=8)
    lab.peer(served(change))


def ran(lab: Lab, *words: str, change: Change = honest, **switches: str) -> Lab:
    """Another machine beside this one, run to its end."""
    other = lab.beside()
    start(other, *words, change=change, **switches)
    other.run_to_exit()
    return other


def setup(lab: Lab) -> None:
    start(lab, "cat", "/net/office.rules")


# -- what happened ------------------------------------------------------------------------------------------------


def called(operation: int) -> Callable[[Event], bool]:
    """The driver is about to be entered for such an operation."""
    return lambda event: isinstance(event, UpcallMade) and event.arguments[3] == operation


def done(operation: int) -> Callable[[Event], bool]:
    """Such a call has ended."""
    return lambda event: _is_mark(event, "netfs_done") and event.arguments["operation"] == operation  # type: ignore[attr-defined]


def _is_mark(event: Event, name: str) -> bool:
    return isinstance(event, Marked) and event.name == name


def marked(lab: Lab, name: str, since: int = 0) -> list[Marked]:
    """The tracepoints of a name, oldest first."""
    return [mark for mark in lab.events.since(since).of(Kind.MARK, name=name) if isinstance(mark, Marked)]


def entered(lab: Lab, since: int) -> list[SyscallEntered]:
    """The system calls that were begun since an event."""
    calls = lab.events.since(since).of(Kind.SYSCALL)
    return [call for call in calls if isinstance(call, SyscallEntered) and call.result is None]


def begins_read(event: Event) -> bool:
    """A program asks for a page of a file."""
    return isinstance(event, SyscallEntered) and event.name == "SYS_read" and event.result is None


def ends_read(event: Event) -> bool:
    """And has got what there is of it."""
    return isinstance(event, SyscallEntered) and event.name == "SYS_read" and event.result is not None


def console(lab: Lab, title: str = "The console:") -> Text:
    """What was printed so far."""
    return Text(title, tuple(line.strip() for line in lab.console.lines()))


def said(lab: Lab, pid: int = READER) -> list[str]:
    """What a process has said, without its number."""
    return [line[3:] for line in str(lab.console).splitlines() if line.startswith(f"{pid}: ")]


def patch(lab: Lab, function: str, code: bytes) -> None:
    """Other code at the beginning of one of the driver's functions."""
    address = lab.inspector.symbols.programs["netfs"].address_of(function)
    physical = lab.walk(address, process="netfs").physical
    assert physical is not None
    lab.machine.input("poke", physical, code)


# -- one read, as a table -----------------------------------------------------------------------------------------

_PROCESSES = {0: "(nobody)", DRIVER: "netfs", READER: "cat"}


def journey(lab: Lab, since: int) -> Text:
    """What happened since an event, and who had the CPU."""
    rows: list[str] = []
    who, begin = "cat", lab.events.since(since)[0].insn
    for event in lab.events.since(since):
        if _is_mark(event, "switch"):
            assert isinstance(event, Marked)
            who = _PROCESSES.get(int(event.arguments["next_pid"]), "init")
        words = told(event)
        if words:
            rows.append(f"+{event.insn - begin:<7,}{who:<10}{words}")
    return Text("Instructions since the read began, who has the CPU, and what happens:", tuple(rows))


def told(event: Event) -> str:
    """An event of a read's journey in words; empty for what does not belong there."""
    if isinstance(event, SyscallEntered):
        return f"{event.name[4:]}()" if event.result is None else ""
    if isinstance(event, UpcallMade):
        return "the kernel calls serve(), in ring 3"
    if isinstance(event, Acknowledged):
        return f"the answer is taken: {event.arguments[2]} bytes"
    return told_mark(event) if isinstance(event, Marked) else ""


def told_mark(mark: Marked) -> str:
    """A tracepoint of a read's journey."""
    given = mark.arguments
    if mark.name == "netfs_call":
        return f"a call is made: READ from byte {given['offset']}; cat goes to sleep"
    if mark.name == "ukshm_map":
        return f"frame {int(given['frame_number']):#x} is mapped into netfs"
    if mark.name == "ukshm_unmap":
        return f"frame {int(given['frame_number']):#x} is taken from netfs"
    if mark.name == "packet_in":
        return f"eth1 has received {given['length']} bytes" if given["interface"] else "a packet is sent"
    return ""


# -- who holds the text -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Copy:
    """A place of the text: when it was there first, whose frame, and what had written it."""

    insn: int
    physical: int
    whose: str
    writer: str


def places(lab: Lab) -> list[int]:
    """The physical addresses at which the file's first line lies."""
    memory, found, at = bytes(lab.machine.memory.buffer[:]), [], -1
    while (at := memory.find(LINE, at + 1)) >= 0:
        found.append(at)
    return found


def whose(lab: Lab, physical: int) -> str:
    """Whose frame that is, in words."""
    frame = lab.inspector.frame(physical >> PAGE_SHIFT)
    assert frame is not None
    names = {"user": _PROCESSES.get(frame.pid, "a program"), "module": "the archive", "shared": "shared page"}
    return names.get(frame.owner, "the kernel")


def copies(lab: Lab, until: int) -> list[Copy]:
    """The places to which the text comes up to an instruction, in their order. Moves the machine."""
    known, made = set(places(lab)), []
    while lab.machine.journal.insn < until:
        seq = lab.machine.journal.seq
        lab.step(100)
        for physical in places(lab):
            if physical not in known:
                known.add(physical)
                made.append(Copy(lab.machine.journal.insn, physical, whose(lab, physical), writer(lab, seq)))
    return made


def writer(lab: Lab, since: int) -> str:
    """What has just written the text: the card, or the function that runs."""
    writes = [e for e in lab.events.since(since).of(Kind.DMA) if isinstance(e, DmaDone) and e.write]
    if any(event.size > len(LINE) for event in writes):
        return "the card, by DMA"
    name = lab.inspector.name(lab.inspector.rip()).partition("+")[0]
    return f"{name}, ring {lab.registers['cpl']}"


# -- costs --------------------------------------------------------------------------------------------------------


def costs(lab: Lab) -> dict[str, int]:
    """What one read costs: from the system call to its result. Moves the machine there."""
    lab.run_until(begins_read)
    seq, before = lab.events[-1].seq, lab.counters
    lab.run_until(ends_read)
    after, events = lab.counters, lab.events.since(seq)
    back = [e for e in events.of(Kind.RETURN) if isinstance(e, Returned) and e.to_cpl == 3]
    walks = [name for name in after if name.endswith("MISSES.WALK_COMPLETED")]
    return {
        "instructions": after["instructions"] - before["instructions"],
        "system calls": len(entered(lab, seq)),
        "entries into ring 3": len(back) + 1,
        "process switches": len(marked(lab, "switch", seq)),
        "packets on the wire": len(marked(lab, "packet_in", seq)),
        "INVLPG and the like": after["invalidations"] - before["invalidations"],
        "walks": sum(after[name] - before[name] for name in walks),
    }


# -- who can reach a frame ----------------------------------------------------------------------------------------


def ways_in(lab: Lab, frame: int) -> list[str]:
    """The processes whose page tables lead ring 3 to a frame."""
    found = []
    for process in lab.inspector.processes():
        pages = [page for area in process.areas for page in range(area.start, area.end, PAGE_BYTES)]
        walks = (lab.walk(page, process=str(process.pid)) for page in pages)
        if any(walk.frame == frame and walk.rows[-1].rights.startswith("user") for walk in walks):
            found.append(process.name)
    return found


# -- the steps ----------------------------------------------------------------------------------------------------


@step("a-name", points=2)
def a_name(lab: Lab) -> None:
    alone = lab.beside()
    alone.boot("cat", "/net/office.rules", memory_mib=8)
    alone.run_to_exit()
    words = str(alone.console)
    lab.ask(
        "`cat /net/office.rules`, and no driver runs. What does `open` come to?",
        choices=[
            "it waits until there is a driver",
            f"error {ENOENT}: there is no such file",
            f"error {ENODEV}: there is nobody to ask",
            "the kernel asks the server itself",
        ],
        answer=2 if f"error {ENODEV}" in words else 1,
        hint="To say that a file is not there, one would have to know which are.",
    )
    lab.show(console(alone, "Without a driver:"))
    lab.run_until(called(OPEN))
    call = lab.events.of(Kind.UPCALL)[-1]
    assert isinstance(call, UpcallMade)
    address, length = call.arguments[4], call.arguments[5]
    name = bytes(lab.memory(address, length))
    lab.say(
        f"Now with the driver, process {DRIVER}; `cat` is process {READER}. `cat` has called `open`, and the kernel "
        f"is about to call the driver: operation {call.arguments[3]}, {length} bytes of data at "
        f"{hexadecimal(address)}."
    )
    lab.show(lab.dump(address, 32))
    lab.run_until(Call("packet_request"))
    lab.run_until(done(OPEN))
    answer = marked(lab, "netfs_done")[-1].arguments
    lab.ask(
        "The driver has answered, and `open` will succeed. What does the *kernel* know about the file now?",
        choices=[
            "its size, its blocks, and the server's address",
            "a number that the driver has said, and the page for its data",
            "its first page: `open` has read ahead",
        ],
        answer=1 if answer["length"] == 0 and answer["result"] >= 0 else 2,
        hint="What does struct netfs_file hold? And how many numbers fit into an acknowledgement?",
    )
    frame = int(answer["frame_number"])
    lab.show(Text("The driver's answer to OPEN:", (f"verdict {answer['result']}, {answer['length']} bytes",)))
    lab.notes.frame, lab.notes.address = frame, address
    lab.expect(f"error {ENODEV}" in words, "without a driver there is an error, at once: ENODEV")
    lab.expect(name == b"office.rules", "the page holds the name, without /net/: that is all the driver is told")
    lab.expect(answer["result"] >= 0 and answer["length"] == 0, "the answer is one number, a handle, and no bytes")
    lab.expect(frame == marked(lab, "ukshm_map")[-1].arguments["frame_number"], "the file has one frame, the one shared")
    lab.expect(lab.walk(address, process="netfs").frame is None, "and the driver has lost it again")


@step("one-read", points=3)
def one_read(lab: Lab) -> None:
    lab.run_until(begins_read)
    lab.notes.begin = lab.fork()
    seq = lab.events[-1].seq
    ahead = lab.fork()
    ahead.run_until(done(READ))
    calls = len(entered(ahead, seq)) - 1
    idle = any(mark.arguments["next_pid"] == 0 for mark in marked(ahead, "switch", seq))
    lab.run_until(called(READ))
    numbers = [0, 1, calls, 3 * calls]
    lab.ask(
        f"`cat` has made one system call, `read`, for {PAGE_BYTES} bytes; the file has {len(RULES)}, two blocks of "
        "TFTP. The driver has been called, with the page mapped. How many system calls will it make until the "
        "kernel has its answer?",
        choices=[f"{number}" for number in numbers],
        answer=numbers.index(calls),
        hint="A shared page leads to the kernel's memory. Does it lead to the network? Three acknowledgements go out.",
    )
    lab.ask(
        "The driver has asked for a block and waits for it, in its handler. Who has the CPU meanwhile?",
        choices=[
            "cat: it goes on until it needs the bytes",
            "the driver's main program, which the call interrupted",
            "nobody: all of them wait",
        ],
        answer=2 if idle else 1,
        hint="There is one stack pointer and one set of registers for each process. Where are main's?",
    )
    lab.run_until(ends_read)
    got = lab.events[-1]
    assert isinstance(got, SyscallEntered)
    lab.show(journey(lab, seq))
    frames = {int(mark.arguments["frame_number"]) for mark in marked(lab, "ukshm_map", seq)}
    times = [
        marked(lab, "netfs_call", seq)[0].seq,
        lab.events.since(seq).of(Kind.UPCALL)[0].seq,
        next(m.seq for m in marked(lab, "packet_in", seq) if m.arguments["interface"]),
        marked(lab, "ukshm_unmap", seq)[0].seq,
        marked(lab, "netfs_done", seq)[0].seq,
        got.seq,
    ]
    lab.notes.calls = calls
    lab.expect(times == sorted(times), "kernel, upcall, network, page unmapped, answer, reader: in this order")
    lab.expect(frames == {lab.notes.frame}, "the frame that carries the bytes is the one that carried the name")
    lab.expect(bytes(lab.memory(got.arguments[1], len(RULES))) == RULES, "the reader has the server's bytes, all of them")
    lab.expect(calls > 1 and got.result == len(RULES), f"for one system call of cat's the driver made {calls}")
    lab.expect(idle, "while the packet was under way nobody ran: the reader slept, and so did the driver")


@step("count-the-copies", points=3)
def count_the_copies(lab: Lab) -> None:
    begin, end = lab.notes.begin, lab.machine.journal.insn
    at_first = len(places(begin))
    made = copies(begin, end)
    by_code = [copy for copy in made if "DMA" not in copy.writer]
    lab.ask(
        "The first line of the file came with a packet, by DMA, and ended in the reader's buffer. How often was "
        "it copied by instructions on this way?",
        choices=["never: that is what the shared page is for", "once", "twice", f"{len(by_code)} times"],
        answer=3 if len(by_code) > 2 else len(by_code),
        hint="recvfrom copies. The driver must look at a packet before it believes it. And whose is the buffer?",
    )
    lab.show(
        Text(
            "Where the first line of the file came to lie, one place after the other:",
            ("frame    whose         written by", *(_row(copy) for copy in made)),
        )
    )
    frame = lab.notes.frame
    at_shared = [copy.physical >> PAGE_SHIFT for copy in made].index(frame)
    lab.ask(
        "Which of these copies would a driver without a shared page have to make in addition, with `write`?",
        choices=[
            "one: from the driver's memory into the kernel's",
            "all of them once more",
            "none",
        ],
        answer=0,
        hint="Which of the places belongs to both sides?",
    )
    archive = lab.beside()
    archive.boot("cat", "office.rules", memory_mib=8)
    archive.run_until(begins_read)
    short = copies(archive.fork(), archive.machine.journal.insn + 3000)
    network = lab.beside()
    start(network, "cat", "/net/office.rules")
    archive = lab.beside()
    archive.boot("cat", "office.rules", memory_mib=8)
    far, near = costs(network), costs(archive)
    rows = [f"{name:<24}{near[name]:>10,}{far[name]:>10,}" for name in far]
    rows.append(f"{'copies by instructions':<24}{len(short):>10,}{len(by_code):>10,}")
    lab.show(Text("The same bytes, by one read:    from the archive, from the network", tuple(rows)))
    lab.notes.far, lab.notes.near, lab.notes.copies = far, near, len(by_code)
    lab.expect(at_first == 1, "before the read the line lay in memory once, in the archive that cat does not ask")
    lab.expect("DMA" in made[0].writer and made[0].whose == "the kernel", "the card wrote it into a page of the kernel's")
    lab.expect(0 < at_shared < len(made) - 1, "the shared page is one place on the way, not the first and not the last")
    lab.expect("ring 3" in made[at_shared].writer, "the driver wrote it there, by an instruction in ring 3")
    lab.expect(
        made[-1].whose == "cat" and "ring 0" in made[-1].writer,
        "from there the kernel copied it into the reader's buffer",
    )
    lab.expect(len(short) == 1, "from the archive it is copied once")
    lab.expect(
        all(far[name] > near[name] for name in far), "the network's read costs more of everything that was counted"
    )


def _row(copy: Copy) -> str:
    return f"{copy.physical >> PAGE_SHIFT:<#9x}{copy.whose:<14}{copy.writer}"


@step("whose-page", points=2)
def whose_page(lab: Lab) -> None:
    start(lab, "cat", "/net/office.rules")
    lab.run_until(called(READ))
    frame, address = lab.notes.frame, lab.notes.address
    during = ways_in(lab, frame)
    lab.ask(
        "A new run, at the same moment: the driver is called to fill the page for `cat`. Whose page tables lead "
        "ring 3 to that frame now?",
        choices=["netfs's", "cat's", "both: that is why it is called shared", "nobody's"],
        answer=[["netfs"], ["cat"], ["netfs", "cat"], []].index(during),
        hint="The bytes get from the page into the reader's buffer. Did the last step say how?",
    )
    alias = lab.kernel_alias(address)
    lab.show(lab.walk(address, process="netfs"), lab.walk(alias))
    lab.run_until(done(READ))
    after = ways_in(lab, frame)
    lab.run_until(ends_read)
    later = ways_in(lab, frame)
    rows = (("while the driver works", during), ("when it has answered", after), ("when cat has its bytes", later))
    table = [f"{when:<26}{', '.join(names) or 'nobody'}" for when, names in rows]
    lab.show(Text("Whose ring 3 can reach the frame:", tuple(table)))
    lab.expect(during == ["netfs"], "while it works the driver can reach the page, and the reader cannot")
    lab.expect(after == later == [], "before the reader is woken, nobody in ring 3 can")
    lab.expect(not lab.tlb.within(address, address + 1).slots, "not by a TLB's entry either")
    lab.expect("supervisor" in lab.walk(alias).rows[-1].rights, "the kernel reads it by its own address")

    start(lab, "cat", "/net/office.rules", ukshm__invalidate="none")
    lab.run_until(called(READ))
    seq = lab.machine.journal.seq
    lab.run_until(done(READ))
    unmapped = marked(lab, "ukshm_unmap", seq)[0].seq
    dropped = [event for event in lab.events.since(unmapped).of(Kind.INVALIDATE)]
    lab.ask(
        "The counter-example, `ukshm.invalidate=none`: the entry is cleared, and INVLPG is left out. The driver has "
        "answered, and `cat` is going to be given what lies in the page. Who may still write there?",
        choices=[
            "nobody: the entry is gone",
            "the driver, as long as a TLB remembers",
            "cat, since it comes next",
        ],
        answer=0 if dropped else 1,
        hint="What did the lesson on stale entries say of the moment between the entry and the TLB?",
    )
    left = lab.tlb.within(address, address + 1)
    lab.show(left)
    lab.expect(lab.walk(address, process="netfs").frame is None, "without INVLPG, too, the entry is empty")
    lab.expect(not dropped, "but nothing was dropped from any TLB before the reader gets its bytes")
    lab.expect(
        all(slot.stale for slot in left.slots), "whatever a TLB still holds of the window is stale: memory says no"
    )


@step("the-driver-dies", points=2)
def the_driver_dies(lab: Lab) -> None:
    start(lab, "reader", "/net/long", "1000")
    lab.run_until(called(READ))
    lab.run_until(happened(Kind.MARK, name="packet_in", cpl=0))
    lab.say(
        f"`reader` reads a file of {len(LONG):,} bytes, 1,000 at a time. Its first read is under way: the driver "
        "has sent its request for a block and waits for the packet. Now it is killed."
    )
    before, seq = lab.snapshot(), lab.machine.journal.seq
    copy = lab.fork()
    copy.kill("netfs")
    copy.run_to_exit()
    first = said(copy)
    lab.ask(
        "What does the read come to?",
        choices=[
            "it waits for ever: who should answer?",
            "the end of the file: 0 bytes",
            f"error {EIO}: the answer will never come",
            "the kernel sends the request itself",
        ],
        answer=2 if first[0] == f"read: error {EIO}" else 1,
        hint="The call belongs to the kernel. What becomes of the calls of a process that ends?",
    )
    lab.kill("netfs")
    lab.run_until(done(READ))
    changes = lab.frames_changed(before)
    kinds = (Kind.MARK, Kind.INVALIDATE)
    wanted = ("ukshm_unmap", "call_end", "netfs_done", "process_exit")
    events = [e for e in lab.events.since(seq).of(*kinds) if getattr(e, "name", "") in wanted]
    lab.show(lab.told(events, "From its death on:"))
    lab.run_to_exit()
    lab.show(console(lab))
    balance = marked(lab, "balance")[0].arguments
    lab.expect(said(lab)[0] == f"read: error {EIO}", "the reader is woken with EIO")
    lab.expect(said(lab)[2] == f"opened once more: error {ENODEV}", "who opens a file now gets ENODEV")
    lab.expect(not any(change.by_ring_3 for change in changes.kernel), "ring 3 changed nothing of the kernel's")
    lab.expect(balance["free_at_start"] == balance["free_at_end"], "every page has come back")
    lab.expect(lab.ended is not None and lab.ended.code == IN_ORDER, "and the guest ended in order")

    later = lab.beside()
    start(later, "reader", "/net/long", "1000")
    later.run_until(done(READ))
    later.kill("netfs")
    later.run_to_exit()
    words = said(later)
    got = sum(int(line.split()[1]) for line in words if line.startswith("read ") and "error" not in line)
    lab.ask(
        "Another run: this time it is killed when it has answered the first read, for which the kernel had asked "
        "it to fill a page. How many bytes does `reader` get, 1,000 at a time, before it sees an error?",
        choices=["none", "1,000", f"{PAGE_BYTES:,}", f"{len(LONG):,}"],
        answer=[0, 1000, PAGE_BYTES, len(LONG)].index(got),
        hint="Where do the bytes lie that were not handed on yet, and whose frame is that?",
    )
    lab.show(console(later))
    lab.expect(got == PAGE_BYTES, "what had been laid into the page outlives who laid it there")


@step("silence", points=2)
def silence(lab: Lab) -> None:
    mute = ran(lab, "reader", "/net/long", change=lambda asked, answer: [] if asked[1] == Opcode.ACK else [answer])
    sent = [read_udp(bytes(frame), neighbour_mac(SERVER)) for frame in mute.sent("eth1")]
    asks = [datagram.payload for datagram in sent if datagram is not None and datagram.payload[1] == Opcode.ACK]
    words = said(mute)
    naps = int(words[-1].split()[1])
    lab.ask(
        "A server grants the file and then says nothing any more. The driver asks for the first block, and waits "
        "100 ticks. `reader` sleeps in `read`. A child of `reader` has nothing to do with the file: it takes naps "
        "of a tick. How many does it take before `reader` hears of an error?",
        choices=["none: the kernel waits for the driver", "one", "hundreds", "no end of them: the read never ends"],
        answer=2 if naps > 200 else 1,
        hint="Who waits here: the kernel, or a process? And is a packet that is lost a reason to give up?",
    )
    lab.show(
        console(mute),
        Text("The same request for the first block was sent:", (f"{len(asks)} times in all",)),
    )
    lab.expect(words[0] == f"read: error {ETIMEDOUT}", "the driver gave up, and the reader was told: ETIMEDOUT")
    lab.expect(len(asks) > 2 and len(set(asks)) == 1, "before that it had asked again and again")
    lab.expect(naps > 200, "other processes went on all the time")

    looping(lab, "1")
    began = lab.value("ticks")
    copy = lab.fork()
    copy.run_until(done(READ))
    result = int(marked(copy, "netfs_done")[-1].arguments["result"])
    lab.ask(
        "Now the server speaks and the driver does not: two bytes over its `netfs_read`, EB FE, an endless loop in "
        "ring 3. It was given 20 ticks (`ukshm.deadline=1`, times 20 for files). What does `reader` see?",
        choices=[
            "nothing: the loop never lets the CPU go",
            f"error {ETIMEDOUT}, when the time is over",
            f"error {EIO}: the kernel ends a driver that loops",
        ],
        answer=1 if result == ETIMEDOUT else 2,
        hint="Ring 3 cannot switch off the timer. And whose is the call, whose the process?",
    )
    lab.run_until(done(READ))
    waited, address = lab.value("ticks") - began, int(marked(lab, "ukshm_map")[-1].arguments["linear"])
    gone = lab.walk(address, process="netfs").frame is None
    lives = lab.inspector.process_named("netfs") is not None
    lab.kill("netfs")
    lab.run_to_exit()
    lab.show(console(lab))
    lab.expect(result == ETIMEDOUT and waited == 20, "after 20 ticks the kernel ended the call: ETIMEDOUT")
    lab.expect(gone and lives, "it took the page from under the loop, and let the loop go on")

    looping(lab, "off")
    lab.step(4_000_000)
    lab.say("The counter-example, `ukshm.deadline=off`, 40 ticks later:")
    lab.show(console(lab))
    lab.expect(not [mark for mark in marked(lab, "netfs_done") if mark.arguments["operation"] == READ], "without a deadline the reader still waits, and would for ever")


def looping(lab: Lab, deadline: str) -> None:
    """A driver that has been asked for bytes and will never answer."""
    start(lab, "reader", "/net/long", ukshm__deadline=deadline)
    lab.run_until(called(READ))
    patch(lab, "netfs_read", LOOP)


def at_block(number: int, change: Change) -> Change:
    """A lie about one block; everything else is the truth."""

    def lie(asked: bytes, answer: bytes) -> list[bytes]:
        is_block = answer[1] == Opcode.DATA and int.from_bytes(answer[2:4], "big") == number
        return change(asked, answer) if is_block else [answer]

    return lie


LIES: dict[str, Change] = {
    "block 3 instead of block 2": at_block(2, lambda _, a: [a[:2] + b"\0\3" + a[4:]]),
    "a byte more than was agreed": at_block(2, lambda _, a: [a + b"!"]),
    "four bytes of nonsense": at_block(2, lambda _, a: [b"\xff" * 4]),
    "the file ends too early": at_block(2, lambda _, a: [a[:-1]]),
    "no such file, in the middle": at_block(2, lambda _, a: [packet(Opcode.ERROR, 1, b"gone")]),
    "block 1 ten times": at_block(1, lambda _, a: [a] * 10),
    "other words, as many bytes": at_block(2, lambda _, a: [a[:4] + b"x" * (len(a) - 4)]),
}


@step("lies", points=2)
def lies(lab: Lab) -> None:
    runs = {lie: ran(lab, "reader", "/net/long", change=change) for lie, change in LIES.items()}
    first = {lie: said(run)[0] for lie, run in runs.items()}
    believed = [lie for lie in list(LIES)[:4] + list(LIES)[6:] if "error" not in first[lie]]
    lab.ask(
        "A server that lies about the second block. Which of these lies does the driver pass on as if it were the "
        "file?",
        choices=["block 3 instead of block 2", "a byte more than was agreed", "other words, as many bytes", "none"],
        answer=2 if believed == ["other words, as many bytes"] else 3,
        hint="A number can be compared with what is due, a length with what was agreed. And a word?",
    )
    lab.show(
        Text("What the reader's first read came to:", tuple(f"{lie:<30}{words}" for lie, words in first.items()))
    )
    errors = {lie: words for lie, words in first.items() if "error" in words}
    lab.expect(len(errors) == 5 and len(first) == 7, "what breaks the protocol is an error, and no byte of it is handed on")
    lab.expect(first["block 1 ten times"] == f"read {PAGE_BYTES} bytes", "a block that comes again is passed over")
    lab.expect(believed == ["other words, as many bytes"], "a lie of the right size is the file")

    start(lab, "reader", "/net/long")
    lab.run_until(called(READ))
    patch(lab, "netfs_read", claim(5000))
    lab.run_to_exit()
    too_long = said(lab)[0], said(lab, DRIVER)[0]
    start(lab, "reader", "/net/long")
    lab.run_until(called(READ))
    patch(lab, "netfs_read", claim(100))
    lab.ask(
        "And a driver that lies: its `netfs_read` becomes `return 100;`. It writes nothing into the page and says "
        "that 100 bytes are there. What does `reader` get?",
        choices=[
            "an error: the kernel sees that nothing was written",
            "100 bytes that somebody else has left in that frame",
            "its own file's name, and zeros",
        ],
        answer=2,
        hint="What was the page used for before, in this lesson? And before that? The D bit could tell, but who asks?",
    )
    lab.run_until(ends_read)
    got = lab.events[-1]
    assert isinstance(got, SyscallEntered)
    seen = bytes(lab.memory(got.arguments[1], 100))
    lab.show(lab.dump(got.arguments[1], 48))
    lab.expect(
        too_long == (f"read: error {EIO}", "netfs: the kernel does not take the answer 5000 to operation 1"),
        "a driver that says more than a page is refused, gives up, and the reader gets EIO",
    )
    lab.expect(got.result == 100, "what fits, the kernel believes")
    lab.expect(seen == b"long" + bytes(96), "but the page holds nothing that is not the reader's own: it was cleared")


def claim(count: int) -> bytes:
    """Code: return `count`."""
    return b"\xb8" + count.to_bytes(4, "little") + b"\xc3"


@step("what-the-world-built", points=1)
def what_the_world_built(lab: Lab) -> None:
    far, near = lab.notes.far, lab.notes.near
    lab.show(
        Text(
            "One read, once more:    from the archive, from the network",
            tuple(f"{name:<24}{near[name]:>10,}{far[name]:>10,}" for name in far),
        )
    )
    lab.ask(
        "The letter wants to make this 'extremely feasable by effectively eliminating all data transfer overhead'. "
        "If the one copy that the page saves were for nothing, and nothing else changed, what would become of the "
        "rest of this table?",
        choices=[
            "it would nearly vanish: copying was the cost",
            "it would stay: it is the price of asking somebody else",
            "only the walks would stay",
        ],
        answer=1 if far["entries into ring 3"] > 4 * near["entries into ring 3"] else 0,
        hint="Which of these lines counts copying at all?",
    )
    lab.expect(
        far["entries into ring 3"] > 4 * near["entries into ring 3"],
        "the CPU entered ring 3 more than four times as often as for a file in memory",
    )
    lab.expect(far["INVLPG and the like"] > 0 and lab.notes.copies > 1, "sharing cost an invalidation, and copies were left")
