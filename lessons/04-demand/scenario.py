# SPDX-License-Identifier: GPL-2.0-or-later
"""Lesson "demand": memory is promised, comes at the first touch, and is shared by a fork until somebody writes."""

from emu.bits import PAGE_BYTES
from emu.events import Event, Faulted, Marked, SyscallEntered
from emu.lesson import At, Call, Kind, Lab, Text, happened, step

PARENT, CHILD = "2", "3"
"""Process numbers: init is 1, and no number is given twice."""
FETCH = 0x10
"""The I/D flag of a page fault's error code."""
FEW = 3


def setup(lab: Lab) -> None:
    lab.boot("demand")


def taken(lab: Lab, seq: int, owner: str) -> int:
    """How many frames the kernel has given out as FRAME_`owner` since event number `seq`."""
    marks = lab.events.since(seq).of(Kind.MARK, name="frame_owner")
    return sum(isinstance(mark, Marked) and mark.arguments.get("owner") == f"FRAME_{owner}" for mark in marks)


def to_access(lab: Lab, linear: int, kind: str) -> Event:
    """On until the CPU has read or written at `linear`, and that access."""
    lab.run_until(happened(Kind.ACCESS, linear=linear, type=kind))
    return lab.events.of(Kind.ACCESS, linear=linear, type=kind)[-1]


def to_fault(lab: Lab) -> Faulted:
    """On to the next page fault of a program, and what it was."""
    lab.run_until(happened(Kind.FAULT, vector=14, cpl=3))
    fault = lab.events.of(Kind.FAULT)[-1]
    assert isinstance(fault, Faulted)
    return fault


def mapped_pages(lab: Lab, kind: str) -> list[int]:
    """The pages of the running process's areas of a kind that have a frame now."""
    areas = [area for area in lab.space().areas if area.kind == kind]
    pages = [page for area in areas for page in range(area.start, area.end, PAGE_BYTES)]
    return [page for page in pages if lab.walk(page).frame is not None]


def is_mmap(event: Event, done: bool) -> bool:
    """Whether `event` is the entry to mmap, or the return from it."""
    return (
        isinstance(event, SyscallEntered) and event.name == "SYS_mmap" and (event.result is not None) == done
    )


@step("the-first-instruction", points=2)
def the_first_instruction(lab: Lab) -> None:
    lab.run_until(At("_start"))
    start = lab.inspector.rip()
    lab.say("The next instruction is the program's first: `_start`. Here is its address space.")
    lab.show(lab.space())
    image, stack = mapped_pages(lab, "image"), mapped_pages(lab, "stack")
    lab.ask(
        "How many of the program's own pages, of code, constants and variables, are in memory now?",
        choices=["none", "the page of its first instruction", "all of them"],
        answer=min(len(image), 2),
        hint="Something must have read them from the file. Has anybody had a reason to?",
    )
    forked = lab.fork()
    error = to_fault(forked).error or 0
    lab.ask(
        "The CPU fetches the program's first instruction. What comes of it?",
        choices=[
            "it is executed: a program is loaded before it starts",
            "a page fault on a read of data: the instruction's address is on no page",
            "a page fault on a fetch: the page of the instruction itself is not there",
        ],
        answer=2 if error & FETCH else 1,
        hint="A fetch is translated like any other access. What does the walk find?",
    )
    lab.show(lab.walk(start))
    seq = lab.machine.journal.seq
    fault = to_fault(lab)
    lab.show(lab.told([fault], "The first instruction, at the first try:"))
    lab.run_until(happened(Kind.MARK, name="file_page"))
    brought = lab.events.of(Kind.MARK, name="file_page")[-1]
    lab.run_until(happened(Kind.ACCESS, type="fetch", cpl=3))
    fetched = lab.events.of(Kind.ACCESS, type="fetch", cpl=3)[-1]
    lab.show(
        lab.told([brought, *lab.events.since(seq).of(Kind.RETURN)], "And then, in ring 0 and back:"),
        lab.walk(start),
    )
    lab.expect(not image, "no page of the program's image was in memory")
    lab.expect(len(stack) == 1, "one page of its stack was: the kernel had put the arguments there")
    lab.expect(fault.rip == fault.cr2 == start, "the address that was refused is that of the instruction")
    lab.expect(fetched.rip == start, "the same instruction was fetched again, and now there was a page")
    lab.expect(lab.walk(start).frame is not None, "the PTE has P = 1 now")


