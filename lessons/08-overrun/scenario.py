# SPDX-License-Identifier: GPL-2.0-or-later
"""Lesson "overrun": a program fills the page it shares with the kernel, and runs on."""

from emu.bits import PAGE_BYTES, hexadecimal
from emu.events import EntryRead, Faulted
from emu.lesson import At, Call, Kind, Lab, Text, happened, step

WRITTEN = ord("U")
PATTERN = ord("m")


def setup(lab: Lab) -> None:
    lab.boot("overrun")


def to_the_loop(lab: Lab) -> None:
    """Up to the first instruction of fill_window: the page is shared, and nobody in ring 3 has touched it."""
    lab.run_until(Call("ukshm_map"), then="return")
    lab.run_until(At("fill_window"))


def own_data(lab: Lab) -> bytes:
    """The program's own pages, as memory has them."""
    return lab.memory(lab.value("mine"), 2 * PAGE_BYTES)


@step("one-frame-two-addresses", points=2)
def one_frame_two_addresses(lab: Lab) -> None:
    to_the_loop(lab)
    lab.notes.start = lab.snapshot()
    window = lab.value("window")
    alias = lab.kernel_alias(window)
    mine, kernels = lab.walk(window), lab.walk(alias)
    frame = mine.frame
    assert frame is not None
    lab.show(lab.space())
    lab.say(f"The window is the area `ukshm`. Its one page is frame {frame:#x}.")

    shared_entries = {row.address for row in mine.rows} & {row.address for row in kernels.rows}
    lab.ask(
        "The program walks to that frame from its window, the kernel from its direct map. How many of the four "
        "paging-structure entries on the way are the same entry in both walks?",
        choices=["none", "one", "two or more"],
        answer=min(len(shared_entries), 2),
        hint="Both walks start in one PML4. Which of its entries does each use? Compare the addresses' first digits.",
    )
    lab.ask(
        "No instruction in ring 3 has touched the window so far. In which of the two leaf PTEs is A (accessed) set?",
        choices=["in neither", "only in the program's", "only in the kernel's", "in both"],
        answer=mine.accessed + 2 * kernels.accessed,
        hint="The kernel hands out a page that has been used before only after clearing it. Through which address?",
    )
    lab.show(mine, kernels)
    lab.expect(mine.frame == kernels.frame, f"both addresses reach frame {frame:#x}")
    lab.expect(mine.rows[-1].address != kernels.rows[-1].address, "two different PTEs map it")
    lab.expect(mine.rows[-1].rights.startswith("user"), "the window's PTE lets ring 3 in (U/S = 1)")
    lab.expect(
        kernels.rows[-1].rights.startswith("supervisor"), "the alias is for the kernel alone (U/S = 0)"
    )
    lab.expect(lab.frames[frame].owner == "shared", "the kernel's frame table says that the frame is shared")


@step("first-store", points=2)
def first_store(lab: Lab) -> None:
    window = lab.value("window")
    alias = lab.kernel_alias(window)
    frame = lab.walk(window).frame
    assert frame is not None
    lab.ask(
        "The program stores its first byte into the window. Its translation is in no TLB yet. What happens?",
        choices=[
            "a page fault: the kernel looks up the page table and loads the TLB",
            "the CPU reads four entries by itself and fills its TLB; no instruction of the kernel runs",
            "nothing special: a TLB holds this frame already, under the kernel's address",
        ],
        answer=1,
        hint="A TLB is searched by linear page number. And a page fault needs an entry that refuses.",
    )
    before = lab.machine.journal.seq
    lab.run_until(happened(Kind.ACCESS, linear=window, type="write"))
    events = lab.events.since(before)
    store = events.of(insn=events[-1].insn)
    lab.show(lab.told(store, "The first store, event by event:"))
    mine, kernels = lab.walk(window), lab.walk(alias)
    lab.show(mine, Text("Every TLB entry that reaches the frame:", tuple(lab.tlb.reaching(frame).lines())))

    pages = lab.tlb.reaching(frame).pages
    gone = bool(lab.events.of(Kind.TLB_EVICT).touching(alias))
    way = [row.address for row in mine.rows]
    read = [event.address for event in store if isinstance(event, EntryRead)]
    lab.expect(all(event.cpl == 3 for event in events), "no instruction of the kernel ran")
    lab.expect(not events.of(Kind.FAULT), "a TLB miss is not a page fault")
    lab.expect(read[-len(way) :] == way, "the walk read one entry at each level")
    lab.expect(len(store.of(Kind.ENTRY_WRITE, address=way[-1])) == 1, "the walk wrote the window's own PTE")
    lab.expect(mine.accessed and mine.dirty, "A and D are set in the window's PTE")
    lab.expect(
        kernels.accessed and kernels.dirty,
        "A and D are set in the kernel's PTE: the kernel had cleared the page",
    )
    lab.expect(window in pages and (alias in pages or gone), "one frame, two addresses, two TLB entries")


