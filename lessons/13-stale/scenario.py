# SPDX-License-Identifier: GPL-2.0-or-later
"""Lesson "stale": a page is taken back; what the TLB remembers of it, for how long, and in whose memory that ends."""

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from emu.bits import PAGE_BYTES, hexadecimal
from emu.events import Accessed, Event, Faulted, Invalidated, Marked, SyscallEntered
from emu.lesson import At, Call, Kind, Lab, Text, happened, step

GUEST, HOST = "52:54:00:12:34:56", "02:00:0a:00:00:02"
PAYLOAD = b"hello"
PCIDE = 17
PAGES = 1100
"""More than a level 2 of 1,024 entries can hold beside the window."""
OTHERS = ("pentium3", "haswell", "zen2")


def setup(lab: Lab) -> None:
    lab.boot("stale")


# -- helpers ----------------------------------------------------------------------------------------------------------


def pfn(lab: Lab, linear: int) -> int:
    """The frame that the page tables give for `linear` now."""
    frame = lab.walk(linear).frame
    assert frame is not None
    return frame


def held(lab: Lab, linear: int) -> bool:
    """Whether some TLB holds a translation of the page."""
    return bool(lab.tlb.within(linear, linear + 1).slots)


def stale_accesses(lab: Lab, seq: int = 0) -> list[Accessed]:
    """What ring 3 has read and written through translations that memory contradicted."""
    found = lab.events.since(seq).of(Kind.ACCESS, stale=True, cpl=3)
    return [event for event in found if isinstance(event, Accessed) and event.type != "fetch"]


def last_fault(lab: Lab) -> Faulted | None:
    """The last page fault of ring 3, if there was one at all."""
    faults = [event for event in lab.events.of(Kind.FAULT, vector=14, cpl=3) if isinstance(event, Faulted)]
    return faults[-1] if faults else None


def owner_change(frame: int, owner: str) -> object:
    """A condition: the kernel has just given the frame to FRAME_`owner`."""

    def test(event: Event) -> bool:
        return (
            isinstance(event, Marked)
            and event.name == "frame_owner"
            and event.arguments["frame_number"] == frame
            and event.arguments["owner"] == f"FRAME_{owner}"
        )

    return test


def entries(lab: Lab, frame: int, title: str) -> Text:
    """The TLB entries that reach a frame."""
    return Text(title, tuple(lab.tlb.reaching(frame).lines()))


# -- steps ------------------------------------------------------------------------------------------------------------


@step("what-has-to-go", points=2)
def what_has_to_go(lab: Lab) -> None:
    lab.run_until(Call("write_while_shared"), then="return")
    window = lab.value("window")
    frame = pfn(lab, window)
    alias = lab.kernel_alias(window)
    lab.notes.frame, lab.notes.alias = frame, alias
    lab.say(
        f"The program shares one page with the kernel and has written to it. The window is "
        f"{hexadecimal(window)}, the frame {frame:#x}."
    )
    lab.show(lab.walk(window), entries(lab, frame, "Every TLB entry that reaches the frame now:"))
    lab.ask(
        "The page is to become the kernel's alone. What has to go, so that the program cannot reach it any more?",
        choices=[
            "the window's PTE: a translation without an entry in memory is none",
            "the window's PTE, and every TLB entry that was made from it",
            "the window's PTE, and every TLB entry that reaches the frame, the kernel's too",
        ],
        answer=1,
        hint="Who may use which entry? Look at the letters after the arrow: U is for everybody, S for ring 0.",
    )
    lab.ask(
        "Three acts: clear the PTE (C), invalidate the TLB's copy of it (I), give the frame to somebody else (G). "
        "In which order is it safe, whatever the CPU does meanwhile?",
        choices=["C, G, I", "I, C, G", "C, I, G", "G, C, I"],
        answer=2,
        hint="Between I and C a walk may come, and C has not happened. What would it fill the TLB with?",
    )
    slots = lab.tlb.reaching(frame).slots
    lab.expect(lab.frames[frame].owner == "shared", "the frame is shared")
    lab.expect(lab.walk(window).dirty, "the program's store has set D in the window's PTE")
    lab.expect(held(lab, window), "a TLB holds the window's translation: the store has just used it")
    lab.expect(
        all(slot.rights.startswith("U") == (slot.linear == window) for slot in slots),
        "of the entries that reach the frame, only the window's may be used by ring 3",
    )


