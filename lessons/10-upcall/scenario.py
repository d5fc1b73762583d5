# SPDX-License-Identifier: GPL-2.0-or-later
"""Lesson "upcall": the kernel calls a function of a program, goes on, and takes whatever comes back."""

import struct

from emu.bits import PAGE_BYTES, hexadecimal
from emu.events import Event, Invalidated, Marked, Returned
from emu.lesson import At, Call, Kind, Lab, Text, happened, step

WANTED = 2
NETFS = "listeners[3]"
"""The kernel's note about who is registered as ROLE_NETFS, and what it is asked."""
UPCALL = "<QIIQII4Q"
"""struct upcall: id, role, operation, address, length, capacity, four arguments."""
TIMER = 32
KEPT = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14")
ENDS = ("answered", "timed out", "abandoned")
IN_ORDER = 0x10


def setup(lab: Lab) -> None:
    lab.boot("share")


def said(lab: Lab, words: str) -> str:
    """The console's line with `words`, behind them; empty if it was not said."""
    lines = [line for line in str(lab.console).splitlines() if words in line]
    return lines[0].partition(words)[2].strip(": ") if lines else ""


def marked(lab: Lab, name: str, seq: int = 0) -> list[Marked]:
    """The tracepoints of a name, oldest first."""
    return [mark for mark in lab.events.since(seq).of(Kind.MARK, name=name) if isinstance(mark, Marked)]


def console(lab: Lab) -> Text:
    """What was printed so far."""
    return Text("The console:", tuple(line.strip() for line in lab.console.lines()))


def told(lab: Lab, seq: int, title: str, *kinds: Kind):
    """What happened since event number `seq`, each with its sentence; frame table's notes are left out."""
    events = [e for e in lab.events.since(seq).of(*kinds) if getattr(e, "name", "") != "frame_owner"]
    return lab.told(events, title)


def registers(lab: Lab) -> Text:
    """The registers that a call changes, two a line."""
    values = lab.registers
    cells = [
        f"{name:<6} {hexadecimal(values[name])}" for name in ("rip", "rflags", *KEPT, "r15", "cr3", "cpl")
    ]
    return Text("Registers:", tuple("    ".join(cells[i : i + 2]) for i in range(0, len(cells), 2)))


def ran(lab: Lab, *arguments: str, **switches: str) -> Lab:
    """Another machine beside this one, run to its end: `upcall` with arguments and switches."""
    other = lab.beside()
    words = {name.replace("__", "."): value for name, value in switches.items()}
    other.boot("upcall", *arguments, memory_mib=8, switches=words)
    other.run_to_exit()
    return other


def to_handler(lab: Lab) -> int:
    """On to the handler's first instruction; the number of the first event behind the kernel's decision to call."""
    lab.run_until(happened(Kind.UPCALL))
    seq = lab.events.of(Kind.UPCALL)[-1].seq
    lab.run_until(At("handler"))
    return seq


def ends(lab: Lab) -> dict[int, str]:
    """How each reverse syscall ended, by its number."""
    return {int(m.arguments["id"]): ENDS[int(m.arguments["end"])] for m in marked(lab, "call_end")}


def to_ring_3(lab: Lab, start: int, end: int) -> int:
    """How many returns to ring 3 happened between two events."""
    returns: list[Event] = list(lab.events.since(start).of(Kind.RETURN, to_cpl=3))
    return sum(event.seq < end for event in returns)


def most_at_once(lab: Lab) -> int:
    """How many handlers were entered and had not answered yet, at most."""
    depth, deepest = 0, 0
    for event in lab.events.of(Kind.UPCALL, Kind.ACK):
        depth += 1 if event.kind is Kind.UPCALL else -1
        deepest = max(deepest, depth)
    return deepest


