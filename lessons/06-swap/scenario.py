# SPDX-License-Identifier: GPL-2.0-or-later
"""Lesson "swap": a page goes to the disk and comes back; the shared page stays, because it is marked; marks cost."""

from emu.bits import PAGE_BYTES, PAGE_SHIFT, hexadecimal
from emu.events import ConsoleWritten, Event, Faulted, Marked
from emu.lesson import At, Call, Kind, Lab, Text, happened, step

MEMORY_MIB, DISK = 8, "blank:8M"
TOO_MANY = 40
"""So many pages more than there are free frames."""
A_FEW = 8
LOOKS = 64
"""The program looks at so many of its pages again, evenly spread."""
SLOT_SHIFT = 12
"""Where an entry that is not present keeps the number of a slot of the swap area."""
ENOMEM = 12
STATUS_KILLED = 137
PCIDE = 17
"""The bit of CR4 that says that PCIDs are in use."""


def setup(lab: Lab) -> None:
    """Looks how much memory there is, and when the lowest frame is given out: there the hand begins its round.

    The shared page is to lie there, so that it does not take long until its turn comes.
    """
    lab.boot("swapper", "2048", "1", memory_mib=MEMORY_MIB, disk=DISK)
    lab.run_until(At("use_memory"))
    free, memory = lab.value("free_frames"), lab.value("memory")
    lab.run_until(Call("reclaim_pages"))
    frames = [lab.walk(memory + i * PAGE_BYTES).frame or lab.value("frame_count") for i in range(free)]
    lab.notes.before = frames.index(min(frames)) + A_FEW
    lab.notes.pages = free + TOO_MANY
    boot_swapper(lab, {})


def boot_swapper(lab: Lab, switches: dict[str, str]) -> None:
    """The program with a little more memory to use than there is, before it has used most of it."""
    arguments = (str(lab.notes.pages), str(LOOKS), str(lab.notes.before))
    lab.boot("swapper", *arguments, memory_mib=MEMORY_MIB, disk=DISK, switches=switches)
    lab.run_until(At("use_memory"))


def marked(event: Event, name: str, **arguments: int) -> bool:
    """Whether `event` is a tracepoint's, with these arguments."""
    if not isinstance(event, Marked) or event.name != name:
        return False
    return all(event.arguments.get(key) == value for key, value in arguments.items())


def argument(event: Event, name: str) -> int:
    """A number that a tracepoint was given."""
    assert isinstance(event, Marked)
    return int(event.arguments[name])


def last_mark(lab: Lab, name: str) -> Event:
    """The latest event of a tracepoint."""
    return lab.events.of(Kind.MARK, name=name)[-1]


def is_line(event: Event, word: str) -> bool:
    """Whether the guest has just printed a line with `word` in it."""
    return isinstance(event, ConsoleWritten) and word in event.text


def sample_of(lab: Lab) -> int:
    """The address of a page in the middle of the program's memory."""
    return lab.value("memory") + lab.notes.pages // 2 * PAGE_BYTES


def one(lab: Lab, frame: int) -> Text:
    """A frame, as the kernel's table has it."""
    return Text("The frame, in the kernel's table:", tuple(lab.frames.part(frame, frame + 1).lines()))