@step("between-two-instructions", points=2)
def between_two_instructions(lab: Lab) -> None:
    window, frame = lab.value("window"), lab.notes.frame
    lab.run_until(happened(Kind.MARK, name="ukshm_unmap"))
    seq = lab.machine.journal.seq
    lab.run_until(Kind.INVALIDATE)
    lab.step_back(1)
    was_held = held(lab, window)
    cleared = lab.walk(window)
    still_shared = lab.frames[frame].owner == "shared"
    lab.say(
        "The program has called `ukshm_unregister`. The kernel has cleared the PTE; its next instruction is "
        "INVLPG. We have stopped between the two."
    )
    lab.ask(
        "A TLB still holds the window's translation, if it is not a tiny one. Suppose that a store by ring 3 to the "
        "window came at this very moment. What would become of it?",
        choices=[
            "a page fault: the PTE has P = 0",
            "it would be carried out, in the frame that was shared",
            "the CPU would compare the TLB with the PTE and walk again",
        ],
        answer=1 if was_held else 0,
        hint="Does a hit read the PTE?",
    )
    lab.show(cleared, entries(lab, frame, "Every TLB entry that reaches the frame:"))
    lab.ask(
        "Why is it no mistake that the kernel lets this moment exist?",
        choices=[
            "INVLPG is so fast that no store fits in before it",
            "on this CPU only the kernel runs now, with interrupts off; and the frame is nobody else's yet",
            "the TLB ignores entries whose PTE was cleared",
        ],
        answer=1,
        hint="Who would have to run for a store to come? And whose data would it meet?",
    )
    lab.step()
    done = lab.events.since(seq).of(Kind.INVALIDATE)[-1]
    after_invlpg = held(lab, window)
    lab.show(lab.told([done], "One instruction later:"))
    lab.run_until(owner_change(frame, "FREE"))  # type: ignore[arg-type]
    freed = lab.events.since(seq).of(Kind.MARK, name="frame_owner")[-1]
    lab.show(
        lab.told([freed], "And after that:"),
        entries(lab, frame, "Every TLB entry that reaches the frame now:"),
    )
    lab.expect(cleared.frame is None and still_shared, "the PTE was cleared while the frame was still shared")
    lab.expect(
        bool(cleared.tlb) == was_held and (not was_held or not after_invlpg),
        "what the TLB held of the window, INVLPG took out",
    )
    lab.expect(done.seq < freed.seq, "only after the invalidation the frame was given to the free list")
    lab.expect(not held(lab, window), "and no TLB knew the window then")
    lab.expect(not lab.events.since(seq).of(cpl=3), "no instruction of ring 3 came in between")


@step("too-late", points=2)
def too_late(lab: Lab) -> None:
    window = lab.value("window")
    lab.run_until(At("write_too_late"))
    seq = lab.machine.journal.seq
    lab.ask(
        "The program has kept the pointer, and now stores through it. What does the CPU do, and what does the kernel?",
        choices=[
            "the CPU reports a page fault, and the kernel brings a page of zeros: the address is the program's",
            "the CPU reports a page fault, and the kernel ends the process",
            "the CPU carries the store out: the page is still in memory",
        ],
        answer=1,
        hint="The area `ukshm` went with the pages. What is the kernel's reason to bring a page to an address?",
    )
    lab.run_until(Kind.FAULT)
    fault = last_fault(lab)
    assert fault is not None
    lab.show(lab.told([fault], "The store:"))
    lab.run_to_exit()
    lab.show(Text("The console, to the end:", tuple(lab.console.lines())))
    lab.expect(fault.cr2 == window and fault.error == 6, "a write in user mode to what is not present")
    lab.expect(not stale_accesses(lab, seq), "no access went through a stale entry")
    lab.expect("killed: page fault" in lab.console, "the process was ended; the kernel went on")