@step("a-promise", points=2)
def a_promise(lab: Lab) -> None:
    lab.run_until(lambda event: is_mmap(event, False))
    seq = lab.machine.journal.seq
    lab.run_until(lambda event: is_mmap(event, True))
    call = lab.events.of(Kind.SYSCALL)[-1]
    assert isinstance(call, SyscallEntered)
    given = [taken(lab, seq, owner) for owner in ("USER", "TABLE")]
    lab.run_until(At("first_touch"))
    memory = lab.value("memory")
    lab.say("The program has called `mmap` for four pages, and got an address. It has touched none of them.")
    lab.show(lab.space())
    pages = call.arguments[0] // PAGE_BYTES
    lab.ask(
        "How many frames did the kernel take off its free lists during that call, for the pages themselves and for "
        "page tables to them?",
        choices=[
            "none",
            "one, for the first page",
            f"{pages}, one a page",
            "more: the tables need some, too",
        ],
        answer=3 if sum(given) > pages else {0: 0, 1: 1}.get(sum(given), 2),
        hint="What is a kernel obliged to keep when it gives a promise?",
    )
    walk = lab.walk(memory)
    lab.ask(
        "The CPU is asked to walk to the first of these pages now. How far does the walk get?",
        choices=[
            "to the PTE, which has P = 0",
            "to the PDE, which has P = 0",
            "it ends at the very first entry, in the PML4",
        ],
        answer={"PTE": 0, "PDE": 1}.get(walk.rows[-1].level, 2),
        hint="Nothing within 512 GiB of this address has ever been mapped. What would a lower table be for?",
    )
    lab.show(walk)
    lab.expect(given[0] == 0, "mmap took no frame for any page")
    lab.expect(given[1] == 0, "it took none for page tables either")
    lab.expect(walk.frame is None, "the CPU would be refused")
    lab.expect(
        lab.inspector.area_of(memory, lab.inspector.process()) is not None,
        "and yet the kernel has noted that the address is the program's",
    )


@step("first-touch", points=2)
def first_touch(lab: Lab) -> None:
    memory = lab.value("memory")
    lab.ask(
        "The store to the first page is refused. The kernel's handler finds a frame, clears it if it must, writes an "
        "entry with P = 1 and returns. Which instruction does the CPU execute next?",
        choices=[
            "the one behind the store: the kernel has stored the byte for it",
            "the store, once more from its beginning",
            "the first of a handler in the program",
        ],
        answer=1,
        hint="Who knows what byte the program wanted to store: the kernel, or the instruction?",
    )
    lab.ask(
        "The handler has changed an entry that the CPU has just read. Which TLB entry must it invalidate?",
        choices=[
            "the one of this page, with INVLPG",
            "all of this process's, by loading CR3",
            "none",
        ],
        answer=2,
        hint="Can there be a translation in a TLB that came of a walk that was refused?",
    )
    fault = to_fault(lab)
    lab.show(lab.told([fault], "The store, at the first try:"))
    forked = lab.fork()
    to_access(forked, memory, "write")
    frames = taken(forked, fault.seq, "USER") + taken(forked, fault.seq, "TABLE")
    lab.ask(
        "The program wants one byte. How many frames, of 4,096 bytes each, does the kernel take for it this time?",
        choices=["one", "two or three", "four or more"],
        answer=0 if frames == 1 else 1 if frames <= FEW else 2,
        hint="At which level did the walk end? Each table below that has to come from somewhere.",
    )
    store = to_access(lab, memory, "write")
    between = lab.events.since(fault.seq)
    lab.show(
        lab.told(list(between.of(Kind.MARK)), "What the kernel did:"),
        lab.told(
            [*between.of(Kind.RETURN), *between.of(insn=store.insn).of(Kind.ENTRY_READ, Kind.ACCESS)],
            "And the store, at the second try:",
        ),
        lab.walk(memory),
    )
    kernel = store.insn - fault.insn - 1
    lab.notes.first_touch = kernel
    lab.say(f"Between the two tries the kernel executed {kernel:,} instructions.")
    lab.expect(fault.error == 0x6, "error code 0x6: a write, in user mode, to what is not present")
    lab.expect(fault.rip == store.rip, "the store that was refused is the store that was done")
    lab.expect(
        len(between.of(Kind.MARK, name="demand_zero")) == 1, "one page came, of zeros: `demand_zero` says so"
    )
    lab.expect(not between.of(Kind.INVALIDATE), "nothing was invalidated, by nobody")
    lab.expect(
        frames == len(lab.walk(memory).rows), "one frame for the page, and one for each table below the root"
    )
    lab.expect(lab.memory(memory, 1) == b"p", "the byte is in memory")
    lab.expect(lab.memory(memory + 1, PAGE_BYTES - 1) == bytes(PAGE_BYTES - 1), "all the others are zero")


