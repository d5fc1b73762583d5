# SPDX-License-Identifier: GPL-2.0-or-later
"""Lesson "share": a window is negotiated, placed, seen from both sides, and taken away."""

from emu.bits import PAGE_BYTES, PAGE_SHIFT
from emu.events import ConsoleWritten, Event, Marked, SyscallEntered
from emu.lesson import At, Call, Kind, Lab, Text, happened, step
from emu.view.walk import WalkView

REGISTER = "SYS_ukshm_register"
PROGRAM = "2"
"""The program's process number: init is 1."""
ENOMEM = 12
OFFSET = 5000
"""A byte of the window's second page."""
LETTER = ord("s")


def setup(lab: Lab) -> None:
    lab.boot("share")


def answers(lab: Lab, seq: int) -> list[int]:
    """What the registrations since event `seq` came to, as signed numbers."""
    calls = lab.events.since(seq).of(Kind.SYSCALL, name=REGISTER)
    results = [call.result for call in calls if isinstance(call, SyscallEntered) and call.result is not None]
    return [result - (1 << 64) if result >> 63 else result for result in results]


def argument(event: Event, name: str) -> int:
    """A number that a tracepoint was given."""
    assert isinstance(event, Marked)
    return int(event.arguments[name])


def is_line(event: Event, word: str) -> bool:
    """Whether the guest has just printed a line with `word` in it."""
    return isinstance(event, ConsoleWritten) and word in event.text


def printed(lab: Lab, *words: str) -> tuple[str, ...]:
    """The lines on the console that hold one of the words."""
    return tuple(line for line in lab.console.splitlines() if any(word in line for word in words))


def is_free(event: Event, frame: int) -> bool:
    """Whether the kernel has just put the frame on a free list."""
    return (
        isinstance(event, Marked)
        and event.name == "frame_owner"
        and event.arguments.get("frame_number") == frame
        and event.arguments.get("owner") == "FRAME_FREE"
    )


def marks_of(walk: WalkView) -> str:
    """A and D of a walk's last entry: "none", "A" or "A D"."""
    return " ".join(name for name, is_set in (("A", walk.accessed), ("D", walk.dirty)) if is_set) or "none"


@step("negotiation", points=2)
def negotiation(lab: Lab) -> None:
    lab.run_until(At("ask_for_nonsense"))
    seq, free = lab.machine.journal.seq, lab.value("free_frames")
    areas = len(lab.space().areas)
    kernel_text = lab.symbol("trap")
    lab.show(lab.walk(kernel_text))
    lab.ask(
        "Suppose that the kernel did not look at the *handler*, and a program gave the address of the kernel's own "
        "code, above. Later the kernel calls the handler: it goes to that address, in ring 3. What happens?",
        choices=[
            "the kernel's code runs, with all rights",
            "a page fault: ring 3 may not fetch from there",
            "nothing: an address is only a number",
        ],
        answer=1,
        hint="Rights come with the ring that the CPU is in, not with the code. Look at U/S.",
    )
    lab.ask(
        "And if it did not look at the *stack*? Before it goes to ring 3, the kernel builds a frame for the handler: "
        "it writes a few words to the address that the program gave.",
        choices=[
            "a page fault again: the program may not write there",
            "the kernel would overwrite its own memory, at a place of the program's choice",
            "nothing: the program has no right to that page, so no walk succeeds",
        ],
        answer=1,
        hint="Who does the writing, and in which ring is the CPU then?",
    )
    lab.run_until(At("ask_with_a_full_list"))
    refused = answers(lab, seq)
    lab.show(
        Text(
            "What the kernel refuses, and with which error:",
            printed(
                lab,
                "does not exist",
                "no page",
                "one page more",
                "2^52",
                "handler",
                "stack that",
                "not as root",
            ),
        ),
        Text(
            "The errors by name:",
            ("1   EPERM: not permitted", "14  EFAULT: bad address", "22  EINVAL: invalid argument"),
        ),
    )
    lab.ask(
        "One of the requests was for 2^52 pages. Why is that a worthwhile thing to try?",
        choices=[
            "it is the largest number of pages that page tables can map",
            "in bytes it is 2^64, which is 0 in 64 bits: a kernel that checks the bytes finds nothing wrong",
            "it makes the kernel's loop run for ever",
        ],
        answer=1,
        hint="What is 2^52 times 4,096?",
    )
    lab.expect(len(refused) == 8, "eight requests were made, each with one thing wrong")
    lab.expect(
        all(-4096 < result < 0 for result in refused), "and each came back with an error, not with an address"
    )
    lab.expect(not lab.events.of(Kind.MARK, name="ukshm_map"), "nothing was mapped")
    lab.expect(not lab.frames.owned_by("shared"), "no frame is shared")
    lab.expect(len(lab.space().areas) == areas, "the program's areas are the ones that it had")
    lab.expect(lab.value("free_frames") <= free, "the guest went on: a refusal is an answer, and no crash")