@step("one-instruction-less", points=3)
def one_instruction_less(lab: Lab) -> None:
    lab.boot("stale", switches={"ukshm.invalidate": "none"})
    lab.run_until(At("write_too_late"))
    window = lab.value("window")
    was_held = held(lab, window)
    known = lab.tlb.within(window, window + 1).slots
    frame = known[0].frame if known else lab.notes.frame
    alias = lab.notes.alias
    before, start = lab.memory(alias, 1), lab.snapshot()
    lab.say(
        "The same program once more; the kernel leaves out one instruction, INVLPG: `ukshm.invalidate=none`. Again "
        "the program is about to store to the page that it has given back."
    )
    lab.show(lab.walk(window), entries(lab, frame, "Every TLB entry that reaches the frame:"))
    lab.ask(
        "The PTE is zero. What becomes of the store this time?",
        choices=["a page fault, as before", "it is carried out, and nobody is told"],
        answer=int(was_held),
        hint="Look at the dots under the walk, or the list: is the window in a TLB? With which rights?",
    )
    lab.ask(
        "Whose frame is that now?",
        choices=[
            "still shared",
            "the program's",
            "nobody's: it is on the free list",
            "the kernel's page table",
        ],
        answer={"shared": 0, "user": 1, "free": 2}.get(lab.frames[frame].owner, 3),
        hint="`ukshm_unregister` came back without an error. What did it do with the frame?",
    )
    lab.show(Text("The frame:", tuple(lab.frames.part(frame, frame + 1).lines())))
    seq = lab.machine.journal.seq
    checker = lab.check("stale")
    lab.step_line()
    accesses = stale_accesses(lab, seq)
    if accesses:
        lab.show(lab.told([accesses[-1]], "The store:"))
    lab.show(
        Text(
            "What a checker that compares TLBs with memory found, the moment before:",
            tuple(str(finding) for finding in checker.errors) or ("nothing",),
        )
    )
    after = lab.memory(alias, 1)
    changes = lab.frames_changed(start)
    lab.show(changes)
    lab.run_to_exit()
    lab.show(Text("The console, to the end:", tuple(lab.console.lines())))
    lab.notes.none = was_held
    lab.expect(bool(accesses) == was_held, "the store went through, as long as a TLB held the window")
    lab.expect(
        not was_held or (before, after) == (b"a", b"b"),
        "the byte is in the frame that was given back: the kernel's own address shows it",
    )
    lab.expect(
        any(change.by_ring_3 for change in changes.kernel) == was_held,
        "ring 3 has written to a frame that is the kernel's, if the window was held",
    )
    lab.expect(
        ("DAMAGE" in lab.console) == was_held, "and then there was no fault: the program tells the tale"
    )
    lab.expect(bool(checker.errors) == was_held, "whoever compares the TLB with memory finds the entry")