@step("the-contract", points=2)
def the_contract(lab: Lab) -> None:
    lab.run_until(Call("ask_for_nonsense"), then="return")
    refused = [line.partition(": ")[2] for line in str(lab.console).splitlines()[1:]]
    lab.ask(
        "`share` has asked for seven things that make no sense: a version from the future, an unknown role, no "
        "page, one page too many, 2^52 pages, a handler inside the kernel, a stack inside the kernel. When "
        "does the kernel say no to the handler?",
        choices=[
            "when it calls it: the CPU refuses to run kernel code in ring 3",
            "never: a kernel may call its own code",
            "now, at registration, with an error number",
        ],
        answer=2 if "a handler that is the kernel's code: error 14" in refused else 0,
        hint="What would a kernel have promised to whoever got a 0 back?",
    )
    lab.show(Text("What came of them:", tuple(refused)))
    lab.expect(
        len(refused) == 7 and all("error" in line for line in refused), "each of the seven was refused"
    )
    lab.expect(not marked(lab, "ukshm_map"), "and no page was shared for any of them")

    lab.run_until(Call("make_holes"), then="return")
    holes = [lab.value(f"holes[{i}]") for i in range(3)]
    lab.say(
        "Next, the program makes three holes in its address space, of one, two and three pages, and asks for "
        f"{WANTED} pages. The kernel wants a page more of *addresses*, for the guard behind the window."
    )
    rows = tuple(
        f"hole of {i + 1} page{'s' * (i > 0)} at {hexadecimal(hole)}" for i, hole in enumerate(holes)
    )
    lab.show(Text("The holes, lowest first:", rows), lab.space())
    copy = lab.fork()
    copy.run_until(Call("fill_window"))
    chosen = copy.value("window")
    lab.ask(
        "Where will the window be?",
        choices=["in the first hole", "in the second", "in the third", "behind everything"],
        answer=holes.index(chosen) if chosen in holes else 3,
        hint="The lowest place is taken that is big enough. Big enough for what?",
    )
    lab.run_until(Call("fill_window"))
    lab.show(lab.space())
    window = lab.value("window")
    areas = [area for area in lab.space().areas if area.start <= window < area.end]
    lab.run_to_exit()
    lab.show(console(lab))
    lab.expect(window == chosen, "the window is where the fork found it")
    lab.expect(bool(areas) and areas[0].kind == "ukshm", "an area of its own lies there")
    lab.expect(
        said(lab, "when the list of areas is full") == "error 12",
        "no place in the books: an error, and no crash",
    )
    lab.expect(said(lab, "a second window") == "error 16", "one registration a process")


@step("who-may", points=2)
def who_may(lab: Lab) -> None:
    lab.boot("upcall", "register", memory_mib=8)
    ahead = lab.fork()
    ahead.run_to_exit()
    lab.ask(
        "A child of root asks for a role with a sound handler and a sound stack, but has become user 1000 "
        "before. Its handler would run in ring 3, with no more rights than the child has. Does the kernel agree?",
        choices=[
            "yes: ring 3 protects the kernel, whoever it is",
            "no: error 1, not permitted",
            "yes, but it is never called",
        ],
        answer=1 if said(ahead, "not as root") == "-1" else 0,
        hint="What is handed to a firewall? Whose is it?",
    )
    lab.run_to_exit()
    lab.show(console(lab))
    open_door = ran(lab, "register", ukshm__privileged="off")
    lab.say("The same with `ukshm.privileged=off`:")
    lab.show(
        Text(
            "In the child, as user 1000:",
            tuple(line for line in str(open_door.console).splitlines() if "not as root" in line),
        )
    )
    nonsense = [line for line in str(lab.console).splitlines() if line.startswith("2: a ")][:8]
    lab.expect(all(line.endswith(": -14") for line in nonsense), "eight wrong addresses: error 14, each")
    lab.expect(said(lab, "a second role") == "-16", "one role a process")
    lab.expect(said(lab, "the parent's role") == "-16", "one process a role")
    lab.expect(said(lab, "not as root") == "-1", "user 1000 is refused")
    lab.expect(said(open_door, "not as root") == "0", "with the switch off, user 1000 would be the firewall")