@step("the-last-byte", points=1)
def the_last_byte(lab: Lab) -> None:
    window = lab.value("window")
    frame = lab.walk(window).frame
    assert frame is not None
    lab.run_until(happened(Kind.FAULT, vector=14))
    lab.step_back(1)
    lab.notes.full = lab.snapshot()
    end = window + PAGE_BYTES
    place = lab.inspector.source(lab.inspector.rip())
    assert place is not None
    lab.say(
        f"4,096 bytes are written. The next instruction is the store of {place.file}, line {place.line}; its address "
        "is the window's start plus 4,096. Here is the end of the page, and the frames around it in *physical* memory."
    )
    lab.show(
        lab.dump(end - 32, 32),
        Text("Physical neighbours:", tuple(lab.frames.part(frame - 1, frame + 3).lines())),
    )
    lab.ask(
        f"Frame {frame + 1:#x}, right behind the shared one in physical memory, is a paging structure of this very "
        "process. Where does the next store go?",
        choices=[
            f"into frame {frame + 1:#x}: the program overwrites its own page tables",
            "to whatever the page tables map at the next linear address: here nothing, so the CPU refuses",
            "back to the start of the window",
            "into the kernel's memory behind its alias of the page",
        ],
        answer=1,
        hint="Which of the two addresses, linear or physical, does the store add 1 to?",
    )
    lab.show(lab.walk(end))
    lab.expect(
        set(lab.memory(window, PAGE_BYTES)) == {WRITTEN}, "all 4,096 bytes of the shared page are written"
    )
    lab.expect(set(own_data(lab)) == {PATTERN}, "the program's own data is whole")
    lab.expect(lab.walk(end).frame is None, "nothing is mapped behind the window")


@step("nothing-behind", points=2)
def nothing_behind(lab: Lab) -> None:
    end = lab.value("window") + PAGE_BYTES
    lab.ask(
        "The store is refused with a page fault. Which error code does the CPU push for the handler?",
        choices=[
            "0x7: write, user, protection violation",
            "0x6: write, user, not present",
            "0x2: write, supervisor, not present",
            "0x4: read, user, not present",
        ],
        answer=1,
        hint="Bit 0 says whether an entry was present and forbade the access; bit 1 write; bit 2 user mode.",
    )
    lab.run_until(happened(Kind.FAULT, vector=14))
    fault = lab.events.of(Kind.FAULT)[-1]
    assert isinstance(fault, Faulted)
    assert fault.error is not None and fault.cr2 is not None
    lab.show(lab.told([fault], "The fault:"))
    lab.say(f"CR2 = {hexadecimal(fault.cr2)}, error code {fault.error:#x}: {fault.error_bits}.")
    lab.run_until(happened(Kind.MARK, name="process_exit"))
    leaving = lab.events.of(Kind.MARK, name="process_exit")[-1]
    intact = set(own_data(lab)) == {PATTERN}
    lab.run_to_exit()
    lab.show(Text("The console, to the end of the run:", tuple(lab.console.lines())))
    lab.expect(
        fault in lab.events.of(cpl=3, cr2=end, error=6), "the fault is the program's, at the window's end"
    )
    lab.expect(
        leaving in lab.events.of(arguments={"pid": 2, "status": 142, "vector": 14}),
        "vector 14 ended process 2",
    )
    lab.expect(intact, "the program's own data was whole to the end")
    lab.expect(lab.ended is not None and lab.ended.code == 0x10, "the kernel went on, and ended in order")


