# SPDX-License-Identifier: GPL-2.0-or-later
"""Random programs over random tables and random TLBs: what they cost, and what they must not change.

Costs are compared with a simulator that shares no code with the model. It keeps an OrderedDict per set, oldest first,
and knows mappings (page size, global) and nothing of tables. Answers are compared with a walk of memory.
"""

import random
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.bits import OFFSET_MASK, PAGE_SHIFT, LinearAddress, PhysicalAddress
from emu.events import Accessed
from emu.mmu import ACCESS_TYPES, Refused
from emu.paging.fault import Reason
from emu.paging.modes import FOUR_LEVEL
from emu.paging.rights import check
from emu.tlb.entry import Slot
from emu.tlb.geometry import Geometry
from emu.tlb.record import PageRecord
from tests.helpers.bench import (
    FETCH,
    GLOBAL,
    PAGE,
    PRESENT,
    READ,
    USER,
    WRITABLE,
    WRITE,
    XD,
    Bench,
    array,
    tlbs,
)

KB, MB, GB = 1 << 10, 1 << 20, 1 << 30
SIZES = {"4K": 4 * KB, "2M": 2 * MB, "1G": GB}
KINDS = {
    "instruction": {FETCH},
    "load": {READ},
    "store": {WRITE},
    "data": {READ, WRITE},
    "both": {FETCH, READ, WRITE},
}
UNITS = {FETCH: "ITLB_MISSES", READ: "DTLB_LOAD_MISSES", WRITE: "DTLB_STORE_MISSES"}
NAMES = {FETCH: "accesses.fetch", READ: "accesses.read", WRITE: "accesses.write"}
LEVELS = {"PML4E": 39, "PDPTE": 30, "PDE": 21}
PCIDS = (3, 7)


@dataclass(frozen=True)
class Row:
    """One array. `split`: pages of 1G are kept in pieces of 2M."""

    level: int
    serves: str
    sizes: tuple[str, ...]
    sets: int
    ways: int
    policy: str
    split: bool

    def keeps(self, size: int) -> int | None:
        """In which size it keeps a page of `size`."""
        if size == GB and self.split:
            return 2 * MB
        return size if size in [SIZES[name] for name in self.sizes] else None


@dataclass(frozen=True)
class Tag:
    """A translation: whose (None: everybody's), of which address and size, and of which page it is a piece."""

    pcid: int | None
    first: int
    size: int
    whole: tuple[int, int]


