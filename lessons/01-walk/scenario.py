# SPDX-License-Identifier: GPL-2.0-or-later
"""Lesson "walk": the way from a linear address to a byte, walked by hand and by the machine."""

from collections.abc import Sequence

from emu.bits import PAGE_BYTES, PhysicalAddress, hexadecimal
from emu.events import EntryRead, Faulted
from emu.lesson import At, Call, Event, Kind, Lab, Text, happened, step
from emu.view.inspector import Frame

LEVELS = ("PML4E", "PDPTE", "PDE", "PTE")
ENTRY_BYTES = 8
ADDRESS_BITS = 0x000F_FFFF_FFFF_F000
LARGE_BYTES = 2 << 20


def setup(lab: Lab) -> None:
    lab.boot("byte")


def indices(linear: int) -> list[int]:
    """The four indices of a linear address, root first."""
    return [linear >> shift & 0x1FF for shift in (39, 30, 21, 12)]


def entry_at(lab: Lab, physical: int) -> int:
    """The eight bytes at a physical address, as the number that they are."""
    return int.from_bytes(lab.machine.memory.read(PhysicalAddress(physical), ENTRY_BYTES), "little")


def by_hand(lab: Lab, linear: int) -> list[tuple[int, int]]:
    """The walk in five lines, without the emulator's own: where each entry stands, and its value."""
    table, way = lab.registers["cr3"] & ADDRESS_BITS, list[tuple[int, int]]()
    for index in indices(linear):
        address = table + ENTRY_BYTES * index
        way.append((address, entry_at(lab, address)))
        table = way[-1][1] & ADDRESS_BITS
    return way


def direct_map(lab: Lab) -> int:
    """Where the kernel's row of all physical memory begins."""
    byte = lab.value("byte")
    physical = lab.walk(byte).physical
    assert physical is not None
    return lab.kernel_alias(byte) - physical


def bit_rows(linear: int) -> tuple[str, ...]:
    """The address cut into its fields, in binary."""
    rows = [f"63:48  {linear >> 48:016b}  as bit 47"]
    for name, high, index in zip(LEVELS, (47, 38, 29, 20), indices(linear), strict=True):
        rows.append(f"{high}:{high - 8}  {index:09b}  {name:<6}  {index:#05x}")
    offset = linear % PAGE_BYTES
    return (*rows, f"11:0   {offset:012b}  offset  {offset:#05x}")


@step("five-numbers", points=2)
def five_numbers(lab: Lab) -> None:
    lab.run_until(At("read_byte"))
    byte = lab.value("byte")
    pml4, pdpt, pd, pt = indices(byte)
    lab.say(
        f"The program's pointer `byte` holds {hexadecimal(byte)}. In the next instructions it will read what is there."
    )
    digits = [byte >> 12 & 0xFFF, byte & 0xFFF, pt, pd]
    lab.ask(
        "One of the address's numbers selects an entry of the page table, the last table of the walk. Which number?",
        choices=[f"{digit:#05x}" for digit in digits],
        answer=digits.index(pt),
        hint="Nine bits, 20 to 12. A hexadecimal digit is four bits, and 9 is no multiple of 4.",
    )
    lab.ask(
        "Another address differs from this one in bit 21 and in nothing else. Which tables does its walk share?",
        choices=["none", "the PML4 alone", "the PML4, the PDPT and the page directory", "all four"],
        answer=2,
        hint="Bit 21 belongs to one index. All tables that are found before that index is used are the same.",
    )
    lab.show(Text(f"{hexadecimal(byte)}, bit by bit:", bit_rows(byte)))
    walked = lab.walk(byte)
    joined = pml4 << 39 | pdpt << 30 | pd << 21 | pt << 12 | byte % PAGE_BYTES
    lab.expect(joined == byte, "the four indices and the offset, put together again, are the address")
    lab.expect(
        [row.index for row in walked.rows] == indices(byte), "the machine cuts the address the same way"
    )
    other = lab.walk(byte ^ 1 << 21)
    same = [a.address == b.address for a, b in zip(walked.rows, other.rows, strict=False)]
    lab.expect(
        same == [True, True, False], "an address 2 MiB away uses the same first two entries, and another PDE"
    )