@step("a-miss-without-a-fault", points=2)
def a_miss_without_a_fault(lab: Lab) -> None:
    memory = lab.value("memory")
    lab.run_until(At("second_touch"))
    seq = lab.machine.journal.seq
    lab.run_until(At("touch_after_miss"))
    second = lab.events.since(seq).of(Kind.ACCESS).touching(memory)
    lab.notes.second_hit = not second.of(tlb="miss")
    lab.notes.second_faults = len(lab.events.since(seq).of(Kind.FAULT))
    lab.say(
        "`second_touch` stored to the same page again, and is over. It left "
        + (
            f"{len(second)} events of its own."
            if second
            else "no event worth a line: its translation was in level 1."
        )
    )
    lab.invalidate(memory)
    walk = lab.walk(memory)
    lab.say(
        "Before the third store we do something that no instruction of the guest asks for: we throw the page's "
        "translation out of every TLB. The page tables are not touched."
    )
    lab.show(walk)
    lab.ask(
        "The third store finds no translation in any TLB. Who finds it a new one?",
        choices=[
            "the kernel's page-fault handler: that is what it is for",
            "the CPU, without an instruction of the kernel",
            "nobody has to: the PTE says P = 1",
        ],
        answer=1,
        hint="What did the page-fault handler do last time that would have to be done again?",
    )
    forked = lab.fork()
    mark = lab.machine.journal.seq
    third = to_access(forked, memory, "write")
    reads = forked.events.since(mark).of(Kind.ENTRY_READ, insn=third.insn)
    lab.ask(
        "How many paging-structure entries does it read for that, and how many of them does it change?",
        choices=[
            "four, and it changes none",
            "four, and it sets A and D in them again",
            "one, the PTE, and it changes none",
        ],
        answer=0 if len(reads) == len(walk.rows) and walk.accessed and walk.dirty else 2,
        hint="INVLPG drops what the paging-structure caches know, too. And A and D: what are they now?",
    )
    store = to_access(lab, memory, "write")
    events = lab.events.since(mark)
    lab.show(lab.told(list(events.of(insn=store.insn)), "The third store, event by event:"))
    lab.notes.miss = sum(event.cpl == 0 for event in events)
    lab.expect(lab.notes.second_faults == 0, "the second store met no fault")
    lab.expect(len(reads) == 4, "the walk read four entries")
    lab.expect(not events.of(Kind.ENTRY_WRITE), "and wrote none: A and D were set already")
    lab.expect(not events.of(Kind.FAULT), "a TLB miss, and no page fault")
    lab.expect(lab.notes.miss == 0, "not one event of the whole store happened in ring 0")