@step("into-ring-3", points=2)
def into_ring_3(lab: Lab) -> None:
    lab.boot("upcall", "sum", memory_mib=8)
    lab.run_until(Call("upcall_submit"))
    asker = lab.inspector.process()
    lab.run_until(Call("upcall_deliver"))
    lab.run_until(Call("window_share"))
    called = lab.inspector.process()
    assert asker is not None and called is not None
    lab.say(
        f"Process {asker.pid} has written `call netfs 100` to /dev/upcall. The kernel now runs on behalf of "
        f"process {called.pid}, which registered `handler`; that process was asleep in a system call of its own."
    )
    copy = lab.fork()
    seq = to_handler(copy)
    copy.step()  # the return is told of with the instruction behind it
    last = [event for event in copy.events.since(seq).of(Kind.RETURN) if isinstance(event, Returned)][-1]
    lab.ask(
        "The kernel is in ring 0, `handler` is to run in ring 3. Which instruction takes the CPU there?",
        choices=["CALL", "JMP", "SYSRET or IRET", "INT"],
        answer=2 if last.instruction in ("sysret", "iret") and last.to_cpl == 3 else 0,
        hint="CALL and JMP in 64-bit mode do not change the ring downwards. What does the kernel use every day?",
    )
    to_handler(lab)
    now = lab.registers
    top, frame = now["rsp"], lab.memory(now["rdi"], struct.calcsize(UPCALL))
    number, role, operation, address, length, capacity, *_ = struct.unpack(UPCALL, frame)
    lab.show(told(copy, seq, "How it came there:", Kind.UPCALL, Kind.RETURN), registers(lab))
    lab.show(lab.dump(top, 8 + len(frame)))
    lab.show(
        Text(
            "struct upcall, which RDI points to:",
            (
                f"id {number}, role {role}, operation {operation}",
                f"address {hexadecimal(address)}, length {length}, capacity {capacity}",
            ),
        )
    )
    back = int.from_bytes(lab.memory(top, 8), "little")
    lab.ask(
        "Suppose `handler` is an ordinary C function that ends with RET. Where will that go?",
        choices=[
            "back into the kernel",
            "to where the program was interrupted",
            "to address 0: a page fault",
        ],
        answer=2 if back == 0 else 1,
        hint="RET takes the eight bytes that RSP points to. They are in the dump.",
    )
    user, kernels = lab.walk(address), lab.walk(lab.kernel_alias(address))
    lab.show(lab.space(), user, kernels)
    lab.expect(now["cpl"] == 3, "the handler runs in ring 3")
    lab.expect(now["rip"] == lab.symbol("handler"), "at the address that was registered")
    lab.expect(last.instruction in ("sysret", "iret"), "the kernel returned to a place where nobody had been")
    stack = lab.symbol("stack")
    lab.expect(stack < top < now["rdi"] < stack + 2 * PAGE_BYTES, "RSP and RDI are on the registered stack")
    lab.expect(back == 0, "the return address is 0")
    running = lab.inspector.process()
    lab.expect(
        running is not None and running.pid == called.pid, "CR3 is that of the process that registered"
    )
    lab.expect(
        user.frame == kernels.frame and user.rows[-1].rights.startswith("user"),
        "the page is one frame for both",
    )
    lab.expect(
        kernels.rows[-1].rights.startswith("supervisor"), "the kernel's way to it is the kernel's alone"
    )


@step("the-answer", points=2)
def the_answer(lab: Lab) -> None:
    address = int(marked(lab, "ukshm_map")[-1].arguments["linear"])
    frame = lab.walk(address).frame
    assert frame is not None
    lab.ask(
        "The handler has read 100 bytes of that page. It ends with `ukshm_ack(id, length, verdict)`, an "
        "ordinary system call. The kernel sums up the bytes, too. In which order?",
        choices=[
            "sum up the bytes, clear the PTE, invalidate the entry",
            "clear the PTE, invalidate the entry, sum up the bytes",
            "clear the PTE, sum up the bytes; the CPU notices the PTE by itself",
        ],
        answer=1,
        hint="Who could change the bytes while the kernel reads them, and by which address does the kernel read?",
    )
    seq = lab.machine.journal.seq
    lab.run_until(happened(Kind.ACK))
    lab.show(told(lab, seq, "The acknowledgement:", Kind.MARK, Kind.INVALIDATE, Kind.ACK))
    unmapped, ended = marked(lab, "ukshm_unmap", seq)[0], marked(lab, "call_end", seq)[0]
    dropped = [
        event
        for event in lab.events.since(unmapped.seq).of(Kind.INVALIDATE)
        if isinstance(event, Invalidated) and event.seq < ended.seq
    ]
    freed = [mark for mark in marked(lab, "frame_owner", seq) if mark.arguments["frame_number"] == frame]
    lab.expect(bool(dropped), "the TLB's entry was dropped before the call ended")
    lab.expect(lab.walk(address).frame is None, "the program's PTE is empty")
    lab.expect(
        bool(freed and dropped) and dropped[0].seq < freed[0].seq,
        "only then was the frame used as the kernel's own",
    )
    lab.expect(not lab.tlb.within(address, address + 1).slots, "no TLB holds the window any more")

    lab.boot("upcall", "spin", memory_mib=8)
    lab.run_until(Call("window_share"))
    interrupted = {name: lab.value(f"{NETFS}.interrupted.{name}") for name in (*KEPT, "rip", "rflags")}
    vector = lab.value(f"{NETFS}.interrupted.vector")
    lab.say(
        "Another run. This time the program does not sleep: it goes round in a loop of its own and makes no "
        f"system call. Vector {vector} interrupted it, and on the way back the kernel delivers. The handler runs."
    )
    copy = lab.fork()
    copy.run_until(happened(Kind.ACK))
    copy.run_until(lambda event: isinstance(event, Returned) and event.to_cpl == 3)
    back = copy.events.of(Kind.RETURN)[-1]
    lab.ask(
        "The handler makes the system call `ukshm_ack`. Where does that system call return to?",
        choices=[
            "to the instruction behind SYSCALL, in the handler",
            "to the loop, at the instruction that the timer interrupted",
            "to the kernel's function that wanted the call",
        ],
        answer=1 if isinstance(back, Returned) and back.to_rip == interrupted["rip"] else 0,
        hint="Who has been waiting ever since the handler was entered?",
    )
    lab.run_until(happened(Kind.ACK))
    lab.run_until(lambda event: isinstance(event, Returned) and event.to_cpl == 3)
    lab.run_until(At(interrupted["rip"]))
    now = lab.registers
    changed = [name for name, value in interrupted.items() if now[name] != value]
    lab.show(registers(lab))
    lab.expect(vector == TIMER, "the timer had interrupted the loop, no system call")
    lab.expect(now["rip"] == interrupted["rip"], "the answer returned to the interrupted instruction")
    lab.expect(changed == [], "no register differs from what the interrupt found")