@step("somebody-elses-page", points=2)
def somebody_elses_page(lab: Lab) -> None:
    lab.boot("early", switches={"ukshm.invalidate": "none"})
    lab.run_until(happened(Kind.MARK, name="ukshm_unmap"))
    unmapped = lab.events.of(Kind.MARK, name="ukshm_unmap")[-1]
    assert isinstance(unmapped, Marked)
    frame, window = int(unmapped.arguments["frame_number"]), int(unmapped.arguments["linear"])
    lab.run_until(lambda event: is_call(event, "SYS_open") and "switches" in opened(lab))
    lab.run_until(lambda event: isinstance(event, SyscallEntered) and event.result is not None)
    owner = lab.frames[frame].owner
    was_held = held(lab, window)
    lab.say(
        f"A free frame hurts nobody. So here is another program, `early`. It was called by the kernel with a page, "
        f"frame {frame:#x}, and has answered; the page was unmapped, without INVLPG, and given back. Then the program "
        "opened `/proc/switches`, and the kernel took a page for the text of that file."
    )
    lab.show(
        Text("The frame now:", tuple(lab.frames.part(frame, frame + 1).lines())),
        Text(
            "Its first bytes, by the kernel's address:",
            tuple(lab.memory(direct(lab, frame), 48).lines()),
        ),
    )
    lab.ask(
        "Through its old address, what can the program do to this page?",
        choices=[
            "nothing: the frame has another owner",
            "read it: what it may write was settled when the page was shared",
            "read it and write it",
        ],
        answer=2 if was_held else 0,
        hint="The rights are in the TLB's entry, as they were in the PTE it was made from. Who looks at the owner?",
    )
    lab.show(entries(lab, frame, "Every TLB entry that reaches the frame:"))
    seq = lab.machine.journal.seq
    lab.run_to_exit()
    forged = "FORGED" in lab.console
    lab.show(Text("The console, to the end:", tuple(lab.console.lines())))
    accesses = stale_accesses(lab, seq)
    lab.say(f"{len(accesses)} accesses by ring 3 went through the stale entry and left an event.")
    lab.expect(owner == "kernel", "the frame is the kernel's own, and holds a text")
    lab.expect(was_held == forged, "the program has written in the kernel's text, if a TLB held the window")
    lab.expect(not forged or "there is a text of the kernel" in lab.console, "and it has read there before")
    lab.expect(
        forged or last_fault(lab) is not None, "a TLB that had lost the entry made it a page fault instead"
    )


def is_call(event: Event, name: str) -> bool:
    """Whether `event` is the entry to that system call."""
    return isinstance(event, SyscallEntered) and event.name == name and event.result is None


def opened(lab: Lab) -> str:
    """The name that the program is about to open."""
    call = lab.events.of(Kind.SYSCALL)[-1]
    assert isinstance(call, SyscallEntered)
    return lab.memory(call.arguments[0], 16).split(b"\0")[0].decode("ascii", "replace")


def direct(lab: Lab, frame: int) -> int:
    """The kernel's own address of a frame, in the direct map."""
    known = lab.notes.alias - lab.notes.frame * PAGE_BYTES
    return known + frame * PAGE_BYTES


@step("the-wrong-order", points=2)
def the_wrong_order(lab: Lab) -> None:
    lab.boot("early", switches={"ukshm.order": "free_first"})
    lab.run_until(Kind.ACK)
    seq = lab.machine.journal.seq
    lab.say(
        "Now the kernel leaves out nothing. It clears the PTE and it executes INVLPG, but later: at the answer it "
        "gives the page back, and tidies up at the next tick of the timer. `ukshm.order=free_first`. The same program, "
        "`early`."
    )
    forked = lab.fork()
    forked.run_to_exit()
    lab.ask(
        "Does the program reach the kernel's text?",
        choices=["no: every invalidation is made", "yes", "only if a TLB holds the entry"],
        answer=1 if "FORGED" in forked.console else 0,
        hint="What comes between the answer and the next tick? Who runs?",
    )
    lab.ask(
        "While the program writes to the page, how many stale entries does the TLB hold for it?",
        choices=["none", "one, in level 1", "one in level 1 and one in level 2"],
        answer=min(2, len(stale_accesses(forked, seq))),
        hint="Stale means that memory says something else. What does the PTE say before the tick?",
    )
    lab.run_until(lambda event: is_call(event, "SYS_read"))
    page = lab.value("page")
    frame = lab.walk(page).frame
    walk = lab.walk(page)
    assert frame is not None
    owner = lab.frames[frame].owner
    lab.say("The program has written its word, and is about to read the file.")
    lab.show(walk, Text("The frame:", tuple(lab.frames.part(frame, frame + 1).lines())))
    lab.run_until(happened(Kind.MARK, name="ukshm_unmap"))
    lab.run_until(Kind.INVALIDATE)
    gone = lab.walk(page)
    lab.show(lab.told(list(lab.events[-1:]), "At the next tick, at last:"))
    lab.run_to_exit()
    lab.show(Text("The console, to the end:", tuple(lab.console.lines())))
    lab.expect("FORGED" in lab.console, "the program has written in the kernel's text")
    lab.expect(owner == "kernel", "the frame was the kernel's by then")
    lab.expect(
        walk.frame == frame and walk.rows[-1].rights.startswith("user"), "and its PTE still let ring 3 in"
    )
    lab.expect(
        not stale_accesses(lab, seq), "no stale entry had a part in it: memory said the same as the TLB"
    )
    lab.expect(gone.frame is None, "the PTE was cleared, and invalidated, too late")