@step("no-place", points=2)
def no_place(lab: Lab) -> None:
    lab.run_until(Call("ukshm_map"))
    seq, free = lab.machine.journal.seq, lab.value("free_frames")
    areas = lab.space().areas
    used = sum(area.end - area.start for area in areas) >> PAGE_SHIFT
    lab.say(
        f"The request is in order. But the program has made small areas before, one after the other. It has "
        f"{len(areas)} now, and the kernel has no room in its list for more. All of them together are {used} pages, of "
        f"2^35 that an address space has. {free:,} frames are free."
    )
    lab.ask(
        "The kernel has to give the window a place in the address space. What becomes of the request?",
        choices=[
            "it is granted: there are addresses and frames enough",
            "an error: the kernel cannot note the window, and so it must not map it",
            "the kernel panics: its list overflows",
        ],
        answer=1,
        hint="What would happen at the window's first page fault, or at the process's end, if nobody had noted it?",
    )
    lab.run_until(lambda event: is_line(event, "list of areas"))
    result = answers(lab, seq)
    lab.show(Text("The console:", printed(lab, "list of areas")), Text("Error 12 is ENOMEM: no memory.", ()))
    lab.expect(result == [-ENOMEM], "the program got an error code: ENOMEM")
    lab.expect(not lab.events.since(seq).of(Kind.MARK, name="ukshm_map"), "nothing was mapped")
    lab.expect(lab.value("free_frames") == free, "every frame that had been taken for it is back")
    lab.expect(lab.value("ukshm_statistics.pages") == 0, "and no page is counted as shared")


@step("a-free-place", points=2)
def a_free_place(lab: Lab) -> None:
    lab.run_until(Call("ukshm_map"))
    pages = lab.value("pages")
    space = lab.space()
    lab.say(f"The program has tidied up, and left three holes behind. It asks for {pages} pages again.")
    lab.show(space)
    places = [lab.value(f"holes[{i}]") for i in range(3)]
    seq = lab.machine.journal.seq
    lab.run_until(happened(Kind.MARK, name="ukshm_map"))
    window = argument(lab.events.since(seq).of(Kind.MARK, name="ukshm_map")[0], "linear")
    lab.ask(
        f"Window and all, where will it be? The holes have one, two and three pages. ({pages} pages are shared.)",
        choices=[
            "in the hole of one page, and on into what follows",
            f"in the hole of two pages: {pages} pages fit exactly",
            "in the hole of three pages",
            "behind everything else",
        ],
        answer=places.index(window) if window in places else 3,
        hint="Look at how a stack ends, in the list of areas. A window ends in the same way.",
    )
    lab.run_until(lambda event: is_line(event, "pages are shared"))
    lab.show(lab.space())
    shared = next(area for area in lab.space().areas if area.kind == "ukshm")
    behind = next(area for area in lab.space().areas if area.start == shared.end)
    lab.notes.window = window
    lab.expect(
        shared.start == window == lab.value("window"),
        "the program was told the address that the kernel chose",
    )
    lab.expect(shared.end - shared.start == pages * PAGE_BYTES, f"the window has {pages} pages")
    lab.expect(behind.kind == "guard", "behind it lies a guard page, which takes a place, too")
    lab.expect(window == places[2], "so it is the hole of three pages: the first that is large enough")
    lab.expect(
        shared.rights == "rw" and behind.rights == "none", "both are noted as areas, with their rights"
    )