@step("the-kernel-goes-on", points=2)
def the_kernel_goes_on(lab: Lab) -> None:
    lab.boot("upcall", "killed", memory_mib=8)
    to_handler(lab)
    start, insn = lab.machine.journal.seq, lab.machine.journal.insn
    lab.ask(
        "This handler never answers: it sleeps for ever. The call is under way, its page is mapped. What can "
        "process 2 do meanwhile, which has ordered the call?",
        choices=[
            "nothing: whoever calls a function waits until it returns",
            "whatever it likes, but no system call: the kernel is busy",
            "whatever it likes, system calls too",
        ],
        answer=2,
        hint="`upcall_submit` puts the call into a queue. Does anything in it wait?",
    )
    lab.run_until(happened(Kind.MARK, name="process_exit"))
    meanwhile = lab.events.since(start)
    first_end = marked(lab, "call_end")
    others = [mark for mark in marked(lab, "switch", start) if mark.arguments["next_pid"] == 2]
    calls = [
        event
        for event in meanwhile.of(Kind.SYSCALL)
        if getattr(event, "result", 0) is None and event.seq > others[0].seq
    ]
    lab.say(
        f"Until the called process was told to die, {lab.machine.journal.insn - insn:,} instructions passed. "
        f"Process 2 got the CPU, made {len(calls)} system calls, and by one of them had the kernel examine all "
        "of its books."
    )
    lab.run_to_exit()
    lab.show(console(lab))
    lab.expect(not first_end, "all that time the call was not over")
    lab.expect(len(others) > 0 and len(calls) > 0, "the other process ran, and the kernel served it")
    lab.expect("self-check: 0 findings" in lab.console, "the kernel's books were in order with a page shared")
    lab.expect(ends(lab)[1] == "abandoned", "the call ended with the process that was to answer")

    lab.boot("upcall", "sum", "40", memory_mib=8)
    queue = 32
    ahead = lab.fork()
    ahead.run_to_exit()
    refused = sum("ordering a call: error -105" in line for line in str(ahead.console).splitlines())
    lab.ask(
        "Process 2 orders 40 calls in a row before the other one runs at all. What happens to them?",
        choices=[
            "all 40 wait, and are answered one after the other",
            "some wait, the others are refused at once",
            "the first waits, a later one takes its place",
        ],
        answer=1 if refused else 0,
        hint="Each call that waits holds a page. How long may a list be that somebody else can make longer?",
    )
    lab.run_to_exit()
    answered = sum(end == "answered" for end in list(ends(lab).values())[:queue])
    lab.show(Text("Of 40 calls:", (f"{answered} were answered, {refused} were refused with error 105",)))
    lab.expect(answered == queue and refused == 40 - queue, "the queue holds 32, and eight found it full")