@step("who-wrote", points=2)
def who_wrote(lab: Lab) -> None:
    start, full = lab.notes.start, lab.notes.full
    filling = lab.frames_changed(start, full)
    lab.ask(
        f"{filling.compared} frames are the kernel's. While the program stored its 4,096 bytes, up to the last "
        "instruction before the fault: in how many of them did at least one byte change?",
        choices=["in none", "in one", "in two or more"],
        answer=min(len(filling.kernel), 2),
        hint="What did the walk write, and in whose memory does a page table lie?",
    )
    lab.show(filling)
    lab.say("And from there to the end of the run, the fault and the death of the program included:")
    rest = lab.frames_changed(full)
    lab.show(rest)
    shared = [change for change in filling.frames if full.frames[change.frame].owner == "shared"]
    lab.notes.safe = len([change for change in (*filling.kernel, *rest.kernel) if change.by_ring_3])
    lab.expect(
        len(shared) == 1 and len(shared[0].offsets) == PAGE_BYTES,
        "the shared frame changed, every byte of it",
    )
    lab.expect(
        not any(change.by_ring_3 for change in filling.kernel), "the program itself changed no other frame"
    )
    lab.expect(filling.all_named and rest.all_named, "every frame that changed has a writer with a name")
    lab.expect(lab.notes.safe == 0, "no instruction in ring 3 wrote to a frame of the kernel")


@step("own-data-behind", points=2)
def own_data_behind(lab: Lab) -> None:
    lab.boot("overrun", switches={"ukshm.guard": "off"})
    to_the_loop(lab)
    start = lab.snapshot()
    past = lab.value("length") - PAGE_BYTES
    window, mine = lab.value("window"), lab.value("mine")
    before = own_data(lab)
    seq = lab.machine.journal.seq
    lab.show(lab.space())
    lab.ask(
        f"`ukshm.guard=off`: no guard page. The same loop writes {past} bytes too many. What is lost?",
        choices=[
            "nothing: a page fault again",
            f"{past} bytes of the program's own data",
            f"{past} bytes of the kernel",
        ],
        answer=1,
        hint="What does the address space have directly behind the area ukshm?",
    )
    forked = lab.fork()
    forked.run_until(At("count_lost"))
    crossing = forked.events.since(seq).touching(mine)
    lab.ask(
        "The loop crosses from the last byte of the window to the first byte of the program's data. Which events does "
        "the crossing leave: a fault, a walk, a TLB fill?",
        choices=["a page fault", "a walk and a TLB fill", "none at all"],
        answer=0 if crossing.of(Kind.FAULT) else 1 if crossing else 2,
        hint="The program filled its own pages with 'm' a moment ago. Where is their translation now?",
    )
    lab.run_until(At("count_lost"))
    lab.show(lab.dump(mine, 32, before[:32]))
    lost = sum(byte != PATTERN for byte in own_data(lab))
    changes = lab.frames_changed(start)
    lab.notes.own = len([change for change in changes.kernel if change.by_ring_3])
    lab.run_to_exit()
    lab.show(changes, Text("The console:", tuple(lab.console.lines())))
    lab.expect(mine == window + PAGE_BYTES, "the program's own data lies directly behind the window")
    lab.expect(not lab.events.since(seq).of(Kind.FAULT, vector=14), "no page fault: nobody was told")
    lab.expect(lost == past, f"{past} bytes of the program's own data are lost")
    lab.expect(f"{lost} bytes of my own data are lost" in lab.console, "the program counts the same")
    lab.expect(lab.notes.own == 0, "no instruction in ring 3 wrote to a frame of the kernel")
    lab.expect(changes.all_named, "every frame that changed has a writer with a name")