@step("a-row-of-addresses", points=2)
def a_row_of_addresses(lab: Lab) -> None:
    window, pages = lab.notes.window, lab.value("pages")
    walks = [lab.walk(window + i * PAGE_BYTES) for i in range(pages)]
    frames = [walk.frame or 0 for walk in walks]
    lab.ask(
        "To the program its window is a row: byte after byte, through all pages. Are the frames behind it a row, too?",
        choices=[
            "yes: the kernel takes them from its free lists as one block",
            "no: each page has an entry of its own, and leads where it will",
            "they must be: otherwise the program would see a gap",
        ],
        answer=0 if frames == list(range(frames[0], frames[0] + pages)) else 1,
        hint="Must they be? And has anybody asked for a block?",
    )
    lab.show(*walks)
    noted = [lab.value(f"current->ukshm.kernel_pages[{i}]") for i in range(pages)]
    alias = lab.kernel_alias(window + OFFSET)
    lab.ask(
        f"The kernel wants byte {OFFSET:,} of the window, by its own address. Where does it find it?",
        choices=[
            f"at its address of the window's first page, plus {OFFSET:,}",
            f"at its address of the second page, plus {OFFSET - PAGE_BYTES}: it has to keep a list of pages",
            "at the window's own address: there is no other",
        ],
        answer=1 if alias != lab.kernel_alias(window) + OFFSET else 0,
        hint="The direct map is a row of frames. What comes behind the first frame there?",
    )
    runs = lab.events.of(Kind.MARK, name="ukshm_map")
    lab.show(
        Text(
            "The kernel's list:",
            tuple(f"page {i} of the window: frame {at >> PAGE_SHIFT:#x}" for i, at in enumerate(noted)),
        ),
        Text("Behind the first frame in memory:", tuple(lab.frames.part(frames[0], frames[0] + 2).lines())),
    )
    lab.expect(
        [at >> PAGE_SHIFT for at in noted] == frames,
        "the kernel has noted the very frames that the entries have",
    )
    lab.expect(
        all(lab.frames[frame].owner == "shared" for frame in frames), "all of them are marked as shared"
    )
    lab.expect(frames != list(range(frames[0], frames[0] + pages)), "they are no row")
    lab.expect(len(runs) == pages, "`ukshm_map` was called once for each run of frames")
    lab.expect(
        [row.level for row in walks[0].rows[:-1] if row.address not in {r.address for r in walks[1].rows}]
        == [],
        "the two walks differ in nothing but the PTE",
    )


@step("accessed-and-dirty", points=2)
def accessed_and_dirty(lab: Lab) -> None:
    lab.run_until(At("fill_window"))
    window = lab.notes.window
    alias = lab.kernel_alias(window)
    fresh = lab.walk(window), lab.walk(alias)
    for bit in ("A", "D"):
        if getattr(fresh[1], "accessed" if bit == "A" else "dirty"):
            lab.flip(fresh[1].rows[-1], bit)
    lab.invalidate(alias)
    lab.say(
        "The kernel has cleared the page, by its own address, so A and D are set in its entry. We take them out by "
        "hand, and drop the translation, so that both entries tell of nothing:"
    )
    lab.show(
        Text(
            "A and D in the last entry of each walk:",
            (f"the program's  {marks_of(lab.walk(window))}", f"the kernel's   {marks_of(lab.walk(alias))}"),
        )
    )
    clean = lab.walk(window), lab.walk(alias)
    lab.ask(
        "Now the program stores a byte into the page. In which of the two entries will A and D be set?",
        choices=["in the program's", "in the kernel's", "in both: it is one page", "in neither"],
        answer=0,
        hint="A and D are written by a walk. Which entries does that walk read?",
    )
    lab.run_until(At("kernel_reads"))
    stored = lab.walk(window), lab.walk(alias)
    lab.ask(
        "Then the kernel reads the page, by its own address. What will its own entry say?",
        choices=["A and D: the page is dirty", "A", "neither: A belongs to programs"],
        answer=1,
        hint="Was it a read or a write? Does a walk look into any other entry of the same frame?",
    )
    lab.run_until(lambda event: is_line(event, "the kernel reads them"))
    read = lab.walk(window), lab.walk(alias)
    moments = (("at first", clean), ("the program stored", stored), ("the kernel read", read))
    rows = [f"{when:<20} {marks_of(mine):<14} {marks_of(kernels)}" for when, (mine, kernels) in moments]
    head = "                     the program's  the kernel's"
    lab.show(Text("A and D, in the last entry of each walk:", (head, *rows)))
    lab.ask(
        "A kernel that swaps wants to know whether this frame was written to. Which entries must it look at?",
        choices=[
            "the program's: programs write",
            "its own: it is the kernel's page",
            "every entry that leads to the frame",
        ],
        answer=2,
        hint="At which moment in the table would each of the first two answers have been wrong?",
    )
    lab.expect([marks_of(walk) for walk in clean] == ["none", "none"], "at first, neither entry had A or D")
    lab.expect(
        [marks_of(walk) for walk in stored] == ["A D", "none"],
        "the program's store set A and D in its own entry alone",
    )
    lab.expect(
        [marks_of(walk) for walk in read] == ["A D", "A"],
        "the kernel's read set A in the kernel's entry alone",
    )
    lab.expect(clean[0].frame == clean[1].frame, "and both lead to one frame")
    lab.expect("the kernel reads them: yes" in lab.console, "the kernel found what the program had written")