@step("too-late", points=2)
def too_late(lab: Lab) -> None:
    lab.boot("upcall", "never", memory_mib=8)
    lab.run_until(Call("upcall_submit"))
    begin = lab.value("ticks")
    to_handler(lab)
    number = lab.value(f"{NETFS}.running->id")
    lab.ask(
        "Two calls were ordered, with 20 ticks of time each. The handler of the first sleeps for ever, so the "
        "second is never delivered. What becomes of the second?",
        choices=[
            "it waits for ever behind the first",
            "its time ends too: it began when the call was ordered",
            "it is delivered when the time of the first is over",
        ],
        answer=1,
        hint="Does a packet that waits in a queue grow younger?",
    )
    lab.run_until(happened(Kind.MARK, name="call_end"))
    waited = lab.value("ticks") - begin
    address = int(marked(lab, "ukshm_map")[-1].arguments["linear"])
    gone = lab.walk(address, process="3").frame is None
    handler = lab.value(f"{NETFS}.handler_id")
    lab.run_to_exit()
    lab.show(console(lab))
    how, asked = ends(lab), len(lab.events.of(Kind.UPCALL))
    lab.expect(how[1] == how[2] == "timed out", "both calls timed out")
    lab.expect(asked == 1, "and the handler was entered once")
    lab.expect(waited == 20, "after exactly 20 ticks")
    lab.expect(handler == number, "the handler was not stopped: it is still in that call")

    late = ran(lab, "touch")
    lab.ask(
        "Another handler sleeps for 40 ticks, and then writes to the page it was given. What does it meet?",
        choices=[
            "the page, with the bytes as they were",
            "another page of the kernel's, which is there by now",
            "a page fault, and its end",
        ],
        answer=2 if "killed: page fault" in late.console else 0,
        hint="What did the kernel do with the PTE when the time was over?",
    )
    lab.show(Text("Its end:", tuple(line for line in str(late.console).splitlines() if "killed" in line)))
    polite = ran(lab, "late")
    results = [
        int(event.arguments[-1]) for event in polite.events.of(Kind.ACK) if hasattr(event, "arguments")
    ]
    lab.say(
        "And a third one sleeps as long, touches nothing, and answers. The answers, and what they came to:"
    )
    lab.show(lab.told(list(polite.events.of(Kind.ACK)), "Acknowledgements:"))
    lab.expect(gone, "when the time was over, the page was unmapped, with the handler asleep in the middle")
    lab.expect("3: killed: page fault" in late.console, "who touches it then is ended, and nobody else")
    lab.expect(results[0] == -110, "an answer that is too late: error 110, timed out")
    lab.expect(
        "the called process ended with status 0" in polite.console, "and the program that gave it lives on"
    )


@step("false-answers", points=2)
def false_answers(lab: Lab) -> None:
    runs = {mode: ran(lab, mode) for mode in ("length", "verdict", "twice", "child")}
    errors = {
        "length": said(runs["length"], "an answer longer than the page"),
        "verdict": said(runs["verdict"], "an answer without sense"),
        "twice": said(runs["twice"], "the answer to the call before, once more"),
        "child": said(runs["child"], "the child answers"),
    }
    lab.ask(
        "Four handlers answer wrongly before they answer rightly. Which of these wrong answers does the kernel take?",
        choices=[
            "more bytes than the page has",
            "the number of the call before, once more",
            "the right number, said by a child of the handler's own",
            "none of them",
        ],
        answer=3 if all(text.startswith("-") for text in errors.values()) else 0,
        hint="An answer has a number, a length, a verdict, and somebody who gives it.",
    )
    lab.show(
        Text(
            "What each wrong answer came to:",
            (
                f"longer than the page      {errors['length']}   EINVAL",
                f"a verdict without sense   {errors['verdict']}   EINVAL",
                f"the call before, again    {errors['twice']}    ENOENT",
                f"a child answers           {errors['child']}    EPERM",
            ),
        )
    )
    lab.expect(errors["length"] == errors["verdict"] == "-22", "what makes no sense is refused")
    lab.expect(errors["twice"] == "-2", "a number is good for one answer")
    lab.expect(errors["child"] == "-1", "who was not asked cannot answer")
    lab.expect(
        all(list(ends(run).values())[:2] == ["answered"] * 2 for run in runs.values()),
        "behind each refusal the right answer was still taken",
    )

    lab.boot("upcall", "child", memory_mib=8, switches={"ukshm.ack_check": "off"})
    lab.ask(
        "The counter-example, `ukshm.ack_check=off`: the kernel takes an answer from whoever knows the number. "
        "The child answers 'no bytes, verdict 0' while its parent is busy. What does the parent's own answer come to?",
        choices=[
            "it replaces the child's",
            "it is refused: the call is over",
            "the kernel panics: a call that ends twice",
        ],
        answer=1,
        hint="The numbers count up: 1, 2, 3. What is left of call 1 when it has ended?",
    )
    lab.run_until(happened(Kind.MARK, name="call_end"))
    seq = lab.machine.journal.seq
    page = int(marked(lab, "ukshm_map")[-1].arguments["linear"])
    taken_away = lab.walk(page, process="3").frame is None
    lab.run_to_exit()
    acks = [list(getattr(event, "arguments", ())) for event in lab.events.of(Kind.ACK)]
    lab.show(lab.told(list(lab.events.of(Kind.ACK))[:2], "The first two answers:"), console(lab))
    lab.expect(seq > 0 and acks[0][0] == 4 and acks[0][-1] == 0, "the child's answer was taken")
    lab.expect(taken_away, "and the page was taken from under the parent's hands")
    lab.expect(acks[1][0] == 3 and acks[1][-1] == -2, "the answer of the one who was asked came to nothing")
    lab.expect(
        "call 1 answered: length 0, verdict 0" in lab.console, "the kernel acts on what a stranger said"
    )