@step("by-hand", points=3)
def walk_by_hand(lab: Lab) -> None:
    byte = lab.value("byte")
    cr3 = lab.registers["cr3"]
    way = by_hand(lab, byte)
    (first_at, first), (last_at, last) = way[0], way[-1]
    index = indices(byte)[0]
    lab.say(f"CR3 = {hexadecimal(cr3)}, and the index of the PML4E is {index:#05x}.")
    root = cr3 & ADDRESS_BITS
    places = [cr3 + ENTRY_BYTES * index, root + index, root + PAGE_BYTES * index, first_at]
    lab.ask(
        "At which physical address does the CPU read the first entry?",
        choices=[hexadecimal(place, 12) for place in places],
        answer=places.index(first_at),
        hint="An entry has eight bytes. And the lowest 12 bits of CR3 are no part of an address: they are the PCID.",
    )
    base = direct_map(lab)
    lab.show(lab.dump(base + first_at, ENTRY_BYTES))
    table = first & ADDRESS_BITS
    wrong_order = int.from_bytes(first.to_bytes(8, "little"), "big")
    tables = [first, table, table >> 12, wrong_order]
    lab.ask(
        "These are its eight bytes, as they lie in memory. Where is the next table?",
        choices=[hexadecimal(place, 16) for place in tables],
        answer=1,
        hint="Little-endian: the lowest byte comes first. Bits 51:12 are the address, the rest are flags.",
    )
    rows: list[str] = []
    for name, index, (address, entry) in zip(LEVELS, indices(byte), way, strict=True):
        start = address - ENTRY_BYTES * index
        rows += [
            f"{name:<6} {hexadecimal(start, 8)} + 8 x {index:#05x} = {hexadecimal(address, 8)}: "
            f"{hexadecimal(entry, 16)}"
        ]
    lab.show(Text("Four reads, each the address for the next:", tuple(rows)))
    page, offset = last & ADDRESS_BITS, byte % PAGE_BYTES
    physical = page + offset
    ends = [page, physical, last + offset, page + ENTRY_BYTES * offset]
    lab.ask(
        "And the byte itself, at which physical address?",
        choices=[hexadecimal(end, 16) for end in ends],
        answer=1,
        hint="A page is not a table of entries: its offset counts single bytes.",
    )
    lab.show(lab.dump(base + physical, 16))
    lab.say("The same, by the machine:")
    walked = lab.walk(byte)
    lab.show(walked)
    found = lab.machine.memory.read(PhysicalAddress(physical), 1)
    lab.expect(
        [(row.address, row.entry) for row in walked.rows] == way,
        "by hand and by machine: the same four entries",
    )
    lab.expect(walked.physical == physical, "and the same physical address")
    lab.expect(
        last_at == walked.rows[-1].address and found == b"B", "there lies the letter B that the program wrote"
    )


def concerning(lab: Lab, seq: int, linear: int) -> list[Event]:
    """The events since `seq` that have to do with a page: entries of its walk, and what touches it."""
    way = {row.address for row in lab.walk(linear).rows}
    since = lab.events.since(seq)
    touching = {event.seq for event in since.touching(linear)}
    return [event for event in since if event.seq in touching or getattr(event, "address", None) in way]


def reads_of(events: list[Event]) -> list[int]:
    """Where the walker read, in order."""
    return [event.address for event in events if isinstance(event, EntryRead)]


def the_load(lab: Lab, linear: int) -> list[Event]:
    """At the function that loads a byte: let it, and give the events of that page's walk and of the load."""
    seq = lab.machine.journal.seq
    lab.step_line()
    return concerning(lab, seq, linear)


@step("by-machine", points=2)
def by_machine(lab: Lab) -> None:
    byte = lab.value("byte")
    way = [row.address for row in lab.walk(byte).rows]
    seq = lab.machine.journal.seq
    lab.invalidate(byte)
    forked = lab.fork()
    reads = reads_of(the_load(forked, byte))
    kernel = forked.events.since(seq).of(cpl=0)
    lab.ask(
        "The load of one byte, from a page that no TLB holds: how often does the CPU read memory for it, the fetch of "
        "the instruction aside?",
        choices=["once", "twice", "four times", "five times"],
        answer={0: 0, 1: 1, 3: 2, 4: 3}.get(len(reads), 3),
        hint="You have done it by hand. Count everything, to the end.",
    )
    lab.ask(
        "And how many instructions of the kernel are executed for it?",
        choices=["none", "one: INVLPG", "a page-fault handler's worth", "one for each entry"],
        answer=2 if kernel.of(Kind.FAULT) else 0,
        hint="Who knows that there was a miss at all?",
    )
    load = the_load(lab, byte)
    lab.show(lab.told(load, "The load, event by event:"), lab.walk(byte))
    since = lab.events.since(seq)
    lab.expect(
        reads_of(load) == way, "the CPU has read the four entries that we found by hand, in that order"
    )
    lab.expect(
        len(since.of(Kind.ACCESS, linear=byte, tlb="miss", size=1)) == 1, "the load was a miss, of one byte"
    )
    lab.expect(all(event.cpl == 3 for event in load), "all of it in ring 3: no instruction of the kernel ran")
    lab.expect(not since.of(Kind.FAULT), "no exception was raised")
    lab.expect(bool(lab.walk(byte).tlb), "a TLB holds the translation now; nobody was asked to put it there")


