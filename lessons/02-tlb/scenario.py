# SPDX-License-Identifier: GPL-2.0-or-later
"""Lesson "tlb": hits, misses and reach; and that nobody takes an entry out of a TLB unless he is told to."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from emu.bits import PAGE_BYTES, PAGE_SIZES, PhysicalAddress, hexadecimal
from emu.events import Accessed, Faulted, TlbEvicted
from emu.lesson import At, Call, Kind, Lab, Text, happened, step
from emu.tlb.geometry import ArrayGeometry

ENTRY_BYTES = 8
OTHERS = ("pentium3", "haswell", "zen2")
ROUNDS = 4
"""As many as the program makes of each."""
MOST_PAGES = 1200
"""More pages than this are not strided over: there would be memory for them, but no patience."""


def setup(lab: Lab) -> None:
    lab.boot("strides")


# -- rounds -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Round:
    """One round over some pages: how many of its loads walked, and how many level 2 answered."""

    pages: int
    distance: int
    walks: int
    level_2: int
    cycles: int

    @property
    def level_1(self) -> int:
        """How many of its loads level 1 answered."""
        return self.pages - self.walks - self.level_2

    def row(self) -> str:
        """The round as a row under HEAD."""
        each = f"~{self.cycles / self.pages:.1f}"
        return f"{self.pages:<5} {self.distance:>6} {self.level_1:>9} {self.level_2:>9} {self.walks:>7} {each:>12}"


HEAD = "pages  apart   level 1   level 2   walks  cycles each"


def loads_since(lab: Lab, seq: int) -> list[Accessed]:
    """The loads of the program's pages since `seq`, but for plain hits of level 1, which leave no event."""
    memory = lab.value("memory")
    end = memory + lab.value("pages") * lab.value("distance") * PAGE_BYTES
    accesses = lab.events.since(seq).of(Kind.ACCESS, cpl=3, type="read")
    return [event for event in accesses if isinstance(event, Accessed) and memory <= event.linear < end]


def missing(loads: list[Accessed]) -> list[Accessed]:
    """Those that walked."""
    return [event for event in loads if event.tlb == "miss"]


def next_round(lab: Lab) -> Round:
    """Let the program run its next round. The cycles are those of the cost model for its loads' misses."""
    lab.run_until(Call("run_round"))
    seq, before = lab.machine.journal.seq, lab.counters
    rest_of_round(lab)
    loads, after = loads_since(lab, seq), lab.counters
    walks = len(missing(loads))
    level_2 = len(loads) - walks
    active, all_walks = (
        after[name] - before[name]
        for name in ("DTLB_LOAD_MISSES.WALK_ACTIVE", "DTLB_LOAD_MISSES.MISS_CAUSES_A_WALK")
    )
    spent = walks * active // max(all_walks, 1)
    return Round(
        lab.value("pages"),
        lab.value("distance"),
        walks,
        level_2,
        spent + level_2 * lab.machine.geometry.cost.l2_hit,
    )


def rest_of_round(lab: Lab) -> None:
    """At the first instruction of a round: to its end."""
    back = int.from_bytes(lab.memory(lab.registers["rsp"], ENTRY_BYTES), "little")
    lab.run_until(At(back))


def warm_rounds(lab: Lab, wanted: Iterable[tuple[int, int]]) -> list[Round]:
    """On a machine beside: for each (pages, distance) a round after the first.

    An interrupt lets the kernel run, and the kernel needs entries too: a round is taken that has none in or before it.
    """
    pairs = list(wanted)
    lab.boot("strides", *(str(number) for pair in pairs for number in pair))
    return [undisturbed(lab) for _ in pairs]


def undisturbed(lab: Lab) -> Round:
    """Run all rounds over the next pages; the first that finds the TLB as the round before it has left it."""
    ends, rounds = [lab.machine.journal.seq], list[Round]()
    for _ in range(ROUNDS):
        rounds.append(next_round(lab))
        ends.append(lab.machine.journal.seq)
    interrupts = [event.seq for event in lab.events.since(ends[0]).of(Kind.INTERRUPT)]
    for number in range(1, ROUNDS):
        if not any(ends[number - 1] <= seq < ends[number + 1] for seq in interrupts):
            return rounds[number]
    return rounds[-1]


