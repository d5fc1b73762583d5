# SPDX-License-Identifier: GPL-2.0-or-later
"""Lesson "types": zones, buddies, slabs, what a request says of itself, and one new type with one door."""

from emu.bits import PAGE_BYTES, PAGE_SHIFT, PhysicalAddress, hexadecimal
from emu.events import ConsoleWritten, Event, Marked
from emu.lesson import Call, Kind, Lab, Text, happened, step

ZONES = ("DMA", "normal")
ORDERS = 11
ORDER = 4
"""The laboratory is asked for 2^4 frames in a row."""
OBJECT_BYTES = 200
DEVICE_LINES = (1 << 24) - 1
IN_USE, TABLE_OFFSET = 0xFF, 27
"""In the header of a slab: what its table says of an object in use, and where the table begins."""
COMMANDS = (
    "kmalloc_100_KERNEL",
    "kmalloc_100_DMA",
    f"frames_{ORDER}_KERNEL",
    "objects",
)
WRONG_DOORS = ("ukshm_by_kmalloc", "ukshm_by_frames", "ukshm_by_cache")
LEAST_MIB = 8
PRESSURE = "1400"


def setup(lab: Lab) -> None:
    lab.boot("alloc", *COMMANDS)


def next_command(lab: Lab) -> None:
    """On to where the laboratory begins with the next command."""
    lab.run_until(Call("alloc_lab"))


def after_command(lab: Lab) -> Lab:
    """A copy of the machine that has run this command to its end, with what it printed."""
    forked = lab.fork()
    forked.run_until(happened(Kind.SYSCALL, name="SYS_write"))
    return forked


def printed(lab: Lab, word: str) -> str:
    """The last line on the console that holds `word`; "" if there is none."""
    lines = [line for line in lab.console.splitlines() if word in line]
    return lines[-1] if lines else ""


def number_in(text: str, behind: str) -> int:
    """The decimal number behind a word."""
    return int(text.split(behind, 1)[1].split()[0].strip(",:;"))


# -- the kernel's tables ----------------------------------------------------------------------------------------------


def free_blocks(lab: Lab, zone: int) -> list[int]:
    """How many free blocks of 2^0, 2^1, ... frames a zone has."""
    counts: list[int] = []
    for order in range(ORDERS):
        number, count = lab.value(f"zones[{zone}].lists[{order}]"), 0
        while number:
            number, count = lab.value(f"frames[{number}].next"), count + 1
        counts.append(count)
    return counts


def zone_rows(lab: Lab) -> tuple[str, ...]:
    """The two zones, a line each."""
    rows = [f"{'zone':<8} {'from':>8} {'to':>8} {'free':>8} {'reserve':>9}"]
    for zone, name in enumerate(ZONES):
        start, end, free, reserve = (
            lab.value(f"zones[{zone}].{field}") for field in ("start", "end", "free", "reserve")
        )
        rows.append(f"{name:<8} {start:>#8x} {end:>#8x} {free:>8} {reserve:>9}")
    return tuple(rows)


def caches(lab: Lab) -> dict[str, dict[str, int | str]]:
    """The slab caches by name: the members of each that the lesson shows."""
    found: dict[str, dict[str, int | str]] = {}
    for number in range(lab.value("kmem_cache_number")):
        at = f"kmem_caches[{number}]"
        name = lab.memory(lab.value(f"{at}.name"), 16).split(b"\0")[0].decode()
        members = ("object_bytes", "per_slab", "slabs", "in_use", "allocations")
        found[name] = {member: lab.value(f"{at}.{member}") for member in members}
        found[name]["type"] = str(lab.evaluate(f"{at}.type"))
    return found


def cache_rows(lab: Lab) -> tuple[str, ...]:
    """The caches that were ever used, a line each."""
    rows = ["cache         type         bytes  a page  pages  in use"]
    for name, cache in caches(lab).items():
        if cache["allocations"]:
            rows.append(
                f"{name:<13} {cache['type']:<12} {cache['object_bytes']:>5} {cache['per_slab']:>7} "
                f"{cache['slabs']:>6} {cache['in_use']:>7}"
            )
    return tuple(rows)