@step("two-bits", points=2)
def two_bits(lab: Lab) -> None:
    fresh = lab.value("fresh")
    lab.run_until(Call("read_fresh"), then="return")
    after_read = lab.walk(fresh)
    lab.say(
        "The next page, one entry further in the same page table. The program has just read a byte of it."
    )
    lab.show(after_read)
    pte = after_read.rows[-1].address
    forked = lab.fork()
    seq = forked.machine.journal.seq
    forked.run_until(Call("write_fresh"), then="return")
    again = pte in reads_of(forked.events.since(seq))
    lab.ask(
        "A = 1 and D = 0 in its PTE. Now the program stores to this page for the first time, and a moment later for "
        "the second time. For which of the stores does the CPU walk?",
        choices=["for neither: the read has filled the TLB", "for the first", "for both"],
        answer=1 if again else 0,
        hint="Somebody must write D = 1 into memory. Look at what a TLB entry says of D at the end of its line.",
    )
    seq = lab.machine.journal.seq
    lab.run_until(Call("write_fresh"), then="return")
    first = lab.events.since(seq)
    held = {slot.rights for slot in lab.tlb.within(fresh, fresh + 1).slots}
    stores = concerning(lab, seq, fresh)
    lab.show(lab.told(stores, "The first store, what concerns the page:"))
    seq = lab.machine.journal.seq
    lab.run_until(Call("write_fresh"), then="return")
    second = lab.events.since(seq)
    lab.show(lab.walk(fresh))
    lab.ask(
        "Who sets these two bits back to 0?",
        choices=[
            "the CPU, when the page's data have been written to the disk",
            "the CPU, when its TLB entry is evicted",
            "nobody but software: the CPU never clears them",
        ],
        answer=2,
        hint="What does the CPU know of disks? And what would the kernel learn from a bit that clears itself?",
    )
    written = first.of(Kind.ENTRY_WRITE, address=pte, why="D")
    lab.expect(after_read.accessed and not after_read.dirty, "after a read: A is set in the PTE, D is not")
    lab.expect(
        len(written) == 1 and written[0].cpl == 3, "the first store has set D, in ring 3: the walk did it"
    )
    lab.expect(not second.of(Kind.ENTRY_WRITE, address=pte), "the second store has written no entry")
    lab.expect(
        all(right.endswith("D") for right in held), "a TLB entry of the page says D now, if there is one"
    )
    lab.expect(lab.memory(fresh, 1) == b"F", "the letter F is in the page")