@step("whatever-it-does", points=2)
def whatever_it_does(lab: Lab) -> None:
    lab.boot("upcall", "nested", memory_mib=8)
    ahead = lab.fork()
    ahead.run_to_exit()
    deepest = most_at_once(ahead)
    lab.ask(
        "A handler does something that makes the kernel call again: it orders a call itself. There is one "
        "upcall stack. When is the new call delivered?",
        choices=[
            "at once, on top of the running one, deeper on the same stack",
            "when the running one, and those that waited before it, are answered",
            "never: it is refused",
        ],
        answer=1 if deepest == 1 else 0,
        hint="Signals in a Unix process are held back while their handler runs. Why?",
    )
    lab.run_to_exit()
    calls = list(lab.events.of(Kind.UPCALL, Kind.ACK))
    lab.show(lab.told(calls[:8], "Calls and answers, in their order:"))
    back = 0
    for ack, upcall in zip(calls[1:7:2], calls[2:8:2], strict=True):
        back += to_ring_3(lab, ack.seq, upcall.seq)
    lab.expect(most_at_once(lab) == 1, "never were two handlers under way")
    lab.expect(
        [getattr(event, "arguments", [0, 0])[1] for event in calls[:8:2]] == [1, 2, 3, 4],
        "first come, first served",
    )
    lab.expect(
        back == 0,
        "between two calls that wait, the interrupted program itself did not get a single instruction",
    )

    lab.say("Now six handlers that do their worst, six machines, and what is left when each run has ended:")
    rows: list[str] = []
    whole = True
    for mode in ("fault", "return", "exit", "never", "touch", "killed"):
        other = ran(lab, mode)
        balance = marked(other, "balance")[0].arguments
        status = said(other, "the called process ended with status")
        order = other.ended is not None and other.ended.code == IN_ORDER
        shared = other.value("ukshm_statistics.pages")
        rows.append(
            f"{mode:<8} {ends(other)[1]:<10} {status:>4}    {balance['free_at_start']} = {balance['free_at_end']}"
            f"   {shared:>3}       {'in order' if order else 'NOT IN ORDER'}"
        )
        whole = whole and order and balance["free_at_start"] == balance["free_at_end"] and not shared
        if mode == "return":
            lab.notes.returned = "fetch" in said(other, "killed: page fault at")
    lab.ask(
        "How many of the six took a page of the kernel's memory with them into the grave?",
        choices=["none", "those that never answered", "all: a shared page belongs to the program"],
        answer=0 if whole else 1,
        hint="Whose frame was it before the call?",
    )
    lab.show(
        Text(
            "What each handler did, and what became of it:",
            ("handler  the call   status  free before, after  shared  the guest ended", *rows),
        )
    )
    lab.expect(whole, "every page came back, and every guest ended in order")
    lab.expect(bool(lab.notes.returned), "the one that returned fetched its next instruction at address 0")