def frame_of_mark(lab: Lab, name: str) -> int:
    """The frame that the latest mark of this name is about."""
    mark = lab.events.of(Kind.MARK, name=name)[-1]
    assert isinstance(mark, Marked)
    return int(mark.arguments["frame_number"])


def is_line(event: Event, word: str) -> bool:
    """Whether the guest has just printed a line with `word` in it."""
    return isinstance(event, ConsoleWritten) and word in event.text


# -- the steps --------------------------------------------------------------------------------------------------------


@step("two-zones", points=2)
def two_zones(lab: Lab) -> None:
    next_command(lab)
    lab.show(Text("Physical memory, as the allocator has divided it:", zone_rows(lab)))
    ordinary = after_command(lab)
    lab.ask(
        "The kernel asks for 100 bytes, for itself, and says nothing else. Out of which zone do they come?",
        choices=["DMA: the lowest frames first", "normal", "whichever has more free frames"],
        answer=0 if "zone DMA" in printed(ordinary, "kmalloc: 100") else 1,
        hint="Which of the two kinds of frame can be wanted by somebody who could not take the other?",
    )
    lab.ask(
        "And if the normal zone is empty: what becomes of such a request?",
        choices=["it fails: zones are separate stores", "it gets a frame of the DMA zone"],
        answer=1,
        hint="Is there anything that a frame below 16 MiB is not good for?",
    )
    next_command(lab)
    for_dma = after_command(lab)
    lab.show(Text("The console, after two requests:", tuple(for_dma.console.lines())))
    border = lab.value("zones[1].start") << PAGE_SHIFT
    lab.expect(border == 16 << 20, "the zones meet at 16 MiB")
    lab.expect(
        "zone normal" in printed(ordinary, "kmalloc: 100"), "an ordinary request came from zone normal"
    )
    lab.expect("zone DMA" in printed(for_dma, "kmalloc: 100"), "a request with GFP_DMA came from zone DMA")
    lab.expect(
        {caches(for_dma)[name]["allocations"] for name in ("kmalloc-128", "dma-128")} >= {1},
        "the same size came from two caches, one for each kind of memory",
    )


@step("buddies", points=2)
def buddies(lab: Lab) -> None:
    next_command(lab)
    before = free_blocks(lab, 1)
    have = next(order for order in range(ORDER, ORDERS) if before[order])
    sizes = "  ".join(f"{1 << order:>4}" for order in range(ORDERS))
    lab.show(
        Text(
            "Free blocks of zone normal:",
            (f"frames {sizes}", "blocks " + "  ".join(f"{count:>4}" for count in before)),
        )
    )
    lab.run_until(happened(Kind.MARK, name="frame_owner"))
    start = frame_of_mark(lab, "frame_owner")
    during = free_blocks(lab, 1)
    lab.ask(
        f"{1 << ORDER} frames in a row are wanted. The smallest free block that will do has {1 << have}. What becomes "
        "of the frames of it that are not needed?",
        choices=[
            "one block, with all that is left",
            "blocks again: the halves that were cut off, each on the list of its size",
            "single frames",
            "there are none: the block fits",
        ],
        answer=3 if have == ORDER else 1,
        hint="Each block begins at a multiple of its size. Which pieces of the rest can?",
    )
    lab.show(
        Text(
            "Free blocks of zone normal, now:",
            (f"frames {sizes}", "blocks " + "  ".join(f"{count:>4}" for count in during)),
        )
    )
    lab.ask(
        f"The {1 << ORDER} frames begin at frame {start:#x}. How many of that number's lowest bits are 0, and why?",
        choices=[
            f"{ORDER} at least: a block is aligned to its size",
            "12: frames are 4,096 bytes",
            "it may be any number: the frames only have to be in a row",
        ],
        answer=0,
        hint="When the block comes back, its buddy's number must be found: one bit of its own, turned over.",
    )
    finished = after_command(lab)
    after = free_blocks(finished, 1)
    cut = [order for order in range(ORDER, have) if during[order] != before[order] + 1]
    lab.expect(start % (1 << ORDER) == 0, f"frame {start:#x} is a multiple of {1 << ORDER}")
    lab.expect(during[have] == before[have] - 1, f"a block of {1 << have} frames was taken off its list")
    lab.expect(not cut, "each half that was cut off is on the list of its size")
    lab.expect(after == before, "given back, the halves became one again: the lists are as they were")