def for_loads(lab: Lab, level: int) -> ArrayGeometry | None:
    """The array of that level that answers loads from 4K pages."""
    arrays = lab.machine.geometry.arrays
    return next((a for a in arrays if a.level == level and "read" in a.types and "4K" in a.page_sizes), None)


def first_array(lab: Lab) -> ArrayGeometry:
    """The array that a load from a 4K page asks first."""
    array = for_loads(lab, 1) or for_loads(lab, 2)
    assert array is not None
    return array


# -- steps ------------------------------------------------------------------------------------------------------------


@step("hit-and-miss", points=2)
def hit_and_miss(lab: Lab) -> None:
    lab.run_until(Call("run_round"))
    memory, pages = lab.value("memory"), lab.value("pages")
    for page in range(pages):
        lab.invalidate(memory + page * PAGE_BYTES)
    lab.say(
        f"The program is about to read one byte of each of {pages} pages, and then the same {pages} bytes once more. "
        "It has touched all of them before; we have just let the TLBs forget them. Your TLBs:"
    )
    arrays = tuple(str(array) for array in lab.machine.geometry.arrays)
    lab.show(Text(f"{lab.machine.geometry.name}:", arrays))
    forked = lab.fork()
    seq = forked.machine.journal.seq
    rest_of_round(forked)
    first = len(missing(loads_since(forked, seq)))
    second = next_round(forked).walks
    lab.ask(
        "How many of the loads need a walk, in the first round and in the second?",
        choices=[
            f"{pages}, then none",
            f"{pages}, then {pages} again",
            "1, then none",
            f"none, then none: the {pages} pages are in memory",
            f"{pages}, then a few",
        ],
        answer=0 if not second else 1 if second == pages else 4,
        hint="Memory does not matter, only whether a TLB holds the page. How many entries does it have for loads?",
    )
    seq = lab.machine.journal.seq
    rest_of_round(lab)
    misses = missing(loads_since(lab, seq))
    lab.show(lab.told([misses[0]], "The first load:"))
    filled = lab.events.since(seq)
    one = next_round(lab)
    again = missing(loads_since(lab, filled[-1].seq + 1))
    evicted = lab.events.since(seq).of(Kind.TLB_EVICT)
    gone = {event.page for event in evicted if isinstance(event, TlbEvicted)}
    lab.show(
        Text(
            "The second round:",
            (
                f"loads {pages}, answered by level 1: {one.level_1}, by level 2: {one.level_2}, walks: {one.walks}",
            ),
        )
    )
    lab.expect(len(misses) == first == pages, f"the first round missed {pages} times: once for each page")
    lab.expect(one.walks == second, f"the second round walked as often as predicted: {second} times")
    lab.expect(
        all(event.linear >> 12 in gone for event in again), "whoever missed again had been evicted in between"
    )
    lab.expect(
        all(event.cpl == 3 for event in filled) and not filled.of(Kind.FAULT), "no miss has called the kernel"
    )