@step("where-it-ends", points=2)
def where_it_ends(lab: Lab) -> None:
    byte, elsewhere = lab.value("byte"), lab.value("elsewhere")
    far = byte + (1 << 30)
    nowhere = [
        (byte + 2 * PAGE_BYTES, "two pages on"),
        (elsewhere, "2 MiB on"),
        (far, "1 GiB on"),
        (byte - (1 << 44), "16 TiB before"),
        (1 << 47, "the first that is not canonical"),
    ]
    walks = [lab.walk(linear) for linear, _ in nowhere]
    lab.ask(
        f"Nothing is mapped at {hexadecimal(far)}, 1 GiB behind the byte. How many entries does a walk read before it "
        "knows?",
        choices=["none", "one", "two", "three", "four"],
        answer=len(walks[2].rows),
        hint="Add 1 GiB: which index changes? Up to there the way is the byte's own.",
    )
    rows = [
        f"{hexadecimal(linear)}  {len(walked.rows)} read, {name}"
        for (linear, name), walked in zip(nowhere, walks, strict=True)
    ]
    lab.show(Text("Walks that end early:", tuple(rows)), walks[2])
    lab.run_until(At("write_elsewhere"))
    before = lab.frames
    stored = happened(Kind.ACCESS, linear=elsewhere, type="write")
    forked = lab.fork()
    forked.run_until(stored)
    lab.ask(
        f"The program's next store goes to {hexadecimal(elsewhere)}: it has mapped that page long ago, and never "
        "touched it. The walk ends at the PDE. How many frames does the kernel need for this one byte?",
        choices=["none: the memory was mapped", "one", "two", "512"],
        answer=min(free(before) - free(forked.frames), 3),
        hint="A page for the byte. And the entry of that page must stand somewhere.",
    )
    seq = lab.machine.journal.seq
    lab.run_until(stored)
    events = lab.events.since(seq)
    faults = [event for event in events.of(Kind.FAULT, vector=14) if isinstance(event, Faulted)]
    wanted = [*faults, *events.of(Kind.MARK, name="frame_owner"), *events.of(Kind.MARK, name="demand_zero")]
    last = [event for event in events.touching(elsewhere).of(Kind.ACCESS, type="write", tlb="miss")]
    lab.show(lab.told([*wanted, *events.of(Kind.RETURN, to_cpl=3), *last], "From the refusal to the byte:"))
    lab.show(lab.walk(elsewhere))
    ends = [len(walked.rows) for walked in walks]
    taken = free(before) - free(lab.frames)
    lab.expect(ends == [4, 3, 2, 1, 0], "the walks end after four entries, three, two, one and none")
    lab.expect(
        len(faults) == 1 and faults[0].cr2 == elsewhere, "the store was refused once, with a page fault"
    )
    lab.expect(
        faults[0].level == "PDE" and faults[0].error == 6,
        "by a PDE: error code 6, write + user + not present",
    )
    lab.expect(taken == 2, "the kernel took two frames: a page table and a page")
    lab.expect(bool(last), "then the same store was executed again, missed the TLB and walked to the end")
    lab.expect(not events.of(Kind.INVALIDATE, operation="INVLPG"), "the kernel invalidated nothing for it")


def free(frames: Sequence[Frame]) -> int:
    """How many frames are free."""
    return sum(frame.owner == "free" for frame in frames)


@step("rewritten", points=2)
def rewritten(lab: Lab) -> None:
    lab.run_until(At("read_byte"))
    byte, fresh = lab.value("byte"), lab.value("fresh")
    pte, other = lab.walk(byte).rows[-1], lab.walk(fresh).rows[-1]
    lab.say(
        f"The program stands before its second look at the byte. The PTE of the byte's page is "
        f"{hexadecimal(pte.entry)}, that of the next page {hexadecimal(other.entry)}. We write the second value over "
        "the first, and let the TLB forget the page."
    )
    before = [
        lab.memory(linear, PAGE_BYTES) for linear in (byte - byte % PAGE_BYTES, fresh - fresh % PAGE_BYTES)
    ]
    place = direct_map(lab) + pte.address
    lab.poke(place, other.entry.to_bytes(ENTRY_BYTES, "little"))
    lab.invalidate(byte)
    forked = lab.fork()
    the_load(forked, byte)
    letter = bytes(forked.memory(byte, 1))
    choices = ["B: that is what it wrote there", "F", "0: it is a new page", "nothing: a page fault"]
    lab.ask(
        "Not one byte of the two pages has changed. What does the program read at the same address as before?",
        choices=choices,
        answer=1 if letter == b"F" else 0,
        hint="The offset in the page is the same. Which frame does the walk end in now?",
    )
    load = the_load(lab, byte)
    view = lab.walk(byte)
    lab.show(lab.told(load, "The load:"), view, lab.dump(byte - byte % 16, 16))
    lab.poke(place, pte.entry.to_bytes(ENTRY_BYTES, "little"))
    lab.invalidate(byte)
    after = [
        lab.memory(linear, PAGE_BYTES) for linear in (byte - byte % PAGE_BYTES, fresh - fresh % PAGE_BYTES)
    ]
    lab.run_to_exit()
    lab.show(Text("We put the entry back. The console:", tuple(lab.console.lines())))
    lab.expect(reads_of(load)[-1:] == [pte.address], "the walk has read the entry that we wrote")
    lab.expect(view.frame == other.entry >> 12 & 0xFF_FFFF_FFFF, "and has ended in the other frame")
    lab.expect(before == after, "both pages hold byte for byte what they held")
    lab.expect("I read B, then F" in lab.console, "the program read B, and then F")
    lab.expect(lab.ended is not None and lab.ended.code == 0x10, "the machine ended in order")