@step("a-packet-on-its-way", points=2)
def a_packet_on_its_way(lab: Lab) -> None:
    payloads: dict[str, bytes] = {}
    consoles: dict[str, str] = {}
    for word in ("all", "none"):
        lab.boot("ghost", switches={"firewall.path": "ukshm", "ukshm.invalidate": word}, network=True)
        lab.run_until(
            lambda event: (
                isinstance(event, SyscallEntered)
                and event.name == "SYS_ukshm_register"
                and event.result is not None
            )
        )
        packet = (
            Ether(src=HOST, dst=GUEST) / IP(src="10.0.0.2", dst="203.0.113.9") / UDP(sport=1000, dport=53)
        )
        lab.inject(packet / PAYLOAD)
        if word == "none":
            lab.ask(
                "The same with `ukshm.invalidate=none`. The program writes GHOST over the packet's first five bytes. "
                "What does the far end receive?",
                choices=["hello", "GHOST", "nothing: the kernel drops a packet that was changed"],
                answer=lambda lab: answer_of(payload_ahead(lab)),
                hint="The kernel looked at the packet when it was its own again. When does the card take it?",
            )
        else:
            lab.say(
                "The letter's own case. `ghost` is a firewall: the kernel calls it with each packet's page, it lets "
                "the packet pass unchanged, and the page is the kernel's again. Then, when the packet lies ready for "
                "the card, it writes to it. First with every invalidation in its place."
            )
            lab.ask(
                "What does the far end receive?",
                choices=["hello", "GHOST", "nothing: the kernel drops a packet that was changed"],
                answer=lambda lab: answer_of(payload_ahead(lab)),
                hint="Does the program's store get as far as the packet?",
            )
        payloads[word] = run_to_packet(lab)
        consoles[word] = str(lab.console)
        lab.show(Text(f"ukshm.invalidate={word}:", (*lab.console.lines()[1:], f"sent: {payloads[word]!r}")))
    accesses = stale_accesses(lab)
    if accesses:
        lab.show(lab.told(accesses[-1:], "The last stale access of the second run:"))
    haunted = "no fault stopped me" in consoles["none"]
    lab.expect(payloads["all"] == PAYLOAD, "with INVLPG the packet leaves as the firewall let it pass")
    lab.expect("killed: page fault" in consoles["all"], "and the program's late store is a page fault")
    lab.expect(
        haunted == (payloads["none"] != PAYLOAD),
        "without it, what leaves is what the program wrote afterwards",
    )
    lab.expect(haunted == bool(accesses), "through a stale entry, and only if the TLB still held one")


def run_to_packet(lab: Lab) -> bytes:
    """On until the first UDP datagram has left by eth1, and its payload."""
    for _ in range(20):
        lab.run_until(happened(Kind.DMA, device="eth1", write=False))
        for frame in lab.sent("eth1"):
            sent = Ether(bytes(frame))
            if UDP in sent:
                return bytes(sent[UDP].payload)
    return b""


def payload_ahead(lab: Lab) -> bytes:
    """The same, on a copy."""
    return run_to_packet(lab.fork())


def answer_of(payload: bytes) -> int:
    """Which of the choices the payload is."""
    return {PAYLOAD: 0, b"GHOST": 1}.get(payload, 2)