@step("more-than-there-is", points=2)
def more_than_there_is(lab: Lab) -> None:
    pages, free = lab.notes.pages, lab.value("free_frames")
    slots = lab.value("free_slots")
    reserve = lab.value("zones[0].reserve")
    lab.show(
        Text(
            "Before the program begins:",
            (
                f"frames in all          {lab.value('frame_count'):>6}",
                f"free                   {free:>6}, of which {reserve} are the reserve",
                f"slots on the disk      {slots:>6}, of a page each",
                f"promised by mmap       {pages:>6} pages, of which {lab.notes.before} are used already",
            ),
        )
    )
    lab.ask(
        f"The program is going to write a word to each of its {pages:,} pages. {free:,} frames are free. How does "
        "that end?",
        choices=[
            "mmap was wrong to promise so much: the program is killed at the first page too many",
            "it runs to its end, and at any moment some of its pages are not in memory",
            "its last pages are made on the disk, and stay there",
        ],
        answer=1,
        hint="How many of the pages does the program touch at one time?",
    )
    lab.run_until(Call("reclaim_pages"))
    brought = len(lab.events.of(Kind.MARK, name="demand_zero").since(0))
    lab.notes.seq = lab.machine.journal.seq
    lab.notes.left = lab.value("free_frames")
    lab.say(
        f"The kernel is about to call `reclaim_pages`, for the first time. {lab.notes.left} frames are free, and the "
        "program wants another page."
    )
    lab.expect(pages > free, "the program was promised more pages than there are frames free")
    lab.expect(slots > TOO_MANY, "the disk has room for those that are too many")
    lab.expect(
        lab.notes.left <= reserve, "nobody was taken anything from, as long as more than the reserve was free"
    )
    lab.expect(brought >= free - reserve, "until then each page came by a fault of its own: `demand_zero`")


@step("second-chance", points=2)
def second_chance(lab: Lab) -> None:
    sample = sample_of(lab)
    before = lab.walk(sample)
    lab.ask(
        "Some page has to go, and the best is one that will not be wanted soon. What can the kernel know about that?",
        choices=[
            "nothing: accesses that hit leave no trace, and the kernel does not see misses",
            "which pages were used since it last looked: the CPU has set A in their entries",
            "the exact order of the accesses, from the TLB",
        ],
        answer=1,
        hint="What does a walk write into the entries that it uses?",
    )
    lab.ask(
        "The hand comes to a page with A = 1. The kernel lets it stay, and sets A to 0, to see next time if it was "
        "used again. What else must it do, and why?",
        choices=[
            "nothing: A goes from 1 to 0, and no right is touched",
            "INVLPG: while a TLB answers for the page there is no walk, and so nobody sets A again",
            "INVLPG: otherwise the program could write to the page",
        ],
        answer=1,
        hint="Who sets A, and on what occasion?",
    )
    lab.run_until(happened(Kind.MARK, name="swap_out"))
    events = lab.events.since(lab.notes.seq)
    chances = lab.value("vm_statistics.second_chances")
    after = lab.walk(sample)
    lab.show(before, after)
    dropped = len(events.of(Kind.INVALIDATE))
    lab.say(
        f"The hand went once round. It looked at {lab.value('vm_statistics.looked_at'):,} pages, found A set in "
        f"{chances:,} of them, and there were {dropped:,} invalidations."
    )
    lab.expect(before.accessed, "a page in the middle had A = 1: the program had written to it")
    lab.expect(not after.accessed, "now it has A = 0")
    lab.expect(after.frame == before.frame, "and it is where it was")
    lab.expect(not after.tlb, "no TLB holds its translation any more")
    if lab.registers["cr4"] >> PCIDE & 1:
        lab.expect(dropped >= chances > 0, "each page that got a second chance was invalidated")
    else:
        lab.say(
            "Without PCIDs each change of CR3 drops what the TLBs hold of other processes, and the kernel invalidates "
            "only pages of the process that runs."
        )
        lab.expect(dropped > 0, "pages of this process that got a second chance were invalidated")