@step("one-entry", points=2)
def one_entry(lab: Lab) -> None:
    array = first_array(lab)
    memory, pages = lab.value("memory"), lab.value("pages")
    held = lab.tlb.within(memory, memory + pages * PAGE_BYTES).of(array.name)
    lab.say(f"What {array.name} holds of the {pages} pages now:")
    lab.show(held.details if len(held.slots) <= 8 else held)
    slot = max(held.slots, key=lambda slot: slot.linear)
    lab.ask(
        f"One of these lines is about the page at {slot.address}. Which of the following does the entry not "
        "contain?",
        choices=[
            "the frame's number",
            "who may do what",
            "the page's 4,096 bytes",
            "whether D is set in the PTE",
        ],
        answer=2,
        hint="One line has all there is. Which of the four can you not find in it?",
    )
    sets, ways, entries = array.sets, array.way_count, array.entries
    lab.ask(
        f"{array.name} has {entries} entries: {sets} set{'s' * (sets > 1)} of {ways}. A page may lie only in one set, "
        "chosen by its number. Two pages have to share a set if their numbers differ by a multiple of which number?",
        choices=[
            f"the number of ways, {ways}",
            f"the number of sets, {sets}",
            f"the number of entries, {entries}, and no smaller one",
            "512, as many as a page table has",
        ],
        answer=1,
        hint="Compare the set in the second column (before the dot) with the page's last digits, line by line.",
    )
    walked = lab.walk(slot.linear)
    lab.show(walked)
    pcid = lab.registers["cr3"] & 0xFFF if lab.registers["cr4"] >> 17 & 1 else 0
    lab.expect(slot.frame == walked.frame, "the entry names the frame that a walk would find")
    lab.expect(
        slot.rights[0] == "U" and slot.rights[1] == "W",
        "it allows what the walk's four entries allow together",
    )
    lab.expect(slot.pcid == pcid, "it carries the PCID in CR3 (0 while PCIDs are not in use)")
    lab.expect(
        all((s.linear >> 12) % sets == s.set for s in held.slots),
        "the set is the page's number modulo the sets",
    )
    lab.expect(not held.stale.slots, "and every entry agrees with memory, for now")