@step("a-fork-copies-promises", points=2)
def a_fork_copies_promises(lab: Lab) -> None:
    memory = lab.value("memory")
    lab.run_until(Call("process_fork"))
    seq = lab.machine.journal.seq
    mine = len(lab.frames.owned_by("user", int(PARENT)))
    forked = lab.fork()
    forked.run_until(lambda event: isinstance(event, Marked) and event.name == "process_start")
    data = taken(forked, seq, "USER")
    lab.ask(
        f"The program forks. It has {mine} frames with data of its own, and its child is to find the same bytes at the "
        "same addresses. How many frames of data does fork fill?",
        choices=["none", f"{mine}, a copy of each", "one, the page with the stack"],
        answer=0 if data == 0 else 1 if data == mine else 2,
        hint="The child may never write to most of them. May it read the parent's?",
    )
    lab.ask(
        "Both processes may write to this memory, says the area of each. What does R/W say in the two leaf PTEs, right "
        "after the fork?",
        choices=[
            "1 in both: both may write",
            "1 in the parent's, 0 in the child's",
            "0 in both",
        ],
        answer=2,
        hint="The kernel has promised each of them a memory of its own. How will it notice that somebody breaks that?",
    )
    lab.ask(
        "The kernel has taken a right out of an entry that the parent has just used. What must it do to the TLB?",
        choices=[
            "nothing: as with P = 0 to 1, the CPU finds out by itself",
            "drop what it holds of the parent's pages, before the parent runs again",
            "drop what it holds of the child's pages",
        ],
        answer=1,
        hint="Suppose the TLB still held the entry with the right to write. Whose bytes would a store change?",
    )
    lab.run_until(lambda event: isinstance(event, Marked) and event.name == "process_start")
    dropped = lab.events.since(seq).of(Kind.INVALIDATE)
    lab.show(lab.walk(memory, PARENT), lab.walk(memory, CHILD))
    lab.show(lab.told(list(dropped), "What the kernel invalidated:"))
    parents, childs = lab.walk(memory, PARENT), lab.walk(memory, CHILD)
    lab.notes.shared = parents.frame
    lab.expect(data == 0, "fork filled no frame with data")
    lab.expect(taken(lab, seq, "TABLE") > 0, "the child has page tables of its own, though")
    lab.expect(parents.rows[-1].address != childs.rows[-1].address, "two PTEs, one for each process")
    lab.expect(parents.frame == childs.frame, "they lead to one frame")
    lab.expect("RW" not in (*parents.rows[-1].flags, *childs.rows[-1].flags), "neither of them has R/W")
    lab.expect(bool(dropped), "the kernel invalidated what the TLB held of the parent")
    lab.expect(
        not [slot for slot in lab.tlb.within(memory, memory + PAGE_BYTES).slots if "W" in slot.rights],
        "no TLB holds a translation of the page that would let a write pass",
    )


@step("a-fault-without-a-miss", points=2)
def a_fault_without_a_miss(lab: Lab) -> None:
    memory = lab.value("memory")
    lab.run_until(At("childs_look"))
    to_access(lab, memory, "read")
    lab.run_until(At("childs_write"))
    held = lab.tlb.within(memory, memory + PAGE_BYTES)
    lab.say("The child has read a byte of the page: that is permitted. Now it is going to write one.")
    lab.show(Text("What the TLB holds of the page:", tuple(held.lines())))
    forked = lab.fork()
    seq = lab.machine.journal.seq
    fault = to_fault(forked)
    reads = forked.events.since(seq).of(Kind.ENTRY_READ, insn=fault.insn)
    walked = [read for read in reads if read.seq < fault.seq]  # what comes later is the way to the handler
    lab.ask(
        "The translation is in the TLB: this will be a hit. What becomes of the store?",
        choices=[
            "it is done: a hit does not look at page tables, so nobody can refuse",
            "a page fault, and the CPU need not read a single entry for it",
            "the CPU walks to make sure, and then there is a page fault",
        ],
        answer=2 if walked else 1,
        hint="A TLB entry holds more than a frame number. Look at the letters behind it.",
    )
    fault = to_fault(lab)
    tried = [*walked, fault, *lab.events.since(fault.seq).of(Kind.INVALIDATE, insn=fault.insn)]
    lab.show(lab.told(tried, "The child's store, at the first try:"))
    store = to_access(lab, memory, "write")
    between = lab.events.since(fault.seq)
    lab.show(
        lab.told(list(between.of(Kind.MARK, Kind.INVALIDATE, cpl=0)), "In ring 0:"),
        lab.walk(memory, CHILD),
    )
    lab.notes.fault_kernel = store.insn - fault.insn - 1
    lab.notes.fault_walked = len(walked)
    lab.say(f"Between the two tries the kernel executed {lab.notes.fault_kernel:,} instructions.")
    childs, parents = lab.walk(memory, CHILD), lab.walk(memory, PARENT)
    lab.expect(
        fault.error == 0x7, "error code 0x7: a write, in user mode, against the rights of what is present"
    )
    lab.expect(
        bool(walked) != bool(held.slots),
        "there was a walk if no TLB held the page, and only then: a hit can fault",
    )
    lab.expect(
        not [slot for slot in held.slots if "W" in slot.rights], "what a TLB held had no right to write"
    )
    lab.expect(len(between.of(Kind.MARK, name="copy_on_write")) == 1, "the kernel copied one page")
    lab.expect(
        childs.frame != lab.notes.shared == parents.frame,
        "the child has another frame now, the parent the old one",
    )
    lab.expect("RW" in childs.rows[-1].flags, "the child's PTE has R/W")
    lab.expect(
        bool(between.of(Kind.INVALIDATE, cpl=0)),
        "the frame in an entry changed, and the kernel invalidated it",
    )
    lab.expect(
        [lab.machine.memory.read(walk.physical, 1) for walk in (childs, parents)] == [b"c", b"p"],
        "the child's byte is c, the parent's is p",
    )