@step("how-a-page-is-taken", points=2)
def how_a_page_is_taken(lab: Lab) -> None:
    memory, end = lab.value("memory"), lab.value("memory") + lab.notes.pages * PAGE_BYTES
    lab.run_until(
        lambda event: marked(event, "swap_out", written=1) and memory <= argument(event, "linear") < end
    )
    out = last_mark(lab, "swap_out")
    frame, linear, slot = (argument(out, name) for name in ("frame_number", "linear", "slot"))
    lab.say(
        "The hand has found a page that was not used since. It is one of the program's, and it will be taken."
    )
    before = lab.walk(linear)
    lab.show(before)
    lab.ask(
        "Three things are to be done: write the page to the disk (that takes long, and other processes run meanwhile), "
        "take its entry away, and invalidate what the TLB holds. In which order?",
        choices=[
            "disk, entry, TLB: as long as the copy is not safe, the page must stay usable",
            "entry, disk, TLB: the TLB does no harm while nobody walks",
            "entry, TLB, disk: nobody may write to the page while it is being copied",
        ],
        answer=2,
        hint="Suppose that the program writes to the page while the disk reads it. Which bytes come back one day?",
    )
    lab.run_until(lambda event: marked(event, "disk_request", frame_number=frame))
    asked = last_mark(lab, "disk_request")
    gone = lab.walk(linear)
    holds = lab.tlb.reaching(frame).within(memory, end).slots
    lab.run_until(lambda event: marked(event, "frame_owner", frame_number=frame))
    freed = last_mark(lab, "frame_owner")
    between = lab.events.since(out.seq)
    drop = between.of(Kind.INVALIDATE)[0]
    done = next(event for event in between if marked(event, "disk_done", frame_number=frame))
    moved = between.of(Kind.DMA, address=frame << PAGE_SHIFT, size=PAGE_BYTES)
    lab.show(lab.told([out, drop, asked, *moved, done, freed], "In the order of time:"), gone)
    entry = gone.rows[-1].entry
    lab.ask(
        f"The entry is {entry:#x} now. What does the CPU make of that number?",
        choices=[
            "the frame, without the right to use it",
            "nothing but P = 0: all other bits are left to the kernel",
            f"the slot of the disk, {slot}: a later walk will bring the page from there",
        ],
        answer=1,
        hint="When a walk reads an entry with P = 0, which of its other bits does it look at?",
    )
    lab.expect(before.frame == frame, "before, the entry led to the frame")
    lab.expect(gone.frame is None, "when the disk was asked, the entry was not present any more")
    lab.expect(not holds, "and no TLB held a translation of the program's that led there")
    lab.expect(
        drop.seq < asked.seq < done.seq < freed.seq, "first INVLPG, then the disk, then the frame was free"
    )
    lab.expect(len(moved) == 1, "the disk read 4,096 bytes out of the frame, by its physical address")
    lab.expect(entry >> SLOT_SHIFT == slot, "what is left of the entry is the number of a slot")


