# SPDX-License-Identifier: GPL-2.0-or-later
"""Lesson "netfs": a file that only a program knows, how one read of it travels, and what goes wrong on the way."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

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
TEXT = b"".join(b"line %03d of a file that lies on another machine\n" % n for n in range(100))
LIARS = (b"gap", b"long", b"short", b"error", b"twice", b"other")
"""Files about whose second block a server lies."""
FILES = {
    b"office.rules": (resources.guest_sources() / "user" / "rules" / "office.rules").read_bytes(),
    b"lines": TEXT,
    **dict.fromkeys(LIARS, TEXT[:1200]),
}
RULES = FILES[b"office.rules"]
LINE = RULES[:48]
"""What is searched for in memory."""
IN_ORDER = 0x10
SLEEP = bytes.fromhex("b80c000000 48c7c7ffffffff 0f05 ebf0")
"""EAX = SYS_sleep, RDI = SLEEP_FOREVER, SYSCALL, and once more."""
RETURN_5000, RETURN_100 = bytes.fromhex("b888130000 c3"), bytes.fromhex("b864000000 c3")
"""MOV to EAX, RET."""
NAP_TICKS, A_WHILE = 10, 200
"""Ticks: what reader's child sleeps at once, and what a scenario waits."""

Change = Callable[[bytes, bytes], list[bytes]]
"""What a liar makes of an honest answer: (the file's name, the answer) to any number of answers."""


# -- the server ---------------------------------------------------------------------------------------------------


def honest(_name: bytes, answer: bytes) -> list[bytes]:
    """The answer as it is."""
    return [answer]


def answer_to(asked: Datagram) -> tuple[bytes, bytes] | None:
    """The file that is meant, and the answer. It hangs on nothing but the question: the server remembers nothing."""
    opcode, number = (int.from_bytes(asked.payload[at : at + 2], "big") for at in (0, 2))
    if opcode == Opcode.RRQ:
        name = asked.payload[2:].split(b"\0")[0]
        size = b"%d" % len(FILES[name])
        return name, packet(Opcode.OACK, b"blksize", b"%d" % BLOCK, b"tsize", size)
    name = list(FILES)[asked.destination.port - FIRST_TID]
    if opcode != Opcode.ACK or number * BLOCK > len(FILES[name]):
        return None
    return name, packet(Opcode.DATA, number + 1, FILES[name][number * BLOCK : (number + 1) * BLOCK])


def served(change: Change = honest) -> Callable[[bytes], list[bytes]]:
    """The machine at 192.0.2.2: TFTP, from a port of its own for each file, with what `change` makes of its answers."""
    mac = neighbour_mac(SERVER)

    def on_the_wire(frame: bytes) -> list[bytes]:
        asked = read_udp(frame, mac)
        found = answer_to(asked) if asked is not None and asked.destination.address == SERVER else None
        if asked is None or found is None:
            return []
        name, answer = found
        here = Endpoint(SERVER, FIRST_TID + list(FILES).index(name))
        return [write_udp(Datagram(here, asked.source, a), mac, MACS["eth1"]) for a in change(name, answer)]

    return on_the_wire


def start(lab: Lab, *words: str, change: Change = honest, **switches: str) -> None:
    """The guest with the driver, a program that reads, and a server."""
    named = {name.replace("__", "."): value for name, value in switches.items()}
    lab.boot("netfs", "with", *words, switches=named, network=True, memory_mib=8)
    lab.peer(served(change))


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