@dataclass
class Cache:
    """Tags, each with its dirty flag."""

    row: Row
    sets: list[OrderedDict[Tag, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sets = [OrderedDict() for _ in range(self.row.sets)]

    def set_of(self, tag: Tag) -> OrderedDict[Tag, bool]:
        return self.sets[tag.first // tag.size % self.row.sets]

    def find(self, linear: int, pcid: int) -> Tag | None:
        """What answers for an address: the smallest that holds it."""
        held = [
            tag
            for ways in self.sets
            for tag in ways
            if tag.first <= linear < tag.first + tag.size and tag.pcid in (None, pcid)
        ]
        return min(held, key=lambda tag: tag.size, default=None)

    def use(self, tag: Tag) -> None:
        if self.row.policy == "lru":
            self.set_of(tag).move_to_end(tag)

    def fill(self, tag: Tag, linear: int, pcid: int, dirty: bool) -> None:
        size = self.row.keeps(tag.size)
        if size is None or self.find(linear, pcid):
            return
        piece = Tag(tag.pcid, linear & -size, size, tag.whole)
        ways = self.set_of(piece)
        if len(ways) == self.row.ways:
            ways.popitem(last=False)
        ways[piece] = dirty

    def drop(self, doomed: "list[Tag] | None" = None) -> None:
        for ways in self.sets:
            for tag in [tag for tag in ways if doomed is None or tag in doomed]:
                del ways[tag]

    def __iter__(self) -> Iterator[Tag]:
        return (tag for ways in self.sets for tag in ways)


class Simulator:
    """Level 1, then level 2, then a walk that fills both."""

    def __init__(
        self, rows: list[Row], structures: dict[str, int], pages: dict[tuple[int, int], bool]
    ) -> None:
        self.caches = sorted((Cache(row) for row in rows), key=lambda cache: cache.row.level)
        self.structures = {name: OrderedDict[tuple[int, int], None]() for name in structures}
        self.capacity = structures
        self.pages = pages
        self.pcid = PCIDS[0]
        self.counts: Counter[str] = Counter()
        self.steps: Counter[int] = Counter()
        self.structure_hits: Counter[int] = Counter()
        self.dirty: set[tuple[int, int]] = set()

    def tag(self, linear: int) -> Tag:
        first, size = next(page for page in self.pages if page[0] <= linear < sum(page))
        return Tag(None if self.pages[first, size] else self.pcid, first, size, (first, size))

    def holders(self, linear: int, level: int, kind: int) -> list[tuple[Cache, Tag]]:
        caches = [c for c in self.caches if c.row.level == level and kind in KINDS[c.row.serves]]
        return [(cache, tag) for cache in caches if (tag := cache.find(linear, self.pcid))]

    def access(self, linear: int, kind: int) -> None:
        self.counts[NAMES[kind]] += 1
        above, below = self.holders(linear, 1, kind), self.holders(linear, 2, kind)
        whole = self.tag(linear)
        if above or below:
            cache, tag = (above or below)[0]
            dirty = cache.set_of(tag)[tag]
            if kind == WRITE and not dirty:
                self.walk(whole, linear, kind)
                self.take_over(linear, True)
                tag, dirty = whole, True
            if not above:
                self.count_below(below[0][1], kind)
                self.fill(tag, linear, 1, kind, dirty)
        else:
            self.counts[f"{UNITS[kind]}.MISS_CAUSES_A_WALK"] += 1
            size = {4 * KB: "4K", 2 * MB: "2M_4M", GB: "1G"}[whole.size]
            self.counts[f"{UNITS[kind]}.WALK_COMPLETED_{size}"] += 1
            self.walk(whole, linear, kind)
            dirty = (self.pcid, whole.first) in self.dirty
            if kind != FETCH:
                self.take_over(linear, dirty)
            self.fill(whole, linear, 2, kind, dirty)
            self.fill(whole, linear, 1, kind, dirty)
        for cache, tag in above or below:
            cache.use(tag)

    def count_below(self, tag: Tag, kind: int) -> None:
        self.counts[f"{UNITS[kind]}.STLB_HIT"] += 1
        if tag.size < GB:
            self.counts[f"{UNITS[kind]}.STLB_HIT_{'4K' if tag.size == 4 * KB else '2M'}"] += 1

    def fill(self, tag: Tag, linear: int, level: int, kind: int, dirty: bool) -> None:
        for cache in self.caches:
            if cache.row.level == level and kind in KINDS[cache.row.serves]:
                cache.fill(tag, linear, self.pcid, dirty)

    def take_over(self, linear: int, dirty: bool) -> None:
        """A fresh walk of data stands in for what the data arrays held of the page."""
        for cache in self.caches:
            tag = cache.find(linear, self.pcid)
            if tag and cache.row.serves != "instruction":
                cache.set_of(tag)[tag] = dirty

    def walk(self, whole: Tag, linear: int, kind: int) -> None:
        if kind == WRITE:
            self.dirty.add((self.pcid, whole.first))
        upper = [(name, shift) for name, shift in LEVELS.items() if 1 << shift > whole.size]
        begin = 0
        for depth, (name, shift) in enumerate(upper, 1):
            if name in self.structures and (self.pcid, linear >> shift) in self.structures[name]:
                begin = depth
        if begin:
            name, shift = upper[begin - 1]
            self.structures[name].move_to_end((self.pcid, linear >> shift))
            self.structure_hits[kind] += 1
        self.steps[kind] += len(upper) + 1 - begin
        for name, shift in upper[begin:]:
            if name in self.structures:
                if len(self.structures[name]) == self.capacity[name]:
                    self.structures[name].popitem(last=False)
                self.structures[name][self.pcid, linear >> shift] = None

    def invalidate(self, linear: int, pcid: int, also_global: bool) -> None:
        self.counts["invalidations"] += 1
        whole = self.tag(linear).whole
        whose = (pcid, None) if also_global else (pcid,)
        for cache in self.caches:
            cache.drop([tag for tag in cache if tag.whole == whole and tag.pcid in whose])
        self.forget_structures(pcid)

    def flush(self, pcid: int | None, keep_global: bool) -> None:
        for cache in self.caches:
            cache.drop(
                [
                    tag
                    for tag in cache
                    if (pcid is None or tag.pcid == pcid) and not (keep_global and tag.pcid is None)
                ]
            )
        self.forget_structures(pcid)

    def forget_structures(self, pcid: int | None) -> None:
        for cache in self.structures.values():
            for key in [key for key in cache if pcid in (None, key[0])]:
                del cache[key]


@st.composite
def rows(draw: st.DrawFn, policies: tuple[str, ...] = ("lru", "fifo")) -> list[Row]:
    """Level 1 split or shared in several ways, some types with two arrays or with none; with or without a level 2."""
    first = draw(
        st.sampled_from(
            [
                ("instruction", "data"),
                ("both",),
                ("instruction", "load", "store"),
                ("data",),
                ("load",),
                ("load", "data"),
                ("both", "data", "instruction"),
            ]
        )
    )
    second = draw(st.sampled_from([(), ("both",), ("data",), ("both", "data")]))

    def one(level: int, serves: str) -> Row:
        sizes = draw(st.sampled_from([("4K",), ("4K", "2M"), ("4K", "2M", "1G"), ("2M",)]))
        policy = draw(st.sampled_from(policies))
        ways = draw(st.sampled_from((1, 2, 4) if policy == "tree-plru" else (1, 2, 3, 4)))
        split = "2M" in sizes and "1G" not in sizes and draw(st.booleans())
        return Row(level, serves, sizes, draw(st.integers(1, 5)), ways, policy, split)

    return [one(1, serves) for serves in first] + [one(2, serves) for serves in second]


structures = st.dictionaries(st.sampled_from(list(LEVELS)), st.integers(1, 4))


def geometry_of(rows: list[Row], structures: dict[str, int]) -> Geometry:
    arrays = [
        array(
            row.level,
            row.serves,
            " ".join(row.sizes),
            row.sets * row.ways,
            row.ways,
            row.policy,
            **({"_1G": "2M"} if row.split else {}),
        )
        for row in rows
    ]
    return tlbs(*arrays, **{name.lower(): n for name, n in structures.items()})


class Program:
    """A bench with two address spaces that map the same pages: 4K pages in two regions, 2M and 1G pages."""

    def __init__(
        self, rows: list[Row], structures: dict[str, int], seed: int, global_share: float = 0.2
    ) -> None:
        self.chance = random.Random(seed)
        self.bench = Bench(geometry_of(rows, structures), 16 * MB, seed=seed)
        self.spaces = {pcid: self.bench.new_tables() for pcid in PCIDS}
        self.pages: dict[tuple[int, int], bool] = {}
        """Whether the page of that address and size is global."""
        self.entries: dict[tuple[int, int], list[PhysicalAddress]] = {}
        """Where the entries are, root first, by PCID and page."""
        for size, base, slots in (
            (4 * KB, 0x40_0000, 16),
            (4 * KB, 0x7F00_0000_0000, 8),
            (2 * MB, 4 * GB, 6),
            (GB, 1 << 40, 3),
        ):
            for number in self.chance.sample(range(slots), slots // 2 + 1):
                self.pages[base + number * size, size] = self.chance.random() < global_share
        for number, ((linear, size), is_global) in enumerate(self.pages.items()):
            for other, pcid in enumerate(PCIDS):
                frame = number if is_global else number + 32 * (other + 1)
                flags = PAGE | (GLOBAL if is_global else 0)
                self.map(pcid, linear, size, frame * size, flags)
        self.switch(PCIDS[0])
        tags = list(self.pages)
        self.hot = self.chance.sample(tags, 4)

    def map(self, pcid: int, linear: int, size: int, physical: int, flags: int) -> None:
        self.bench.tables = self.spaces[pcid]
        self.bench.map(linear, physical, flags, size)
        path = [level.name for level in FOUR_LEVEL.levels if level.page_bytes >= size]
        addresses = [self.bench.tables.entry_address(LinearAddress(linear), name) for name in path]
        self.entries[pcid, linear] = addresses

    def switch(self, pcid: int) -> None:
        self.pcid = pcid
        self.bench.set(pcid, self.spaces[pcid])

    def somewhere(self) -> tuple[int, int, int]:
        """A mapped page's first address and size, and an address in it: one of few, so that some are met again."""
        first, size = self.chance.choice(self.hot if self.chance.random() < 0.75 else list(self.pages))
        offset = self.chance.randrange(8) * (size // 8) + self.chance.randrange(4 * KB)
        return first, size, first + offset % size

    def drop_something(self) -> tuple[int, Tag] | None:
        """A CPU may drop any entry at any time. Which: the array's number, and what it lost."""
        tlb = self.bench.mmu.tlb
        held: list[Slot] = [slot for cache in tlb.arrays for slot in cache if slot.entry is not None]
        if not held:
            return None
        slot = self.chance.choice(held)
        entry = slot.entry
        assert entry is not None
        tlb.empty(slot)
        whole = entry.linear & -entry.whole_bytes, entry.whole_bytes
        tag = Tag(None if entry.is_global else entry.pcid, entry.linear, entry.page_bytes, whole)
        return tlb.arrays.index(slot.array), tag


def play(program: Program, simulator: Simulator, actions: int) -> None:
    chance, mmu = program.chance, program.bench.mmu
    for _ in range(actions):
        _, _, linear = program.somewhere()
        action, other = chance.random(), chance.choice(PCIDS)
        if action < 0.05:
            mmu.invlpg(LinearAddress(linear))
            simulator.invalidate(linear, program.pcid, also_global=True)
        elif action < 0.06:
            mmu.invpcid(0, other, LinearAddress(linear))
            simulator.invalidate(linear, other, also_global=False)
        elif action < 0.07:
            pcid, keep_global = chance.choice([(other, True), (None, True), (None, False)])
            mmu.flush("MOV_CR3", pcid, keep_global)
            simulator.flush(pcid, keep_global)
        elif action < 0.09:
            mmu.load_state(mmu.state())
        elif action < 0.12:
            program.switch(other)
            simulator.pcid = other
        elif action < 0.14:
            lost = program.drop_something()
            if lost:
                simulator.caches[lost[0]].drop([lost[1]])
        else:
            kind = chance.choice((FETCH, READ, READ, WRITE))
            frame = mmu.peek(linear >> PAGE_SHIFT)
            physical = program.bench.access(linear, kind)
            simulator.access(linear, kind)
            assert kind != FETCH or frame == physical >> PAGE_SHIFT
        if chance.random() < 0.2:
            program.bench.events.clear()


def costs(rows: list[Row], structures: dict[str, int], seed: int, actions: int) -> tuple[object, object]:
    """What a random program cost by the model, and by the simulator."""
    program = Program(rows, structures, seed)
    simulator = Simulator(rows, structures, program.pages)
    play(program, simulator, actions)
    counters = program.bench.mmu.counters
    ours = program.bench.counts(), counters.steps, counters.structure_hits
    kinds = (FETCH, READ, WRITE)
    steps, hits = ([count[kind] for kind in kinds] for count in (simulator.steps, simulator.structure_hits))
    return ours, (dict(simulator.counts), steps, hits)


@given(rows(), structures, st.integers(0, 2**32))
def test_every_count_equals_that_of_an_independent_simulator(
    rows: list[Row], structures: dict[str, int], seed: int
) -> None:
    ours, theirs = costs(rows, structures, seed, 150)
    assert ours == theirs


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6))
def test_every_count_is_equal_over_a_long_run_of_two_levels(seed: int) -> None:
    rows = [
        Row(1, "instruction", ("4K",), 3, 2, "lru", False),
        Row(1, "load", ("4K",), 2, 2, "fifo", False),
        Row(1, "data", ("4K", "2M"), 4, 2, "lru", seed % 2 == 0),
        Row(2, "both", ("4K", "2M"), 4, 4, "lru", True),
    ]
    ours, theirs = costs(rows, {"PDE": 3, "PML4E": 2}, seed, 8000)
    assert ours == theirs


# -- answers


def memory_says(program: Program, linear: int, kind: int) -> int | Reason:
    """Where a user-mode access must get to by the tables as they are now, or why it must not."""
    mmu = program.bench.mmu
    found = mmu.walk(LinearAddress(linear))
    assert found is not None
    assert mmu.controls is not None
    if found.reason is None:
        denied = check(found.rights, ACCESS_TYPES[kind], True, False, False, mmu.controls)
        return denied or found.physical
    return found.reason


def answer(program: Program, linear: int, kind: int) -> int | Reason:
    """Where a user-mode access gets to, or why it faults; the fault is made."""
    bench = program.bench
    found = bench.translate(linear, kind)
    if isinstance(found, Refused):
        bench.mmu.fault(found, LinearAddress(linear))
        return found.reason
    bench.mmu.touch(found, linear & OFFSET_MASK, 1, kind)
    return found.frame << PAGE_SHIFT | linear & OFFSET_MASK


def change_tables(program: Program) -> tuple[int, int, bool]:
    """Change one entry somewhere: its PCID, an address that it translates, and whether it maps the page itself.

    With global pages about, only entries that map pages change; a global page remains the same in every space.
    """
    chance, bench = program.chance, program.bench
    first, size, linear = program.somewhere()
    pcid = chance.choice(PCIDS)
    path = program.entries[pcid, first]
    is_leaf = any(program.pages.values()) or chance.random() < 0.6
    change = chance.choice((PRESENT, WRITABLE, USER, XD, XD))
    if chance.random() < 0.4:
        # a table never moves onto another: what reached an entry by two ways would need two invalidations
        change = size * chance.randrange(1, 4) if is_leaf else 8 * MB
    addresses = [path[-1] if is_leaf else chance.choice(path[:-1])]
    if program.pages[first, size]:
        addresses = [program.entries[every, first][-1] for every in PCIDS]
    for address in addresses:
        bench.set_entry(address, bench.entry(address) ^ change)
    return pcid, linear, is_leaf


def invalidate(program: Program, pcid: int, linear: int, is_leaf: bool) -> None:
    """One of the operations that suffice after a change."""
    mmu, chance = program.bench.mmu, program.chance
    enough = [lambda: mmu.flush("MOV_CR4", None, False), lambda: mmu.invpcid(2, 0, LinearAddress(0))]
    page = next(page for page in program.pages if page[0] <= linear < sum(page))
    if not any(program.pages.values()):
        enough += [lambda: mmu.invpcid(1, pcid, LinearAddress(0)), lambda: mmu.flush("MOV_CR3", pcid, True)]
        enough += [lambda: mmu.flush("MOV_CR3", None, True), lambda: mmu.invpcid(3, 0, LinearAddress(0))]
    if is_leaf and not program.pages[page]:
        enough.append(lambda: mmu.invpcid(0, pcid, LinearAddress(linear)))
    if is_leaf and (pcid == program.pcid or program.pages[page]):
        enough.append(lambda: mmu.invlpg(LinearAddress(linear)))
    chance.choice(enough)()


shares = st.sampled_from([0.0, 0.2])
all_policies = rows(("lru", "fifo", "tree-plru", "random"))


@given(all_policies, structures, st.integers(0, 2**32), shares)
def test_with_correct_invalidation_every_answer_is_that_of_memory(
    rows: list[Row], structures: dict[str, int], seed: int, global_share: float
) -> None:
    program = Program(rows, structures, seed, global_share)
    chance = program.chance
    for _ in range(120):
        action = chance.random()
        if action < 0.1:
            pcid, linear, is_leaf = change_tables(program)
            invalidate(program, pcid, linear, is_leaf)
        elif action < 0.15:
            program.switch(chance.choice(PCIDS))
        elif action < 0.2:
            program.drop_something()
        else:
            _, _, linear = program.somewhere()
            kind = chance.choice((FETCH, READ, READ, WRITE))
            expected = memory_says(program, linear, kind)
            assert answer(program, linear, kind) == expected


@given(all_policies, structures, st.integers(0, 2**32))
def test_without_invalidation_an_answer_that_is_not_memorys_is_marked_stale_or_faults_once(
    rows: list[Row], structures: dict[str, int], seed: int
) -> None:
    program = Program(rows, structures, seed, global_share=0)
    bench, chance = program.bench, program.chance
    bench.mmu.report_all = True
    for _ in range(120):
        action = chance.random()
        if action < 0.15:
            change_tables(program)
        elif action < 0.2:
            program.switch(chance.choice(PCIDS))
        else:
            _, _, linear = program.somewhere()
            kind = chance.choice((FETCH, READ, READ, WRITE))
            expected = memory_says(program, linear, kind)
            bench.events.clear()
            given = answer(program, linear, kind)
            last = bench.events[-1]
            if isinstance(given, Reason):
                assert answer(program, linear, kind) == expected, "after the fault nothing cached is left"
            elif given != expected:
                assert isinstance(last, Accessed)
                assert last.stale


class Engine:
    """Goes on making data accesses it was once granted without asking, until it is told to forget."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.grants: dict[tuple[int, int], PageRecord] = {}

    def access(self, linear: int, kind: int) -> None:
        bench, page = self.program.bench, linear >> PAGE_SHIFT
        self.forget()
        record = self.grants.get((page, kind)) or bench.translate(linear, kind)
        if isinstance(record, Refused):
            bench.mmu.fault(record, LinearAddress(linear))
            return
        if kind != FETCH:
            self.forget()
            record.granted |= 1 << kind | 1 << READ
            self.grants[page, kind] = self.grants[page, READ] = record
            if not (record.answers(READ) and record.answers(kind)):
                bench.mmu.tlb.stale_grants = True
        bench.mmu.touch(record, linear & OFFSET_MASK, 1, kind)

    def forget(self) -> None:
        tlb = self.program.bench.mmu.tlb
        if tlb.stale_grants:
            tlb.stale_grants = False
            self.grants.clear()


@given(all_policies, structures, st.integers(0, 2**32), shares)
def test_an_engine_that_does_not_ask_and_a_machine_that_is_restored_see_what_one_that_asks_sees(
    rows: list[Row], structures: dict[str, int], seed: int, global_share: float
) -> None:
    asking, trusting, restored = (Program(rows, structures, seed, global_share) for _ in range(3))
    engine = Engine(trusting)
    for number in range(120):
        for program in (asking, trusting, restored):
            chance = program.chance
            action = chance.random()
            _, _, linear = program.somewhere()
            if action < 0.1:
                changed = change_tables(program)
                if chance.random() < 0.3:
                    invalidate(program, *changed)
            elif action < 0.14:
                program.switch(chance.choice(PCIDS))
            elif action < 0.16:
                program.drop_something()
            else:
                kind = chance.choice((FETCH, READ, READ, WRITE))
                if program is trusting:
                    engine.access(linear, kind)
                else:
                    answer(program, linear, kind)
        if number % 5 == 0:
            restored.bench.mmu.load_state(restored.bench.mmu.state())
        assert asking.bench.events == trusting.bench.events
        assert asking.bench.events == restored.bench.events