@step("how-it-comes-back", points=2)
def how_it_comes_back(lab: Lab) -> None:
    memory = lab.value("memory")
    lab.run_until(At("look_again"))
    looks = [i * lab.notes.pages // LOOKS for i in range(LOOKS)]
    page = next(page for page in looks if lab.walk(memory + page * PAGE_BYTES).frame is None)
    linear = memory + page * PAGE_BYTES
    away = lab.walk(linear)
    slot = away.rows[-1].entry >> SLOT_SHIFT
    lab.say(
        f"The program is going to read {LOOKS} of its pages again. Of these, page {page} is the first that is away. "
        "Its entry:"
    )
    lab.show(away)
    lab.ask(
        "The CPU will raise a page fault. How will its error code differ from that for a page which was promised and "
        "never touched?",
        choices=[
            "it has a bit that says: on the disk",
            "not at all",
            "P is 1, for the page exists",
        ],
        answer=1,
        hint="Which of the entry's bits has the CPU looked at?",
    )
    lab.ask(
        "The kernel will find a frame, have the disk write into it, and put it into the entry, with P = 1. What must "
        "it invalidate then?",
        choices=[
            "the page, with INVLPG",
            "nothing",
            "the whole address space: the frame is another one than before",
        ],
        answer=1,
        hint="Since the page went, has there been a translation that a TLB could hold?",
    )
    lab.run_until(happened(Kind.FAULT, cr2=linear))
    fault = lab.events.of(Kind.FAULT)[-1]
    assert isinstance(fault, Faulted)
    told = lab.told([fault], "The read, at the first try:")
    lab.run_until(happened(Kind.ACCESS, linear=linear, type="read"))
    read = lab.events.of(Kind.ACCESS, linear=linear, type="read")[-1]
    between = lab.events.since(fault.seq)
    back = lab.walk(linear)
    came = [event for event in between if marked(event, "swap_in", linear=linear)]
    switches = between.of(Kind.MARK, name="switch")
    moved = [
        e
        for e in between.of(Kind.DMA, size=PAGE_BYTES)
        if back.frame == getattr(e, "address", 0) >> PAGE_SHIFT
    ]
    asked = [e for e in between if marked(e, "disk_request") and argument(e, "frame_number") == back.frame]
    order = sorted(
        [*asked, *switches, *moved, *came, *between.of(Kind.RETURN, to_cpl=3)], key=lambda e: e.seq
    )
    lab.show(told, lab.told(order, "And then:"), back)
    kernels = between.of(Kind.INVALIDATE, cpl=0).touching(linear)
    others = [event for event in switches if argument(event, "previous_pid") == 2]
    lab.expect(fault.error == 0x4, "error code 0x4: a read, in user mode, of what is not present")
    lab.expect(len(moved) == 1, "the disk wrote 4,096 bytes into a frame")
    lab.expect(bool(others), "meanwhile the process slept, and another one had the CPU")
    lab.expect(
        len(came) == 1 and argument(came[0], "slot") == slot, "the page came from the slot in the entry"
    )
    lab.expect(fault.rip == read.rip, "the instruction that had failed was executed again")
    lab.expect(not kernels, "nothing was invalidated for it")
    lab.expect(lab.memory(linear, 8) == (page + 1).to_bytes(8, "little"), "the word is what it was")


@step("passed-by", points=2)
def passed_by(lab: Lab) -> None:
    window = lab.value("window")
    walk = lab.walk(window)
    frame = walk.frame
    assert frame is not None
    lab.say("The program shares one page with the kernel. All this time, it was in memory:")
    lab.show(walk, one(lab, frame))
    lab.ask(
        "A page that is swapped out comes back when the program touches it. Why is that not good enough for a page "
        "that is shared with the kernel?",
        choices=[
            "because the kernel is faster than the disk",
            "because the kernel reaches the frame by an address of its own, which has an entry of its own",
            "because a page fault in the kernel is always an error",
        ],
        answer=1,
        hint="Reclaim changed the entry of the program. How many entries lead to this frame?",
    )
    skips = lab.events.of(Kind.MARK, name="reclaim_skip")
    frames = {argument(skip, "frame_number") for skip in skips}
    counted = lab.value("vm_statistics.skipped_exempt")
    lab.ask(
        "The hand has gone round over all frames. At how many of them did it find the mark that says: not this one?",
        choices=["none: shared pages are on no list of the hand's", "one", "more than one"],
        answer=min(len(frames), 2),
        hint="How many pages has this program shared? Does anybody else share any?",
    )
    lab.show(lab.told(list(skips[-1:]), "What the kernel says of it:"))
    lab.run_to_exit()
    lab.show(Text("The console, to the end of the run:", tuple(lab.console.lines())))
    lab.expect(frames == {frame}, "the one frame that was passed by is the shared one")
    lab.expect(counted == len(skips) > 0, "the kernel has counted each time that it passed it by")
    lab.expect(
        f"of {LOOKS} pages 0 are not what they were" in lab.console, "the pages that had been away were whole"
    )
    lab.expect(
        "shared page: as before" in lab.console, "and the kernel found the shared page where it had noted it"
    )


@step("without-the-mark", points=2)
def without_the_mark(lab: Lab) -> None:
    boot_swapper(lab, {"ukshm.swap_exempt": "off"})
    window = lab.value("window")
    alias = lab.kernel_alias(window)
    frame = lab.walk(window).frame
    assert frame is not None
    before = lab.memory(alias, 16)
    lab.say(
        f"`ukshm.swap_exempt=off`. The shared page is frame {frame:#x}; the kernel has noted its address, "
        f"{hexadecimal(alias)}."
    )
    lab.run_until(At("look_again"))
    lab.run_until(At("kernel_reads"))
    away, kernels = lab.walk(window), lab.walk(alias)
    gone = [event for event in lab.events if marked(event, "swap_out", frame_number=frame)]
    lab.say(
        "Memory has run short, and the program has asked the kernel to read the shared page. It is about to."
    )
    lab.show(away, kernels)
    now = lab.memory(alias, 16)
    owner = lab.frames[frame].owner
    lab.ask(
        "The kernel reads by the address that it has noted. What happens?",
        choices=[
            "a page fault: the page comes back, as it would for the program",
            "it reads what the program wrote to the shared page",
            "it reads bytes of somebody who has nothing to do with it, and nobody notices",
        ],
        answer=2 if now != before else 1,
        hint="Look at the second walk. What does the direct map say about frames that changed hands?",
    )
    lab.show(one(lab, frame), lab.dump(alias, 16, bytes(before)))
    lab.run_to_exit()
    lab.show(Text("The console:", tuple(lab.console.lines())))
    lab.ask(
        "And if the kernel did not read there, but wrote: a packet that has arrived, say?",
        choices=[
            "the CPU would refuse: the frame is a program's now",
            "the page that lies there now would be damaged",
            "the packet would be on the disk",
        ],
        answer=1,
        hint="Which rights does the kernel's entry have, in the second walk?",
    )
    lab.expect(bool(gone), "the shared page was swapped out like any other")
    lab.expect(away.frame is None, "the program's entry has P = 0")
    lab.expect(kernels.frame == frame, "the kernel's entry leads to the frame as ever")
    lab.expect(owner == "user", "and the frame is an ordinary page of a program's by now")
    lab.expect(now != before, "there are other bytes in it")
    lab.expect("OTHER BYTES THAN BEFORE" in lab.console, "the kernel has read them")


@step("the-price", points=2)
def the_price(lab: Lab) -> None:
    lab.boot("hoard", "28", memory_mib=MEMORY_MIB)
    lab.run_to_exit()
    limited = lab.console
    limit = lab.value("ukshm_statistics.over_limit")
    lab.ask(
        "Each of the children of `hoard` wants 64 shared pages, to keep. At most 64 may be shared at a time, by all "
        "programs together. What becomes of the second child?",
        choices=[
            "it is killed",
            "it sleeps until the first one gives its pages back",
            "its system call returns an error, and it goes on",
        ],
        answer=2,
        hint="A limit is of no use if one cannot tell that one has met it.",
    )
    lab.show(Text("With the limit:", tuple(row for row in limited.lines() if "killed by" not in row)))
    lab.boot("hoard", "28", memory_mib=MEMORY_MIB, switches={"ukshm.limit": "4000"})
    lab.run_until(lambda event: is_line(event, "shared pages each"))
    pinned, free = len(lab.frames.owned_by("shared")), lab.value("free_frames")
    lab.say(
        f"`ukshm.limit=4000`: no limit, for a machine with 2,048 frames. {pinned} frames are shared and may not be "
        f"taken; {free} are free. Now a child that shares nothing uses 200 ordinary pages."
    )
    lab.show(lab.frames)
    lab.run_until(happened(Kind.MARK, name="oom_kill"))
    kill = last_mark(lab, "oom_kill")
    process = lab.inspector.process()
    asking = process.pid if process is not None else 0
    victim = argument(kill, "pid")
    lab.ask(
        "There is nothing left that could be taken. The kernel must end a process, and takes the one that holds most "
        "frames. Which is it?",
        choices=[
            "the child that has just asked for too much",
            "one of those that share pages, and did nothing wrong today",
            "init",
        ],
        answer=0 if victim == asking else 1,
        hint="How many frames has one that shares? How many may the other have got so far?",
    )
    lab.show(lab.told([kill], "The kernel's decision:"))
    lab.run_until(lambda event: is_line(event, "ordinary pages"))
    lab.show(Text("With no limit:", tuple(lab.console.lines())))
    lab.expect(
        f"the last answer was -{ENOMEM}" in limited,
        "with the limit, the next one was told that there is no memory",
    )
    lab.expect(limit > 0, "the hook has counted that")
    lab.expect("ordinary pages: status 0" in limited, "and a child with ordinary memory ran to its end")
    lab.expect(pinned > 64, "without it, more and more frames were shared")
    lab.expect(argument(kill, "page_count") >= 64, "a process with 64 frames or more was ended for it")
    lab.expect("killed: out of memory" in lab.console, "the kernel says so, in words")
    lab.expect(
        f"ordinary pages: status {STATUS_KILLED}" in lab.console,
        "and the ordinary child did not end well either",
    )