@step("the-last-owner", points=2)
def the_last_owner(lab: Lab) -> None:
    lab.run_until(At("parents_write"))
    memory = lab.value("memory")
    before = lab.walk(memory)
    lab.say(
        "The child has ended, and its frames are free. The parent is about to write to its page. Its walk:"
    )
    lab.show(before)
    forked = lab.fork()
    seq = lab.machine.journal.seq
    to_access(forked, memory + 1, "write")
    copies = len(forked.events.since(seq).of(Kind.MARK, name="copy_on_write"))
    faults = len(forked.events.since(seq).of(Kind.FAULT))
    lab.ask(
        "R/W is still 0 in the parent's PTE, though nobody shares the frame any more. What happens at the parent's "
        "write?",
        choices=[
            "a page fault, and a copy",
            "a page fault, and the kernel gives back the right without a copy",
            "no page fault: the kernel gave back the right when the child ended",
        ],
        answer=2 if not faults else 0 if copies else 1,
        hint="The kernel counts, for each frame, how many entries lead to it. When does it look?",
    )
    fault = to_fault(lab)
    lab.show(lab.told([fault], "The parent's store, at the first try:"))
    to_access(lab, memory + 1, "write")
    between = lab.events.since(fault.seq)
    kernels = between.of(Kind.INVALIDATE, cpl=0)
    lab.ask(
        "This time a right was added to an entry that was present, and the frame stayed. Did the kernel have to "
        "invalidate anything?",
        choices=[
            "yes: every change of a present entry needs INVLPG",
            "no: an older entry in a TLB can only refuse too much, and a refusal drops it",
        ],
        answer=0 if kernels else 1,
        hint="Compare: taking a right away, changing the frame, adding a right. What would the old TLB entry allow?",
    )
    after = lab.walk(memory)
    lab.show(after)
    lab.expect(not between.of(Kind.MARK, name="copy_on_write"), "nothing was copied")
    lab.expect(before.frame == after.frame == lab.notes.shared, "the frame is the one it had before the fork")
    lab.expect(
        "RW" not in before.rows[-1].flags and "RW" in after.rows[-1].flags, "the right to write came back"
    )
    lab.expect(not kernels, "the kernel invalidated nothing")


@step("four-cases", points=1)
def four_cases(lab: Lab) -> None:
    notes = lab.notes
    lab.run_to_exit()
    hit = "a hit" if notes.second_hit else "a miss"
    lab.show(
        Text(
            "Four stores to one page:",
            (
                "store             the TLB              page fault  kernel instructions",
                f"first_touch       a miss               yes         {notes.first_touch}",
                f"second_touch      {hit:<20} no          0",
                f"touch_after_miss  a miss               no          {notes.miss}",
                f"childs_write      {'a miss' if notes.fault_walked else 'a hit':<20} yes         {notes.fault_kernel}",
            ),
        ),
        Text("The console:", tuple(lab.console.lines())),
    )
    lab.ask(
        'The letter: "a page fault would NOT find that entry in the TLB cache and would request the operating system '
        'to give it that page_table entry" (john moser, 2003-12-07). What is wrong with it?',
        choices=[
            "nothing: that is how it works",
            "the system is not asked because a TLB lacks an entry, but because an entry in memory, or a right, does",
            "the system is never asked: the CPU brings pages from the disk by itself",
            "the system is asked at every miss, not only for pages on the disk",
        ],
        answer=1,
        hint="Find, in the table, a store that missed and did not fault, and one that faulted.",
    )
    lab.expect(notes.first_touch > 0, "a miss with a fault: the kernel ran")
    lab.expect(notes.miss == 0, "a miss without a fault: it did not")
    lab.expect(notes.fault_kernel > 0, "a fault on a translation that a TLB may hold: it ran")
    lab.expect("child: I read p, wrote c, and read c" in lab.console, "the child saw a memory of its own")
    lab.expect("parent: I read p still" in lab.console, "so did the parent")