@step("objects", points=2)
def objects(lab: Lab) -> None:
    next_command(lab)
    finished = after_command(lab)
    lab_cache = caches(finished)["lab"]
    size, fit = int(lab_cache["object_bytes"]), int(lab_cache["per_slab"])
    line = printed(finished, "objects:")
    first, then = number_in(line, "the constructor ran"), number_in(line, "for the first 40,")
    lab.ask(
        f"Objects of {OBJECT_BYTES} bytes, each at a multiple of 16; in front of them, on the same page, a header "
        "and a table with a byte for each. How many objects does a page of 4,096 bytes hold?",
        choices=["20", "19", "16"],
        answer={20: 0, 19: 1}.get(fit, 2),
        hint=f"{OBJECT_BYTES} is no multiple of 16. The next one is {size}.",
    )
    lab.ask(
        "The cache has a constructor, which puts each object into its first state. Forty objects are taken, given "
        "back in that state, and forty are taken again. How often does it run, the first time and the second?",
        choices=["40 times, and 40 times", "40 times, and never", "more than 40 times, and never"],
        answer=2 if first > 40 and not then else 1 if first == 40 and not then else 0,
        hint="Who needs a constructed object: the one who takes it, or the page that holds it? And how many pages?",
    )
    lab.run_to_exit()
    lab.show(Text("The console:", (line,)), Text("The caches, and what they hold:", cache_rows(lab)))
    pages = -(-40 // fit)
    lab.expect("80 of 80" in line, "all objects were found as the constructor leaves them")
    lab.expect(
        first == pages * fit, f"{pages} pages of {fit}: the constructor ran once for each object of a page"
    )
    lab.expect(then == 0, "and not once for objects that had been used before")
    lab.expect(
        all(cache["in_use"] == 0 for name, cache in caches(lab).items() if name == "lab"),
        "all were given back",
    )


@step("what-a-request-says", points=2)
def what_a_request_says(lab: Lab) -> None:
    lab.boot("alloc", "atomic_all", "kmalloc_3000_KERNEL", memory_mib=LEAST_MIB)
    next_command(lab)
    reserve, free = lab.value("zones[0].reserve"), lab.value("free_frames")
    lab.show(Text(f"A machine with {LEAST_MIB} MiB, before the requests:", zone_rows(lab)))
    lab.ask(
        "The laboratory takes frames with GFP_ATOMIC, one after the other, until it is refused one. "
        f"{free:,} frames are free. How far does it get?",
        choices=[
            f"to the reserve: {reserve} are left",
            "to the last frame that is free, the reserve included",
            "further: the kernel takes pages from programs",
        ],
        answer=1,
        hint="For whom is the reserve kept, if not for those who cannot wait?",
    )
    lab.ask(
        "In the end it is refused one. What is the caller given, and what had it better have?",
        choices=[
            "nothing: it must have a plan for getting none",
            "a promise: it is woken when there is a frame again",
            "the frame of somebody else, who is killed for it",
        ],
        answer=0,
        hint="It said that it cannot sleep. Which of the three would need that?",
    )
    seq = lab.machine.journal.seq
    lab.run_until(lambda event: is_line(event, "atomic: frames"))
    left, taken = lab.value("free_frames"), lab.value("frame_statistics.from_reserve")
    between = lab.events.since(seq)
    marks = [mark for mark in between.of(Kind.MARK, name="frame_owner") if isinstance(mark, Marked)]
    given = [mark for mark in marks if mark.arguments["owner"] != "FRAME_FREE"]
    switches = between.of(Kind.MARK, name="switch")
    lab.run_to_exit()
    lab.say(
        f"{len(given):,} frames were handed out, the last {taken} of them from the reserve. All came back."
    )
    lab.show(Text("The console:", tuple(lab.console.lines())))
    lab.expect(len(given) == free, "every frame that was free was handed out, and none twice")
    lab.expect(taken == reserve, f"the last {reserve} came from the reserve")
    lab.expect(not switches, "in all that time the process did not sleep: no other ran")
    lab.expect(left == free, "and all of them came back")
    lab.expect(
        "3000 bytes from zone DMA" in lab.console,
        "with no frame in the normal zone, an ordinary request was given one of the DMA zone",
    )


@step("flags-ignored", points=2)
def flags_ignored(lab: Lab) -> None:
    lab.boot("ledger", PRESSURE, memory_mib=LEAST_MIB, disk="blank:8M")
    lab.run_to_exit()
    honoured = printed(lab, "the sum of")
    bugs = lab.console.count("bug:")
    lab.boot("ledger", PRESSURE, memory_mib=LEAST_MIB, disk="blank:8M", switches={"alloc.gfp": "ignore"})
    lab.ask(
        "Two accounts of the kernel's make 1,000 in all. A process moves 10 from one to the other: it subtracts, takes "
        "memory for its journal, and adds. What may another process find, if taking memory makes the first one sleep?",
        choices=["1,000: both changes belong to one system call", "990", "1,010"],
        answer=1,
        hint="In which order are the subtraction, the request and the addition?",
    )
    lab.run_until(lambda event: is_line(event, "damage"))
    slept = lab.events.of(Kind.MARK, name="slept_in_atomic")
    switch = lab.events.since(slept[-1].seq).of(Kind.MARK, name="switch") if slept else []
    lab.show(
        Text("With the flags honoured:", (honoured,)),
        lab.told([*slept[-1:], *switch[:1]], "With alloc.gfp=ignore:"),
        Text("and the console says:", (printed(lab, "bug: slept"), printed(lab, "damage"))),
    )
    lab.ask(
        "The same two processes, the same shortage of memory. What did the requests do when the flags were honoured?",
        choices=[
            "they slept, too, but the other process was not let in",
            "they took from the reserve, or got nothing, and went on at once",
            "they never met the shortage: GFP_ATOMIC has a memory of its own",
        ],
        answer=1,
        hint="Think of the step before. The change to the accounts is made in any case.",
    )
    lab.expect(
        "as it must be" in honoured and not bugs, "with the flags honoured nobody slept, or saw half a change"
    )
    lab.expect(bool(slept), "with alloc.gfp=ignore a process slept between atomic_enter and atomic_leave")
    lab.expect(bool(switch), "and so another one ran, in the middle")
    lab.expect("make 990, not 1000" in printed(lab, "damage"), "which found 990")


@step("an-old-device", points=2)
def an_old_device(lab: Lab) -> None:
    lab.boot("alloc", "dma_transfer")
    lab.run_to_exit()
    honoured = printed(lab, "dma:")
    lab.boot("alloc", "dma_transfer", switches={"alloc.gfp": "ignore"})
    lab.run_until(lambda event: is_line(event, "damage"))
    line = printed(lab, "damage")
    frame, reached = number_in(line, "given frame"), number_in(line, "reaches frame")
    address = frame << PAGE_SHIFT
    lab.ask(
        "An old device puts the address of its buffer on 24 lines. The driver's request said GFP_DMA, but the "
        f"allocator ignores that and gives frame {frame:#x}, at {hexadecimal(address, 8)}. Which frame does the device "
        "write to?",
        choices=[f"{frame:#x}", f"{reached:#x}", "none: the MMU refuses"],
        answer=1,
        hint="Take the address, and keep its 24 lowest bits. And does a device ask the MMU?",
    )
    owner = lab.frames[reached]
    lab.show(
        Text("With the flags honoured:", (honoured,)),
        Text("With alloc.gfp=ignore:", (line,)),
        Text("The frame that the device reaches:", tuple(lab.frames.part(reached, reached + 1).lines())),
    )
    lab.ask(
        "What would have stopped that device?",
        choices=["the PTE of the buffer, by its R/W", "the TLB", "nothing that you have met so far"],
        answer=2,
        hint="Who walks page tables, and for whose accesses?",
    )
    lab.expect("zone DMA" in honoured, "with the flags honoured the buffer was below 16 MiB")
    lab.expect(address > DEVICE_LINES, "with alloc.gfp=ignore it was above")
    lab.expect(
        (address & DEVICE_LINES) >> PAGE_SHIFT == reached,
        "the device reaches the address without its upper bits",
    )
    lab.expect(owner.owner == "kernel", f"frame {reached:#x} is the kernel's own")


@step("the-one-door", points=2)
def the_one_door(lab: Lab) -> None:
    lab.boot("alloc", *WRONG_DOORS)
    lab.ask(
        "Memory that is to be shared with a program is asked for in three places: kmalloc with GFP_UKSHM, the frame "
        "allocator for a frame that will be FRAME_UKSHM, and the cache named ukshm. Which of them give it?",
        choices=["all three", "the cache, since it is the type's own", "none"],
        answer=2,
        hint='The letter: it "would ONLY be created when specialized hook in the kernel is used".',
    )
    lab.run_to_exit()
    refused = [mark for mark in lab.events.of(Kind.MARK, name="ukshm_refused") if isinstance(mark, Marked)]
    callers = [lab.inspector.name(int(mark.arguments["caller"])) for mark in refused]
    lab.show(Text("Refused, and noted with who had asked:", tuple(callers)))
    shown = tuple(line for line in lab.console.lines() if "ukshm" in line or "wrong door" in line)
    lab.show(Text("The console:", shown))

    lab.boot("spy")
    lab.run_until(Call("ukshm_page_alloc"))
    pages = lab.value("ukshm_statistics.pages")
    lab.run_until(happened(Kind.MARK, name="ukshm_map"))
    frame = frame_of_mark(lab, "ukshm_map")
    lab.show(
        Text("The frame that came through the hook:", tuple(lab.frames.part(frame, frame + 1).lines())),
        Text("The caches:", tuple(row for row in cache_rows(lab) if row.startswith(("cache", "ukshm")))),
    )
    content = lab.machine.memory.read(PhysicalAddress(frame << PAGE_SHIFT), PAGE_BYTES)
    lab.expect(len(refused) == 3, "three requests by a wrong door: three refusals, each noted")
    lab.expect(
        lab.frames[frame].owner == "shared", "page-exclusive: the frame holds nothing but what is shared"
    )
    lab.expect(lab.frames[frame].swap_exempt, "pinned: it is marked never to be swapped")
    lab.expect(content == bytes(PAGE_BYTES), "zeroed: all of its 4,096 bytes are 0")
    lab.expect(lab.frames[frame].pid == 2, "accounted: the frame table says for whom")
    lab.expect(
        lab.value("ukshm_statistics.pages") == pages + 1, "accounted: one page more is shared, says the hook"
    )
    lab.expect(caches(lab)["ukshm"]["in_use"] == pages + 1, "accounted: so says its cache")


@step("an-ordinary-object", points=1)
def an_ordinary_object(lab: Lab) -> None:
    lab.boot("spy", switches={"ukshm.page_exclusive": "off"})
    lab.run_until(lambda event: is_line(event, "not mine"))
    page = lab.value("page")
    walk = lab.walk(page)
    alias = lab.kernel_alias(page)
    secret = lab.value("kernel_secret") - alias
    frame = walk.frame
    assert frame is not None
    owner = lab.frames[frame].owner
    table = lab.memory(alias + TABLE_OFFSET, 3)
    lab.say(
        "`ukshm.page_exclusive=off`: the buffer is an object of 1,024 bytes out of an ordinary cache. Here is the page "
        "that it lies on, as the program's page table has it."
    )
    lab.show(walk, Text("The frame:", tuple(lab.frames.part(frame, frame + 1).lines())))
    lab.ask(
        "The kernel meant to share 1,024 bytes. How many bytes can the program read and write now?",
        choices=["1,024", "4,096", "1,024, and the rest only for reading"],
        answer=1,
        hint="How many bits of a linear address does a walk not look at?",
    )
    before = lab.memory(page + secret, 48)
    lab.run_until(lambda event: is_line(event, "wrote over it"))
    dump = lab.dump(alias + secret, 48, bytes(before)).lines()
    lab.run_to_exit()
    lab.show(
        Text("Beside the buffer, on the same page:", tuple(dump)),
        Text("The console:", tuple(lab.console.lines())),
    )
    lab.expect(owner == "slab", "the frame is a slab: objects of the kernel's lie on it")
    lab.expect(
        sum(byte == IN_USE for byte in table) >= 2, "two of its objects at least are in use, by two owners"
    )
    lab.expect(0 < secret < PAGE_BYTES, "the kernel's key lies on the page that the program was given")
    lab.expect(before.startswith(b"a key of the kernel's"), "the program could read it")
    lab.expect(
        "damage: the kernel's key" in lab.console, "and wrote over it, and the kernel found out too late"
    )