def last_read(lab: Lab) -> SyscallEntered:
    """The latest system call `read`: its beginning, or its end."""
    call = lab.events.of(Kind.SYSCALL, name="SYS_read")[-1]
    assert isinstance(call, SyscallEntered)
    return call


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
        if event.result is None:
            return f"{event.name[4:]}()"
        return f"read() gives {event.result} bytes" if ends_read(event) else ""
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
    seq, before = last_read(lab).seq, lab.counters
    lab.run_until(ends_read)
    after, events = lab.counters, lab.events.since(seq)
    back = [e for e in events.of(Kind.RETURN) if isinstance(e, Returned) and e.to_cpl == 3]
    walks = [name for name in after if name.endswith("MISSES.WALK_COMPLETED")]
    return {
        "instructions": after["instructions"] - before["instructions"],
        "system calls": len(entered(lab, seq)),
        "entries into ring 3": len(back),
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
    lab.expect(
        name == b"office.rules", "the page holds the name, without /net/: that is all the driver is told"
    )
    lab.expect(
        answer["result"] >= 0 and answer["length"] == 0, "the answer is one number, a handle, and no bytes"
    )
    lab.expect(
        frame == marked(lab, "ukshm_map")[-1].arguments["frame_number"],
        "the file has one frame, the one shared",
    )
    lab.expect(lab.walk(address, process="netfs").frame is None, "and the driver has lost it again")


@step("one-read", points=3)
def one_read(lab: Lab) -> None:
    lab.run_until(begins_read)
    lab.notes.begin = lab.fork()
    seq = last_read(lab).seq
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
    got = last_read(lab)
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
    asked, ended = marked(lab, "netfs_call", seq)[0], marked(lab, "netfs_done", seq)[0]
    upcall = lab.events.since(seq).of(Kind.UPCALL)[0]
    taken = next(call for call in entered(lab, seq) if call.name == "SYS_ukshm_ack")
    lab.notes.lending = upcall.insn - asked.insn + ended.insn - taken.insn
    lab.expect(
        times == sorted(times), "kernel, upcall, network, page unmapped, answer, reader: in this order"
    )
    lab.expect(
        frames == {lab.notes.frame}, "the frame that carries the bytes is the one that carried the name"
    )
    lab.expect(
        bytes(lab.memory(got.arguments[1], len(RULES))) == RULES,
        "the reader has the server's bytes, all of them",
    )
    lab.expect(
        calls > 1 and got.result == len(RULES), f"for one system call of cat's the driver made {calls}"
    )
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
    network, archive, again = lab.beside(), lab.beside(), lab.beside()
    start(network, "cat", "/net/office.rules")
    archive.boot("cat", "office.rules", memory_mib=8)
    again.boot("cat", "office.rules", memory_mib=8)
    far, near = costs(network), costs(archive)
    again.run_until(begins_read)
    short = copies(again, archive.machine.journal.insn)
    rows = [f"{name:<24}{near[name]:>10,}{far[name]:>10,}" for name in far]
    rows.append(f"{'copies by instructions':<24}{len(short):>10,}{len(by_code):>10,}")
    lab.show(Text("The same bytes, by one read:    from the archive, from the network", tuple(rows)))
    lab.notes.far, lab.notes.near, lab.notes.copies = far, near, len(by_code)
    lab.expect(
        at_first == 1, "before the read the line lay in memory once, in the archive that cat does not ask"
    )
    lab.expect(
        "DMA" in made[0].writer and made[0].whose == "the kernel",
        "the card wrote it into a page of the kernel's",
    )
    lab.expect(
        0 < at_shared < len(made) - 1,
        "the shared page is one place on the way, not the first and not the last",
    )
    lab.expect("ring 3" in made[at_shared].writer, "the driver wrote it there, by an instruction in ring 3")
    lab.expect(
        made[-1].whose == "cat" and "ring 0" in made[-1].writer,
        "from there the kernel copied it into the reader's buffer",
    )
    lab.expect(len(short) == 1, "from the archive it is copied once")
    lab.expect(
        all(far[name] > near[name] for name in far),
        "the network's read costs more of everything that was counted",
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
    rows = (
        ("while the driver works", during),
        ("when it has answered", after),
        ("when cat has its bytes", later),
    )
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
        all(slot.stale for slot in left.slots),
        "whatever a TLB still holds of the window is stale: memory says no",
    )


@step("the-driver-dies", points=2)
def the_driver_dies(lab: Lab) -> None:
    start(lab, "reader", "/net/lines", "1000")
    lab.run_until(called(READ))
    lab.run_until(happened(Kind.MARK, name="packet_in", cpl=0))
    lab.say(
        f"`reader` reads a file of {len(TEXT):,} bytes, 1,000 at a time. Its first read is under way: the driver "
        "has sent its request for a block and waits for the packet. Now it is killed."
    )
    seq = lab.machine.journal.seq
    copy = lab.fork()
    copy.kill("netfs")
    copy.run_until(done(READ))
    result = int(marked(copy, "netfs_done")[-1].arguments["result"])
    lab.ask(
        "What does the read come to?",
        choices=[
            "it waits for ever: who should answer?",
            "the end of the file: 0 bytes",
            f"error {EIO}: the answer will never come",
            "the kernel sends the request itself",
        ],
        answer=2 if result == EIO else 1,
        hint="The call belongs to the kernel. What becomes of the calls of a process that ends?",
    )
    lab.kill("netfs")
    lab.run_until(done(READ))
    errors = lab.check().errors
    kinds = (Kind.MARK, Kind.INVALIDATE)
    wanted = ("ukshm_unmap", "call_end", "netfs_done", "process_exit")
    events = [e for e in lab.events.since(seq).of(*kinds) if getattr(e, "name", "") in wanted]
    lab.show(lab.told(events, "From its death on:"))
    lab.run_to_exit()
    lab.show(console(lab))
    balance = marked(lab, "balance")[0].arguments
    lab.expect(said(lab)[0] == f"read: error {EIO}", "the reader is woken with EIO")
    lab.expect(said(lab)[2] == f"opened once more: {ENODEV}", "who opens a file now gets ENODEV")
    lab.expect(errors == (), "the kernel's page tables are in order")
    lab.expect(balance["free_at_start"] == balance["free_at_end"], "every page has come back")
    lab.expect(lab.ended is not None and lab.ended.code == IN_ORDER, "and the guest ended in order")

    later = lab.beside()
    start(later, "reader", "/net/lines", "1000")
    later.run_until(done(READ))
    later.kill("netfs")
    later.run_to_exit()
    words = said(later)
    got = sum(int(line.split()[1]) for line in words if line.startswith("read ") and "error" not in line)
    lab.ask(
        "Another run: this time it is killed when it has answered the first read, for which the kernel had asked "
        "it to fill a page. How many bytes does `reader` get, 1,000 at a time, before it sees an error?",
        choices=["none", "1,000", f"{PAGE_BYTES:,}", f"{len(TEXT):,}"],
        answer=[0, 1000, PAGE_BYTES, len(TEXT)].index(got),
        hint="Where do the bytes lie that were not handed on yet, and whose frame is that?",
    )
    lab.show(console(later))
    lab.expect(got == PAGE_BYTES, "what had been laid into the page outlives who laid it there")


@step("silence", points=2)
def silence(lab: Lab) -> None:
    mute = lab.beside()
    start(mute, "reader", "/net/lines", change=silent)
    mute.run_until(done(READ))
    result = int(marked(mute, "netfs_done")[-1].arguments["result"])
    sent = [read_udp(bytes(frame), neighbour_mac(SERVER)) for frame in mute.sent("eth1")]
    asks = [
        datagram.payload for datagram in sent if datagram is not None and datagram.payload[1] == Opcode.ACK
    ]
    count = naps(mute)
    numbers = [0, 1, count]
    lab.ask(
        "A server grants the file and then says nothing any more. The driver asks for the first block and waits "
        f"100 ticks. `reader` sleeps in `read`. A child of it, process {READER + 1}, has nothing to do with the "
        f"file: it takes naps of {NAP_TICKS} ticks. How many does it begin before `read` comes to an error?",
        choices=[
            "none: the kernel waits for the driver",
            "one",
            f"{count}",
            "no end of them: `read` never ends",
        ],
        answer=numbers.index(count),
        hint="Who waits here: the kernel, or a process? And is one packet that is lost a reason to give up?",
    )
    lab.show(
        Text(
            "A silent server:",
            (
                f"the request for the first block was sent {len(asks)} times, word for word",
                f"process {READER + 1} has begun {count} naps of {NAP_TICKS} ticks",
                f"then read came to {result}",
            ),
        )
    )
    lab.expect(result == ETIMEDOUT, "the driver gave up, and the reader was told: ETIMEDOUT")
    lab.expect(len(asks) > 2 and len(set(asks)) == 1, "before that it had asked again and again")
    lab.expect(count > 20, "the other process went on all the time")

    asleep(lab, "1")
    began = lab.value("ticks")
    copy = lab.fork()
    copy.run_until(done(READ))
    result = int(marked(copy, "netfs_done")[-1].arguments["result"])
    lab.ask(
        "Now the server would speak, and the driver does not: sixteen bytes over its `netfs_read` make it sleep for "
        "ever. It was given 20 ticks (`ukshm.deadline=1`; files have twenty times as long). What does `reader` see?",
        choices=[
            "nothing: it waits for ever",
            f"error {ETIMEDOUT}, when the time is over",
            f"error {EIO}: the kernel ends a driver that does not answer",
        ],
        answer=1 if result == ETIMEDOUT else 2,
        hint="Two things can be ended here: a call, and a process. Whose is which?",
    )
    lab.run_until(done(READ))
    waited, address = lab.value("ticks") - began, int(marked(lab, "ukshm_map")[-1].arguments["linear"])
    gone, driver = lab.walk(address, process="netfs").frame is None, lab.inspector.process_named("netfs")
    lab.kill("netfs")
    lab.run_to_exit()
    lab.show(console(lab, "The console; behind the first error the lesson killed the driver:"))
    lab.expect(result == ETIMEDOUT and waited == 20, "after 20 ticks the kernel ended the call: ETIMEDOUT")
    lab.expect(gone and driver is not None, "it took the page away from the driver, and let it sleep on")

    asleep(lab, "off")
    for _ in range(A_WHILE // NAP_TICKS):
        lab.run_until(is_nap)
    lab.say(f"The counter-example: the same with `ukshm.deadline=off`, {A_WHILE} ticks later.")
    lab.show(console(lab))
    ended = [mark for mark in marked(lab, "netfs_done") if mark.arguments["operation"] == READ]
    lab.expect(not ended, "without a deadline the reader still waits, and would for ever")


def silent(_name: bytes, answer: bytes) -> list[bytes]:
    """A server that grants and does not give."""
    return [] if answer[1] == Opcode.DATA else [answer]


def is_nap(event: Event) -> bool:
    """Reader's child goes to sleep."""
    is_sleep = isinstance(event, SyscallEntered) and event.name == "SYS_sleep" and event.result is None
    return is_sleep and event.arguments[0] == NAP_TICKS


def naps(lab: Lab) -> int:
    """How often it has done so."""
    return len([event for event in lab.events.of(Kind.SYSCALL) if is_nap(event)])


def asleep(lab: Lab, deadline: str) -> None:
    """A driver that has been asked for bytes, and sleeps instead of fetching them."""
    start(lab, "reader", "/net/lines", ukshm__deadline=deadline)
    lab.run_until(called(READ))
    patch(lab, "netfs_read", SLEEP)


def lie(name: bytes, answer: bytes) -> list[bytes]:
    """The truth, but for the second block of a liar's file (of "twice": the first one)."""
    if answer[1] != Opcode.DATA or answer[3] != (1 if name == b"twice" else 2):
        return [answer]
    head, data = answer[:4], answer[4:]
    return {
        b"gap": [head[:2] + b"\0\3" + data],
        b"long": [head + data + bytes(BLOCK)],
        b"short": [head + data[:-1]],
        b"error": [packet(Opcode.ERROR, 1, b"gone")],
        b"twice": [answer, answer],
        b"other": [head + b"x" * len(data)],
    }.get(name, [answer])


LIES = (
    "block 3 instead of block 2",
    "a block that is too large",
    "a byte less than was promised",
    "'no such file', in the middle",
    "block 1, and block 1 again",
    "other words, as many bytes",
)
"""What the lies about LIARS are."""


@step("lies", points=2)
def lies(lab: Lab) -> None:
    start(lab, "cat", *(f"/net/{name.decode()}" for name in LIARS), change=lie)
    copy = lab.fork()
    results = first_reads(copy)
    believed = [n for n, result in enumerate(results) if result > 0 and LIARS[n] != b"twice"]
    choices = [0, 1, 5]
    lab.ask(
        "`cat` prints six files of 1,200 bytes, two blocks each, and about each one the server lies once. Which of "
        "these lies does the driver pass on as if it were the file?",
        choices=[*(LIES[n] for n in choices), "none of them"],
        answer=choices.index(believed[0]) if len(believed) == 1 else 3,
        hint="A number can be compared with what is due, a length with what was agreed. And a word?",
    )
    lab.run_to_exit()
    lab.show(
        Text(
            "What the first read of each file came to:",
            tuple(f"{text:<32}{result:>6}" for text, result in zip(LIES, results, strict=True)),
        )
    )
    lab.expect(
        results[:3] == [EIO] * 3, "what breaks the protocol is an error, and nothing of it is handed on"
    )
    lab.expect(results[3] == ENOENT, "an error of the server's is the reader's, also in the middle of a file")
    lab.expect(results[4] == len(TEXT[:1200]), "a block that comes again is passed over")
    lab.expect(results[5] == len(TEXT[:1200]), "a lie of the right size is the file")
    lab.expect("xxxxxxxx" in lab.console, "and is printed")

    bare = claiming(lab.beside(), ukshm__zero="off")
    claiming(lab)
    lab.ask(
        "And a driver that lies: its `netfs_read` becomes `return 100;`. It writes nothing into the page and says "
        "that 100 bytes are there. What does `reader` get?",
        choices=[
            "an error: the kernel sees that nothing was written",
            "100 bytes that somebody else has left in that frame",
            "100 zeros",
        ],
        answer=2 if read_bytes(lab) == bytes(100) else 1,
        hint="The D bit of the driver's PTE could tell. But who looks at it? And who had the page before the driver?",
    )
    lab.show(lab.dump(last_read(lab).arguments[1], 32))
    lab.say("The counter-example, the same driver with `ukshm.zero=off`:")
    lab.show(bare.dump(last_read(bare).arguments[1], 32))
    lab.expect(last_read(lab).result == 100, "what could be true, the kernel believes")
    lab.expect(
        read_bytes(lab) == bytes(100), "but the page had been cleared before it was lent: nothing is in it"
    )
    lab.expect(
        read_bytes(bare) == b"lines" + bytes(95), "without that, the reader gets what the page held before"
    )
    patch(lab, "netfs_read", RETURN_5000)
    lab.run_to_exit()
    lab.show(console(lab, "And `return 5000;`, from the second read on:"))
    lab.expect(
        said(lab, DRIVER) == ["netfs: the kernel does not take the answer 5000 to operation 1"],
        "what cannot be true is refused: a page has no 5,000 bytes",
    )
    lab.expect(f"read: error {EIO}" in said(lab), "the driver gave up, and the reader got EIO")


def first_reads(lab: Lab) -> list[int]:
    """What the first read of each file came to, in a run to its end."""
    lab.run_to_exit()
    operations = marked(lab, "netfs_done")
    opens = [after for before, after in pairwise(operations) if before.arguments["operation"] == OPEN]
    return [int(mark.arguments["result"]) or int(mark.arguments["length"]) for mark in opens]


def claiming(lab: Lab, **switches: str) -> Lab:
    """A driver that says 100 and does nothing; up to the moment when the reader has got that."""
    start(lab, "reader", "/net/lines", "100", **switches)
    lab.run_until(called(READ))
    patch(lab, "netfs_read", RETURN_100)
    lab.run_until(ends_read)
    return lab


def read_bytes(lab: Lab) -> bytes:
    """What the latest read has brought."""
    got = last_read(lab)
    assert got.result is not None
    return bytes(lab.memory(got.arguments[1], got.result))


@step("what-the-world-built", points=1)
def what_the_world_built(lab: Lab) -> None:
    far, near, lending = lab.notes.far, lab.notes.near, lab.notes.lending
    lab.ask(
        "To call the driver with the page, and to take the page back from it, the kernel executed a number of "
        "instructions of its own. All that `cat` caused by reading the same bytes from the archive, the copy "
        f"included, was {near['instructions']:,} instructions. How do the two compare?",
        choices=["lending the page is far cheaper", "they are about the same", "lending the page costs more"],
        answer=2 if lending > near["instructions"] else 0,
        hint="A copy is a loop of a few hundred rounds. What is a call: which tables, which registers, which order?",
    )
    lab.show(
        Text(
            "Instructions:",
            (
                f"{lending:>8,}  to call the driver with the page, and to take it back",
                f"{near['instructions']:>8,}  the whole read from the archive, one copy included",
                f"{far['instructions']:>8,}  the whole read from the network, {lab.notes.copies} copies included",
            ),
        )
    )
    lab.ask(
        "FUSE has been a part of Linux since 2005. A study of 2017 (FAST '17) compared file systems in programs, by "
        "FUSE, with the same work done in the kernel. How much performance was lost?",
        choices=[
            "hardly any",
            "about half, whatever one does with it",
            "from nothing that one would notice to 83 %, depending on what one does with it",
        ],
        answer=2,
        hint="Not every program spends its time on asking for something that is not there yet.",
    )
    lab.expect(
        lending > near["instructions"], "for these bytes lending the page cost more than a read with its copy"
    )
    lab.expect(
        lending < far["instructions"] / 4, "and still it is a small part of what asking somebody else costs"
    )
    lab.expect(
        far["entries into ring 3"] > 4 * near["entries into ring 3"],
        "the CPU entered ring 3 more than four times as often as for a file in memory",
    )