@step("large-page", points=1)
def large_page(lab: Lab) -> None:
    lab.boot("byte", memory_mib=96)
    lab.run_until(At("read_byte"))
    byte = lab.value("byte")
    alias = lab.kernel_alias(byte)
    mine, kernels = lab.walk(byte), lab.walk(alias)
    lab.say(
        f"A machine with 96 MiB. The byte is at physical address {hexadecimal(mine.physical or 0, 12)} this time. The "
        f"kernel reaches it at {hexadecimal(alias)}, in its direct map of all memory."
    )
    lab.ask(
        "Above 64 MiB the kernel's direct map is made of pages of 2 MiB. How many entries does a walk to the byte by "
        "the kernel's address read, and how many bits of the address does it not translate?",
        choices=[
            "four entries, 12 bits",
            "three entries, 12 bits",
            "three entries, 21 bits",
            "two entries, 30 bits",
        ],
        answer=2 if kernels.page_bytes == LARGE_BYTES else 0,
        hint="2 MiB are 2 to the power of 21. One entry with PS = 1 ends the walk one level early.",
    )
    lab.show(
        kernels,
        mine,
        Text("What reaches the byte from a TLB:", tuple(lab.tlb.reaching(mine.frame or 0).lines())),
    )
    base = kernels.rows[-1].entry & ADDRESS_BITS & ~(LARGE_BYTES - 1)
    lab.expect(
        len(kernels.rows) == 3 and "PS" in kernels.rows[-1].flags, "the walk ends at a PDE with PS = 1"
    )
    lab.expect(
        base + alias % LARGE_BYTES == kernels.physical, "its frame and the lowest 21 bits are the address"
    )
    lab.expect(kernels.physical == mine.physical, "both ways lead to the same byte")
    lab.expect(
        len(mine.rows) == 4, "the program's own way is four entries long: a page's size belongs to the way"
    )


@step("another-root", points=2)
def another_root(lab: Lab) -> None:
    lab.boot("two")
    lab.run_until(lambda event: "right: I write" in getattr(event, "text", ""))
    lab.run_until(lambda event: getattr(event, "name", "").lower() == "sys_yield")
    address = lab.symbol("looks_shared")
    left, right = lab.walk(address, process="3"), lab.walk(address, process="4")
    roots = [lab.inspector.process_named(pid).root for pid in ("3", "4")]  # pyright: ignore[reportOptionalMemberAccess]
    values = [value_at(lab, walked.physical) for walked in (left, right)]
    lab.say(
        f"Two processes of one program. Each has written its own number at {hexadecimal(address)}: left(3) 1111, "
        "right(4) 2222."
    )
    lab.ask(
        "From time to time the kernel switches from one to the other. What must it change so that the same address "
        "reaches the other number?",
        choices=[
            "the number: it saves one and loads the other",
            "the PTE of that address",
            "one register: CR3",
            "nothing: the TLB knows which process runs",
        ],
        answer=2,
        hint="Where does every walk begin?",
    )
    lab.show(left, right)
    halves = [[entry_at(lab, root + ENTRY_BYTES * index) for index in range(256, 512)] for root in roots]
    differing = sum(a != b for a, b in zip(*halves, strict=True))
    lab.ask(
        "The upper 256 entries of each PML4 are the kernel's half of the address space. In how many of them do the two "
        "processes' tables differ?",
        choices=["in none", "in one", "in all of them"],
        answer=min(differing, 2),
        hint="Whichever process runs, a system call must find the same kernel at the same addresses.",
    )
    rows = [
        f"root table of {name}: {hexadecimal(root, 8)}"
        for name, root in zip(("left", "right"), roots, strict=True)
    ]
    loaded: list[int] = []
    for _ in range(3):
        lab.run_until(happened(Kind.MARK, name="switch"))
        loaded.append(lab.registers["cr3"])
        rows.append(f"at the next switch CR3 is {hexadecimal(loaded[-1])}")
    lab.show(Text("Where the walks begin:", tuple(rows)))
    lab.run_to_exit()
    lab.expect(left.frame != right.frame, "one linear address, two frames")
    lab.expect(values == [1111, 2222], "in one of them is 1111, in the other 2222")
    lab.expect(roots[0] != roots[1], "the two walks begin at different root tables")
    lab.expect(
        {value & ADDRESS_BITS for value in loaded} == set(roots), "CR3 holds now the one, now the other"
    )
    lab.expect(differing == 0, "the kernel's half is the same in both, entry by entry")
    lab.expect(
        "right: after 5 rounds it still holds 2222" in lab.console,
        "to the end neither saw the other's number",
    )


def value_at(lab: Lab, physical: int | None) -> int:
    """The number at a physical address."""
    return entry_at(lab, physical) if physical is not None else 0