@step("kernel-range", points=2)
def kernel_range(lab: Lab) -> None:
    lab.boot("overrun", switches={"ukshm.map": "kernel_range"})
    to_the_loop(lab)
    start = lab.snapshot()
    seq = lab.machine.journal.seq
    window, neighbour = lab.value("window"), lab.value("kernel_neighbour")
    past = lab.value("length") - PAGE_BYTES
    end = window + PAGE_BYTES
    before = lab.evaluate("*kernel_neighbour").raw
    lab.show(lab.walk(end), lab.walk(neighbour))
    forked = lab.fork()
    forked.run_until(At("count_lost"))
    damage = forked.structure("*kernel_neighbour", before)
    lab.ask(
        f"The page behind the window is the kernel's, and its PTE says U/S = 1. The loop writes {past} bytes too many, "
        "over the start of the kernel's packet queue. Which of its members are lost?",
        choices=["none: the CPU protects the kernel", "name", "name and transmit", "all of them"],
        answer=_members_lost(damage.damaged, len(damage.fields)),
        hint="struct packet_queue begins with `char name[8]`, then a pointer to a function. A pointer has 8 bytes.",
    )
    lab.run_until(At("count_lost"))
    damage = lab.structure("*kernel_neighbour", before)
    lab.show(damage)
    lab.ask(
        "The kernel's next step with this queue would be `queue->transmit(queue)`. Where would the CPU go?",
        choices=[
            "to the kernel's transmit function, as ever",
            "to an address that the program wrote",
            "nowhere: a page fault on reading the queue",
        ],
        answer=1 if "transmit" in damage.damaged else 0,
        hint="Read the eight bytes at +08, last byte first.",
    )
    changes = lab.frames_changed(start)
    hit = [change for change in changes.kernel if change.by_ring_3]
    lab.notes.naive = len(hit)
    lab.show(changes)
    lab.run_to_exit()
    lab.show(Text("The console:", tuple(lab.console.lines())))
    lab.expect(
        lab.walk(neighbour).frame in [change.frame for change in hit],
        "ring 3 wrote to the kernel's own frame",
    )
    lab.expect(not lab.events.since(seq).of(Kind.FAULT, vector=14), "no page fault: every right was granted")
    lab.expect(damage.lost == past, f"{past} bytes of the kernel's packet queue are lost")
    lab.expect(
        damage.damaged == ("name", "transmit"), "among them the pointer to a function that the kernel calls"
    )
    lab.expect(
        "damage: the kernel's own packet queue" in lab.console, "the kernel finds the damage, too late"
    )


def _members_lost(damaged: tuple[str, ...], count: int) -> int:
    return 3 if len(damaged) == count else len(damaged)


@step("the-verdict", points=1)
def the_verdict(lab: Lab) -> None:
    safe, own, naive = lab.notes.safe, lab.notes.own, lab.notes.naive
    lab.show(
        Text(
            "Three runs of one loop, 16 bytes past the end:",
            (
                "switch                  behind the window   who noticed  frames lost to ring 3",
                f"(none)                  a guard page        the CPU      {safe}",
                f"ukshm.guard=off         own data            nobody       {own}",
                f"ukshm.map=kernel_range  the kernel's queue  nobody       {naive}",
            ),
        )
    )
    lab.ask(
        "What kept the kernel whole in the first two runs?",
        choices=[
            "the kernel checked each access of the program",
            "the TLB checked the length of the shared page",
            "no page table entry with U/S = 1 led to a frame of the kernel's own",
            "the shared frame had no neighbour in physical memory",
        ],
        answer=2,
        hint="The third run differs from the second in what the page tables say, and in nothing else.",
    )
    lab.expect(safe == own == 0, "with a window of its own frames, the overrun never reached the kernel")
    lab.expect(naive > 0, "with a mapping of a kernel range, it did")