@step("two-translations", points=2)
def two_translations(lab: Lab) -> None:
    window = lab.notes.window
    alias = lab.kernel_alias(window)
    frame = lab.walk(window).frame
    assert frame is not None
    held = lab.tlb.reaching(frame)
    evicted = {page for page in (window, alias) if lab.events.of(Kind.TLB_EVICT).touching(page)}
    lab.ask(
        "One frame, two addresses. How many translations of it may the TLB hold?",
        choices=[
            "one: a TLB holds frames",
            "two, with different rights",
            "two, with the same rights: those of the frame",
        ],
        answer=1,
        hint="By what is a TLB searched? And does a frame have rights?",
    )
    lab.show(Text("TLB entries that lead to the frame:", tuple(held.lines())))
    processes = [str(process) for process in lab.inspector.processes()]
    mine = [p for p in lab.inspector.processes() if lab.walk(window, str(p.pid)).frame == frame]
    kernels = [p for p in lab.inspector.processes() if lab.walk(alias, str(p.pid)).frame == frame]
    lab.ask(
        f"There are {len(processes)} address spaces now: {', '.join(processes)}. In how many of them does the window's "
        "address lead to the frame, and in how many the kernel's?",
        choices=["both in one", "the window's in one, the kernel's in all", "both in all"],
        answer=0 if len(kernels) == 1 else 1 if len(mine) == 1 else 2,
        hint="What is the same in the upper half of every address space?",
    )
    lab.show(lab.walk(window, "init"), lab.walk(alias, "init"))
    rights = {slot.linear: slot.rights for slot in held.slots}
    lab.expect(
        {window, alias} <= held.pages | evicted,
        "two linear addresses, two TLB entries (or one has been evicted)",
    )
    lab.expect(
        all(rights[page][0] == letter for page, letter in ((window, "U"), (alias, "S")) if page in rights),
        "one is for ring 3 as well, the other for the kernel alone",
    )
    lab.expect([str(p.pid) for p in mine] == [PROGRAM], "the window is in the program's address space only")
    lab.expect(len(kernels) == len(processes) > 1, "the kernel's address leads to the frame in every one")


@step("how-it-ends", points=2)
def how_it_ends(lab: Lab) -> None:
    window = lab.notes.window
    alias = lab.kernel_alias(window)
    frame = lab.walk(window).frame
    assert frame is not None
    lab.ask(
        "The program forks. Its child has all that the program has, at the same addresses. The window, too?",
        choices=["yes, the same frame", "yes, as a copy", "no: the kernel made it for one process"],
        answer=2,
        hint="With whom did the kernel negotiate?",
    )
    lab.run_until(lambda event: is_line(event, "munmap of the window"))
    lab.show(Text("The console:", printed(lab, "child of mine", "munmap")))
    lab.run_until(Call("ukshm_unmap"))
    seq = lab.machine.journal.seq
    lab.ask(
        "The program gives the window back. Three things are to be done for each page: clear the entry, invalidate the "
        "translation, free the frame. Which must not come before which?",
        choices=[
            "the order does not matter: the kernel is not interrupted meanwhile",
            "the frame must not be free before the translation is gone",
            "the translation must not go before the frame is free",
        ],
        answer=1,
        hint="Whose may the frame be in the very next moment?",
    )
    lab.run_until(lambda event: is_free(event, frame))
    freed = lab.events.of(Kind.MARK, name="frame_owner")[-1]
    drops = [drop for drop in lab.events.since(seq).of(Kind.INVALIDATE) if drop.seq < freed.seq]
    mine, kernels = lab.walk(window), lab.walk(alias)
    lab.show(lab.told([*drops[:1], freed], "In the order of time:"), mine, kernels)
    lab.ask(
        "The window's entry is gone. What about the kernel's own entry for the frame?",
        choices=[
            "it must go as well: the frame is not shared any more",
            "it stays: it maps the frame whatever it is used for",
        ],
        answer=0 if kernels.frame is None else 1,
        hint="Was it made when the page was shared?",
    )
    stale = lab.tlb.within(window, window + PAGE_BYTES)
    lab.run_to_exit()
    lab.show(Text("The console, to the end:", printed(lab, "the end of it", "after the end", "killed")))
    lab.expect(
        "looks at the window: status 142" in lab.console,
        "the child had no window: its look at it was a page fault",
    )
    lab.expect(
        "munmap of the window: error" in lab.console,
        "munmap does not take windows away: there is a hook for that",
    )
    lab.expect(
        bool(drops) and mine.frame is None,
        "the entry was cleared and the translation dropped, then the frame was free",
    )
    lab.expect(not stale.slots, "no TLB held the window when the frame was free")
    lab.expect(kernels.frame == frame, "the kernel's own entry is what it always was")
    lab.expect(
        "after the end: status 142" in lab.console, "a write to the window after the end was a page fault"
    )