@step("reach", points=3)
def reach(lab: Lab) -> None:
    first, second = first_array(lab), for_loads(lab, 2)
    sizes = [first.entries // 2, first.entries, 2 * first.entries]
    if second is not None and second is not first and 9 * second.entries // 8 <= MOST_PAGES:
        sizes += [7 * second.entries // 8, 9 * second.entries // 8]
    elif second is not None and second is not first:
        lab.say(
            f"Level 2 has {second.entries:,} entries; as many pages take too long to stride over, so the table ends "
            "before."
        )
    sizes = sorted({size for size in sizes if 0 < size <= MOST_PAGES})
    rounds = warm_rounds(lab.beside(), [(size, 1) for size in sizes])
    quiet = [one.pages for one in rounds if one.walks == 0]
    answers = [str(size) for size in sizes] + ["not even these"]
    lab.ask(
        "Five pages or five hundred, round after round in the same order. What is the largest of these numbers of "
        "pages for which the later rounds need no walk at all?",
        choices=answers,
        answer=sizes.index(max(quiet)) if quiet else len(answers) - 1,
        hint="Your TLBs are listed in the first step. What level 1 loses, level 2 may still have, if there is one.",
    )
    twice = next((one for one in rounds if one.pages == 2 * first.entries), rounds[-1])
    lab.ask(
        f"And for {twice.pages} pages, twice as many as {first.name} has entries: how many of the loads does level 1 "
        "answer?",
        choices=["half of them", "none, or almost none", "nearly all"],
        answer=2 if twice.level_1 > 0.9 * twice.pages else 1 if twice.level_1 < 0.1 * twice.pages else 0,
        hint="LRU gives up the page that was used longest ago. In a round: which page is that, and when is it next?",
    )
    lab.show(
        Text(
            f"One of the later rounds, on {lab.machine.geometry.name}:",
            (HEAD, *(one.row() for one in rounds)),
        )
    )
    rows = [
        f"{array.name:<10} {array.entries:>5} entries, of {size:<2}: {amount(array.entries * PAGE_SIZES[size])}"
        for array in lab.machine.geometry.arrays
        for size in array.page_sizes
    ]
    lab.show(Text("Reach: what the entries cover if all are of one page size:", tuple(rows)))
    small, lru = rounds[0], first.policy == "lru"
    lab.expect(small.walks == 0, f"{small.pages} pages fit: the later rounds walk for none")
    lab.expect(
        not lru or twice.level_1 < 0.1 * twice.pages,
        "a round over twice what LRU can hold finds next to nothing there",
    )
    lab.expect(
        all(a.cycles * b.pages <= b.cycles * a.pages for a, b in pairwise(rounds)),
        "the more pages, the dearer each load, by the cost model; never cheaper",
    )
    fits = max(array.entries for array in (first, second) if array is not None)
    lab.expect(
        all(one.walks for one in rounds if one.pages > fits),
        "who has more pages than there are entries walks",
    )


def amount(count: int) -> str:
    """Bytes in KiB, MiB or GiB."""
    for unit, shift in (("GiB", 30), ("MiB", 20)):
        if count >> shift and not count % (1 << shift):
            return f"{count >> shift:,} {unit}"
    return f"{count >> 10:,} KiB"


@step("sets-and-ways", points=2)
def sets_and_ways(lab: Lab) -> None:
    array = first_array(lab)
    sets, pages = array.sets, array.way_count + 1
    near, far = warm_rounds(lab.beside(), [(pages, 1), (pages, sets)])
    lab.say(
        f"{array}. The program strides over {pages} pages, one more than a set has ways: first side by side, then "
        f"{sets} page{'s' * (sets > 1)} apart."
        + ("" if sets > 1 else " With one set for all pages these two are the same.")
    )
    lab.ask(
        f"{pages} pages, {sets} apart: how many of the {pages} loads of a later round does level 1 answer?",
        choices=[f"all {pages}: it has {array.entries} entries", f"all but one: {pages - 1}", "none"],
        answer=0 if far.level_1 == pages else 2 if far.level_1 == 0 else 1,
        hint="Which sets do the pages belong to? And whom does LRU give up when one page too many comes by, in turn?",
    )
    lab.show(Text("One of the later rounds:", (HEAD, near.row(), far.row())))
    lab.expect(
        far.level_1 == 0 or array.policy != "lru",
        f"{pages} pages in turn, all in one set of {pages - 1} ways: no hit",
    )
    lab.expect(
        near.level_1 > far.level_1 if sets > 1 else near.level_1 == far.level_1,
        "the same number of pages side by side does better, if there is more than one set",
    )
    lab.expect(
        far.pages <= array.entries or sets == 1, "and it was not for want of entries, if there are more sets"
    )


@step("other-machines", points=2)
def other_machines(lab: Lab) -> None:
    wanted = [(48, 1), (96, 1), (9, 128)]
    results = {name: warm_rounds(lab.beside(name), wanted) for name in OTHERS}
    if lab.machine.geometry.name not in OTHERS:
        results[lab.machine.geometry.name] = warm_rounds(lab.beside(), wanted)
    walking = [name for name in OTHERS if results[name][1].walks]
    lab.say(
        "Three machines: a Pentium III, of the letter's time, has 64 entries for data and no level 2; a Haswell, ten "
        "years younger, 64 and behind them 1,024; a Zen 2 again 64, in one set, and 2,048."
    )
    lab.ask(
        "The program strides over 96 pages. Which of the three still walk in the later rounds?",
        choices=["the Pentium III", "the Pentium III and the Haswell", "the Zen 2", "all three"],
        answer={"pentium3": 0, "pentium3 haswell": 1, "zen2": 2}.get(" ".join(walking), 3),
        hint="96 is more than 64. Who has somewhere else to look before it walks?",
    )
    rows = [f"{'':<10}" + "".join(f"{f'{pages} pages':<13}" for pages, _ in wanted).rstrip()]
    rows += [f"{'':<10}" + "".join(f"{f'{distance} apart':<13}" for _, distance in wanted).rstrip()]
    for name, rounds in results.items():
        cells = [f"{one.walks:>2} {'~' + format(one.cycles / one.pages, '.1f'):>5}" for one in rounds]
        rows.append(f"{name[:8]:<10}" + "".join(f"{cell:<13}" for cell in cells).rstrip())
    title = "The same program elsewhere: walks in a later round, and ~ cycles for each load:"
    lab.show(Text(title, tuple(rows)))
    old, middle, young = (results[name] for name in OTHERS)
    lab.expect(
        not any(rounds[0].walks for rounds in (old, middle, young)), "48 pages: none of the three walks"
    )
    lab.expect(
        bool(old[1].walks) and not middle[1].walks and not young[1].walks, "96 pages: only the oldest walks"
    )
    lab.expect(
        old[2].walks == middle[2].walks == 9 and not young[2].walks,
        "nine pages in each other's way: two of the three walk for each load, and the third for none",
    )


@step("stale", points=3)
def stale(lab: Lab) -> None:
    lab.boot("twins")
    for _ in range(2):
        lab.run_until(Call("look"), then="return")
    page, twin = lab.value("letter"), lab.value("twin")
    pte, other = lab.walk(page).rows[-1], lab.walk(twin).rows[-1]
    held = bool(lab.walk(page).tlb)
    lab.say(
        f"Another program, `twins`: it looks at the letter at {hexadecimal(page)} again and again, and after each look "
        f"writes the round's number beside it. The letter is O. On the next page, the twin, it is N. We write the "
        f"twin's PTE over the page's: {hexadecimal(other.entry)} instead of {hexadecimal(pte.entry)}. This time we "
        "leave the TLB alone."
    )
    place = entry_place(lab, page)
    lab.poke(place, other.entry.to_bytes(ENTRY_BYTES, "little"))
    forked = lab.fork()
    forked.run_until(Call("look"), then="return")
    letters = ["O: the old page's", "N: the new page's", "none: a page fault"]
    lab.ask(
        "The program looks again. Which letter does it see?",
        choices=letters,
        answer=1 if forked.value("seen") == ord("N") else 0,
        hint="Does this load walk? The dots below a walk say what the TLBs hold.",
    )
    seq = lab.machine.journal.seq
    lab.run_until(At("look"))
    if any(row.stale for row in lab.walk(page).tlb):
        lab.run_until(happened(Kind.ACCESS, linear=page, stale=True, type="read"))
        lab.show(lab.told([lab.events[-1]], "The look:"))
    lab.show(lab.walk(page))
    lab.run_until(At("note"))
    seen = chr(lab.value("seen"))
    lab.run_until(Call("look"), then="return")
    frames = (pte.entry >> 12 & 0xFFFF_FFFF, other.entry >> 12 & 0xFFFF_FFFF)
    notes = [lab.machine.memory.frame(frame)[1] for frame in frames]
    lab.ask(
        "What will make the program see the new letter?",
        choices=[
            "time: after some accesses the CPU reads the PTE again to compare",
            "an invalidation, or that some other page needs the place in the TLB",
            "a store to the page: stores always walk",
        ],
        answer=1,
        hint="What does a hit read? And the program has stored to the page in each round: D is set long since.",
    )
    rows = tuple(f"frame {frame:#x}: {note}" for frame, note in zip(frames, notes, strict=True))
    lab.show(Text("The last round's number that was written there, in the old frame and the new:", rows))
    if not held:
        lab.say(
            "This TLB is so small that it had lost the page before we wrote the entry: nothing could be stale."
        )
    lab.say("Now INVLPG's work, by hand. After the next look:")
    lab.invalidate(page)
    lab.run_until(Call("look"), then="return")
    after = chr(lab.value("seen"))
    lab.show(lab.walk(page))
    lab.poke(place, pte.entry.to_bytes(ENTRY_BYTES, "little"))
    lab.invalidate(page)
    lab.expect(
        seen == ("O" if held else "N"),
        "the program has seen the old letter, as long as a TLB held the old entry",
    )
    lab.expect(
        notes[0] > notes[1] if held else notes[0] < notes[1],
        "its store, too, went to the old frame, as long as a TLB held the old entry",
    )
    lab.expect(after == "N", "after the invalidation it sees the new letter")
    lab.expect(not lab.events.since(seq).of(Kind.FAULT, vector=14), "nobody was told anything: no page fault")


def entry_place(lab: Lab, linear: int) -> int:
    """The kernel's address of the PTE of `linear`."""
    walked = lab.walk(linear)
    assert walked.physical is not None
    return lab.kernel_alias(linear) - walked.physical + walked.rows[-1].address


# -- which changes need an invalidation -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trial:
    """What the program met after one change of its PTE: with the TLB left alone, and after INVLPG."""

    change: str
    alone: str
    told: str

    def row(self) -> str:
        """The trial as a row under TRIALS."""
        return f"{self.change:<19} {self.alone:<27} {self.told}"


TRIALS = f"{'change in the PTE':<19} {'the TLB left alone':<27} after INVLPG"
AT_ONCE, TWICE = "works", "page fault, then works"


def attempt(lab: Lab, function: str) -> str:
    """At the first instruction of `function`: run it, and say how its one access of the page went."""
    seq = lab.machine.journal.seq
    lab.step_line()
    faults = [
        event for event in lab.events.since(seq).of(Kind.FAULT, vector=14) if isinstance(event, Faulted)
    ]
    if not faults:
        return f"sees {chr(lab.value('seen'))}" if function == "look" else AT_ONCE
    process = lab.inspector.process()
    alive = process is not None and process.name == "twins"
    return TWICE if alive and len(faults) == 1 else f"page fault {faults[0].error:#x}"


def trial(
    lab: Lab, change: str, function: str, *, entry: int | None = None, bit: str = "", first: bool = False
) -> Trial:
    """On a copy of the machine: change the PTE, and let `function` use it twice, the second time after INVLPG.

    `entry`: its new value; or `bit`: the bit to turn over. `first`: turned over once before, and a look in between.
    """
    copy = lab.fork()
    page = copy.value("letter")
    row = copy.walk(page).rows[-1]
    if first:
        copy.flip(row, bit)
        copy.invalidate(page)
        copy.run_until(Call("look") if bit == "RW" else At("look"), then="return" if bit == "RW" else None)
    copy.run_until(At(function)) if copy.inspector.rip() != copy.symbol(function) else None
    if entry is not None:
        copy.poke(entry_place(copy, page), entry.to_bytes(ENTRY_BYTES, "little"))
    else:
        copy.flip(row, bit)
    alone = with_a(copy, row.address, bit, attempt(copy, function))
    if alone.startswith("page fault 0x"):
        return Trial(change, alone, "")
    copy.run_until(At(function))
    copy.invalidate(page)
    return Trial(change, alone, with_a(copy, row.address, bit, attempt(copy, function)))


def with_a(lab: Lab, address: int, bit: str, outcome: str) -> str:
    """The outcome; if the trial is about A, with what has become of A."""
    if bit != "A":
        return outcome
    raw = lab.machine.memory.read_entry(PhysicalAddress(address), ENTRY_BYTES)
    return f"{outcome}, A = {raw >> 5 & 1}"


@step("which-changes", points=2)
def which_changes(lab: Lab) -> None:
    lab.run_until(At("look"))
    page = lab.value("letter")
    held = bool(lab.walk(page).tlb)
    other = lab.walk(lab.value("twin")).rows[-1].entry
    frame = trial(lab, "another frame", "look", entry=other)
    gone = trial(lab, "P    1 -> 0", "look", bit="P")
    came = trial(lab, "P    0 -> 1", "look", bit="P", first=True)
    less = trial(lab, "R/W  1 -> 0", "note", bit="RW")
    more = trial(lab, "R/W  0 -> 1", "note", bit="RW", first=True)
    mark = trial(lab, "A    1 -> 0", "look", bit="A")
    lab.say("Six changes of the page's PTE, each on a copy of the machine. The program then uses the page.")
    lab.ask(
        "P is cleared: the page is gone, as far as memory says. Nobody tells the TLB. What does the next look give?",
        choices=["a page fault: P = 0", "the letter, as before", "zeros"],
        answer=0 if gone.alone.startswith("page") else 1,
        hint="What does a hit read? Does it matter for it what P says by now?",
    )
    lab.ask(
        "And the other way: a TLB holds the page as read-only, and the kernel sets R/W to 1, and tells nobody. What "
        "becomes of the next store?",
        choices=[
            "it goes through, and no exception",
            "a page fault each time, until an INVLPG comes",
            "a page fault, once; the same store, tried again, goes through",
        ],
        answer=2 if more.alone == TWICE else 0,
        hint="The TLB's entry refuses: that is a fault. And a page fault does something to the entry of its address.",
    )
    rows = (TRIALS, *(one.row() for one in (frame, gone, less, mark, came, more)))
    lab.show(Text("One change each:", rows))
    stale_hit = "sees O" if held else gone.alone
    lab.expect(
        frame.alone == ("sees O" if held else "sees N") and frame.told == "sees N",
        "another frame: told, not noticed",
    )
    lab.expect(gone.alone == stale_hit, "P cleared: a held page is read as if nothing had happened")
    lab.expect(not held or gone.told.startswith("page fault"), "only INVLPG turns P = 0 into a page fault")
    lab.expect(
        not held or (less.alone == AT_ONCE and less.told != AT_ONCE),
        "a right taken away is still used until the TLB is told",
    )
    lab.expect(
        mark.told.endswith("A = 1") and (not held or mark.alone.endswith("A = 0")),
        "A cleared: it comes back only with a walk",
    )
    lab.expect(came.alone == came.told == "sees O", "P set: nothing was held, so nothing needs to be told")
    lab.expect(
        more.alone in (TWICE, AT_ONCE) and more.told == AT_ONCE, "a right added: one page fault at the most"
    )


# -- whose entries ----------------------------------------------------------------------------------------------------


def at_a_switch(lab: Lab, pcid: str) -> int:
    """Boot two processes and stop right behind a load of CR3, late enough for both to have run; where that was."""
    lab.boot("two", switches={"cpu.pcid": pcid})
    lab.run_until(lambda event: "right: I write" in getattr(event, "text", ""))
    for _ in range(3):
        lab.run_until(happened(Kind.MARK, name="switch"))
    root = lab.registers["cr3"]
    while lab.registers["cr3"] == root:
        lab.step()
    return lab.machine.journal.seq


def total_walks(lab: Lab) -> int:
    """How many walks there have been since reset."""
    return sum(count for name, count in lab.counters.items() if name.endswith("MISS_CAUSES_A_WALK"))


@step("whose-entries", points=1)
def whose_entries(lab: Lab) -> None:
    without = lab.beside()
    at_a_switch(without, "off")
    left = without.tlb
    lab.say(
        "Two processes use the same linear addresses for different frames, and take turns. The kernel has just loaded "
        "CR3 for the other one. First without PCIDs: `cpu.pcid=off`."
    )
    lab.ask(
        "What does the TLB hold right after MOV to CR3?",
        choices=[
            "what it held before: only addresses tell entries apart",
            "nothing at all",
            "the kernel's entries, which are marked as global",
        ],
        answer=0 if any(not slot.is_global for slot in left.slots) else 2 if left.slots else 1,
        hint="The other process must not use this one's entries. But whose entries are right for both of them?",
    )
    at_a_switch(lab, "on")
    tagged = lab.tlb
    flushes = without.events.of(Kind.INVALIDATE, operation="MOV_CR3")
    lab.show(without.told(flushes[-1:], "Without PCIDs, the load of CR3:"))
    mine = sorted({slot.pcid for slot in tagged.slots if not slot.is_global})
    rows = tuple(
        f"cpu.pcid={word:<4} {sum(slot.is_global for slot in slots)} global, "
        f"{sum(not slot.is_global for slot in slots)} not"
        for word, slots in (("off", left.slots), ("on", tagged.slots))
    )
    rows = (*rows, f"those that are not, in the second case: of PCIDs {', '.join(map(str, mine)) or 'none'}")
    lab.show(Text("Entries in all TLBs right after the load:", rows))
    lab.run_to_exit()
    without.run_to_exit()
    walks = (total_walks(without), total_walks(lab))
    lab.show(
        Text("Walks from reset to the end:", (f"cpu.pcid=off: {walks[0]:,}", f"cpu.pcid=on:  {walks[1]:,}"))
    )
    offered = lab.registers["cr4"] >> 17 & 1
    lab.expect(
        all(slot.is_global for slot in left.slots), "without PCIDs only global entries outlive MOV to CR3"
    )
    lab.expect(bool(left.slots), "and there are some: the kernel's")
    tiny = sum(array.entries for array in lab.machine.geometry.arrays) < 64
    lab.expect(
        bool(mine) or tiny or not offered,
        "with PCIDs, entries that are not global outlive it too, unless the TLB is tiny",
    )
    lab.expect(
        walks[1] <= walks[0],
        "with PCIDs the same work needs fewer walks, or as many in a TLB that is too small",
    )
    lab.expect(lab.console == without.console, "the programs have noticed no difference")