@step("how-long", points=2)
def how_long(lab: Lab) -> None:
    lab.say(
        f"`linger` is `stale` with something in between: it reads {PAGES:,} pages of its own, one after the other, "
        "before it stores through the old pointer; and it can sleep, so that another process runs. The kernel never "
        "invalidates."
    )
    survived = {name: pages_survived(lab.beside(name)) for name in OTHERS}
    own = lab.machine.geometry.name
    if own not in survived:
        survived[own] = pages_survived(lab.beside())
    lab.ask(
        "A Pentium III has one TLB of 64 entries for data, a Haswell a level 2 of 1,024 behind it, a Zen 2 one of "
        "2,048. After how many pages has each forgotten the window?",
        choices=[
            "all at once: an entry that has become stale is the first to go",
            "the Pentium III within the first 64, the Haswell within 1,024, the Zen 2 not in these pages",
            "never: what is stale cannot be evicted",
        ],
        answer=1 if survived["pentium3"] < survived["haswell"] < PAGES == survived["zen2"] else 0,
        hint="Nothing in a TLB knows that an entry is stale. Which entries does LRU give up?",
    )
    rows = tuple(
        f"{name[:12]:<12} {'held to the end' if count == PAGES else f'gone after {count:,} pages'}"
        for name, count in survived.items()
    )
    lab.show(Text("How long the stale entry lives:", rows))
    outcomes: dict[str, bool] = {}
    for pcid in ("off", "on"):
        other = lab.beside("haswell")
        other.boot("linger", "0", "1", switches={"ukshm.invalidate": "none", "cpu.pcid": pcid})
        other.run_to_exit()
        outcomes[pcid] = "DAMAGE" in other.console
        lab.notes.pcid = bool(other.registers["cr4"] >> PCIDE & 1)
    lab.ask(
        "On a Haswell, without any pages in between, but a sleep of one tick: the idle process runs, and then the "
        "program again. With PCIDs, and without: where does the late store do its damage?",
        choices=["in neither case", "without PCIDs", "with PCIDs", "in both"],
        answer=outcomes["off"] + 2 * outcomes["on"],
        hint="What does MOV to CR3 do to the TLB's entries, with a PCID and without?",
    )
    lab.show(
        Text(
            "After a sleep:",
            tuple(
                f"cpu.pcid={word:<4} {'DAMAGE' if hurt else 'page fault'}" for word, hurt in outcomes.items()
            ),
        )
    )
    lab.expect(survived["pentium3"] < survived["haswell"], "the smaller TLB forgets sooner")
    lab.expect(survived["zen2"] == PAGES, "the largest has not forgotten at all")
    lab.expect(not outcomes["off"], "without PCIDs the switch to another process hides the mistake")
    lab.expect(outcomes["on"] == lab.notes.pcid, "with PCIDs, where the CPU has them, it comes out")


def pages_survived(lab: Lab) -> int:
    """On a machine beside: how many pages the program could read before no TLB held the window any more."""
    lab.boot("linger", str(PAGES), switches={"ukshm.invalidate": "none"})
    lab.run_until(At("read_pages"))
    window = lab.value("window")
    while held(lab, window):
        lab.run_until(lambda event: ended(event) or is_eviction(event, window))
        if ended(lab.events[-1]):
            return PAGES
    return lab.value("touched")


def is_eviction(event: Event, window: int) -> bool:
    """Whether the window has lost a place in a TLB."""
    return event.kind is Kind.TLB_EVICT and getattr(event, "page", None) == window // PAGE_BYTES


def ended(event: Event) -> bool:
    """Whether the program is over: it was killed, or exits."""
    return isinstance(event, Marked) and event.name == "process_exit"


# -- the lab ----------------------------------------------------------------------------------------------------------

LAB_LIMIT = 20_000_000
"""Far more instructions than any of these runs takes: a student's kernel may loop."""


@step("mend", points=4, lab=True)
def mend(lab: Lab) -> None:
    lab.boot("stale")
    lab.run_until(Call("write_while_shared"), LAB_LIMIT, then="return")
    window = lab.value("window")
    frame = pfn(lab, window)
    lab.run_until(happened(Kind.MARK, name="ukshm_unmap"), LAB_LIMIT)
    seq = lab.machine.journal.seq
    cleared = to_first_invalidation(lab, window)
    lab.run_until(At("write_too_late"), LAB_LIMIT)
    told = [event for event in lab.events.since(seq).of(Kind.INVALIDATE) if isinstance(event, Invalidated)]
    is_held, freed = held(lab, window), lab.frames[frame].owner == "free"
    lab.say("`stale` on your kernel. It has given its page back, and is about to store to it.")
    lab.show(lab.walk(window), entries(lab, frame, "Every TLB entry that reaches the frame:"))
    lab.show(lab.told(list(told), "What the kernel has told the TLB since it began to unmap:"))
    comment(lab, window, told, cleared, is_held)
    at = lab.machine.journal.seq
    lab.run_to_exit(LAB_LIMIT)
    lab.show(Text("The console, to the end:", tuple(lab.console.lines())))
    lab.expect(bool(told), "between the unmapping and the program's next instruction the TLB was told of it")
    lab.expect(
        cleared or not told,
        "whenever the TLB was told, the PTE was clear already: no walk could fill it again",
    )
    lab.expect(not is_held, "when ring 3 runs again, no TLB holds the window")
    lab.expect(not stale_accesses(lab, at), "no access of ring 3 went through a stale entry")
    lab.expect(
        "killed: page fault" in lab.console, "the late store was a page fault, and the program paid for it"
    )
    lab.expect(freed, "the frame went back to the free list: `ukshm_unmap_page` says which one it was")
    gone = sum(len(event.dropped) for event in told if event.scope.startswith("all"))
    if gone > 1:
        lab.say(
            f"It is safe, and expensive: {gone} entries are gone, and each costs a walk when it is wanted again. "
            "One page has changed; INVLPG drops one page."
        )
    mend_early(lab.beside(), lab)


def mend_early(other: Lab, lab: Lab) -> None:
    """The same with the page of a reverse syscall, and with a program that is up to something."""
    other.boot("early")
    other.run_to_exit(LAB_LIMIT)
    lab.show(Text("`early`, which forges the kernel's text if it can:", tuple(other.console.lines())))
    lab.expect(other.ended is not None and other.ended.code == 0x10, "the guest ends in order")
    lab.expect("FORGED" not in other.console, "and the kernel's text is the kernel's")
    lab.expect(not stale_accesses(other), "no stale entry had a part in that")


def to_first_invalidation(lab: Lab, window: int) -> bool:
    """On to the kernel's first word to the TLB, or to its return; whether the PTE was clear by then."""
    seq = lab.machine.journal.seq
    lab.run_until(
        lambda event: (
            event.kind is Kind.INVALIDATE or (isinstance(event, SyscallEntered) and event.result is not None)
        ),
        LAB_LIMIT,
    )
    return bool(lab.events.since(seq).of(Kind.INVALIDATE)) and lab.walk(window).frame is None


def comment(lab: Lab, window: int, told: list[Invalidated], cleared: bool, is_held: bool) -> None:
    """What is still wrong, and where to look."""
    if not told:
        lab.say(
            "Nothing. The walk above finds no page; the TLB was never asked to forget the one that it knew. Look at "
            "the comment in `kernel/ukshm_unmap.c`."
        )
    elif not cleared:
        lab.say(
            "You invalidate while the PTE is still there. On this board nothing comes in between; on another CPU a "
            "walk may, and fills the TLB again. First memory, then the TLB."
        )
    elif is_held:
        lab.say(
            f"The TLB was told something, but not this: it still holds the window, {hexadecimal(window)}. Compare the "
            "address, and what was dropped. With PCIDs, a load of CR3 with bit 63 set drops nothing."
        )
