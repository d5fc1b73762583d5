# SPDX-License-Identifier: GPL-2.0-or-later
"""Random accesses over random tables: every count equals that of a simulator that shares no code with the model.

The simulator keeps an OrderedDict per set, oldest first. It knows mappings (page size, global) and nothing else.
"""

import random
from collections import Counter, OrderedDict
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.bits import LinearAddress
from tests.helpers.bench import FETCH, GLOBAL, PAGE, READ, WRITE, Bench, array, tlbs

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
Row = tuple[int, str, tuple[str, ...], int, int]
"""Level, serves, page sizes, sets, ways."""
Tag = tuple[int, int]
"""(first address, bytes) of a page."""


@dataclass
class Cache:
    row: Row
    sets: list[OrderedDict[Tag, None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sets = [OrderedDict() for _ in range(self.row[3])]

    def answers(self, level: int, kind: int) -> bool:
        return self.row[0] == level and kind in KINDS[self.row[1]]

    def set_of(self, tag: Tag) -> OrderedDict[Tag, None]:
        return self.sets[tag[0] // tag[1] % self.row[3]]

    def use(self, tag: Tag) -> bool:
        ways = self.set_of(tag)
        if tag not in ways:
            return False
        ways.move_to_end(tag)
        return True

    def fill(self, tag: Tag) -> None:
        if tag[1] not in [SIZES[size] for size in self.row[2]] or self.use(tag):
            return
        ways = self.set_of(tag)
        if len(ways) == self.row[4]:
            ways.popitem(last=False)
        ways[tag] = None


class Simulator:
    """Level 1, then level 2, then a walk that fills both."""

    def __init__(self, rows: list[Row], pages: dict[Tag, bool]) -> None:
        self.caches = [Cache(row) for row in rows]
        self.pages = pages
        self.counts: Counter[str] = Counter()
        self.clean: set[Tag] = set(pages)

    def tag(self, linear: int) -> Tag:
        return next(tag for tag in self.pages if tag[0] <= linear < sum(tag))

    def access(self, linear: int, kind: int) -> None:
        tag = self.tag(linear)
        self.counts[NAMES[kind]] += 1
        level_1 = [cache for cache in self.caches if cache.answers(1, kind)]
        level_2 = [cache for cache in self.caches if cache.answers(2, kind)]
        if any([cache.use(tag) for cache in level_1]):
            return
        if any([cache.use(tag) for cache in level_2]):
            self.counts[f"{UNITS[kind]}.STLB_HIT"] += 1
            if tag[1] < GB:
                self.counts[f"{UNITS[kind]}.STLB_HIT_{'4K' if tag[1] == 4 * KB else '2M'}"] += 1
        else:
            self.counts[f"{UNITS[kind]}.MISS_CAUSES_A_WALK"] += 1
            size = {4 * KB: "4K", 2 * MB: "2M_4M", GB: "1G"}[tag[1]]
            self.counts[f"{UNITS[kind]}.WALK_COMPLETED_{size}"] += 1
            for cache in level_2:
                cache.fill(tag)
        for cache in level_1:
            cache.fill(tag)

    def invalidate(self, linear: int) -> None:
        self.counts["invalidations"] += 1
        for cache in self.caches:
            cache.set_of(self.tag(linear)).pop(self.tag(linear), None)

    def flush(self) -> None:
        for cache in self.caches:
            for ways in cache.sets:
                for tag in [tag for tag in ways if not self.pages[tag]]:
                    del ways[tag]


def rows() -> st.SearchStrategy[list[Row]]:
    """Level 1 split or shared in several ways, with or without a level 2."""
    sizes = st.sampled_from([("4K",), ("4K", "2M"), ("4K", "2M", "1G"), ("2M",)])
    shape = st.tuples(sizes, st.integers(1, 5), st.integers(1, 4))
    split = st.sampled_from([("instruction", "data"), ("both",), ("instruction", "load", "store"), ("data",)])

    def build(
        serves: tuple[str, ...], shapes: list[tuple[tuple[str, ...], int, int]], second: str
    ) -> list[Row]:
        made: list[Row] = [(1, s, *shapes[n]) for n, s in enumerate(serves)]
        return [*made, (2, second, *shapes[3])] if second else made

    return st.builds(
        build, split, st.lists(shape, min_size=4, max_size=4), st.sampled_from(["", "both", "data"])
    )


def build(rows: list[Row], seed: int) -> tuple[Bench, Simulator]:
    """A bench and a simulator with the same random mappings: 4K pages in two regions, 2M and 1G pages."""
    chance = random.Random(seed)
    bench = Bench(
        tlbs(*(array(level, s, " ".join(sizes), sets * ways, ways) for level, s, sizes, sets, ways in rows)),
        16 * MB,
    )
    pages: dict[Tag, bool] = {}
    for size, base, slots in (
        (4 * KB, 0x40_0000, 16),
        (4 * KB, 0x7F00_0000_0000, 8),
        (2 * MB, 4 * GB, 6),
        (GB, 1 << 40, 3),
    ):
        for number in chance.sample(range(slots), slots // 2 + 1):
            linear, is_global = base + number * size, chance.random() < 0.2
            bench.map(linear, 0, PAGE | (GLOBAL if is_global else 0), size)
            pages[linear, size] = is_global
    return bench, Simulator(rows, pages)


def play(bench: Bench, simulator: Simulator, seed: int, accesses: int) -> None:
    chance = random.Random(seed)
    tags = list(simulator.pages)
    hot = chance.sample(tags, 4)
    for _ in range(accesses):
        first, size = chance.choice(hot if chance.random() < 0.5 else tags)
        linear = first + chance.randrange(size)
        action = chance.random()
        if action < 0.03:
            bench.mmu.invlpg(LinearAddress(linear))
            simulator.invalidate(linear)
        elif action < 0.04:
            bench.mmu.flush("MOV_CR3", keep_global=True)
            simulator.flush()
        elif action < 0.06:
            bench.mmu.load_state(bench.mmu.state())
        else:
            kind = chance.choice((FETCH, READ, READ, WRITE))
            bench.access(linear, kind)
            simulator.access(linear, kind)
        if chance.random() < 0.2:
            bench.events.clear()


@given(rows(), st.integers(0, 2**32))
def test_every_count_equals_that_of_an_independent_simulator(rows: list[Row], seed: int) -> None:
    bench, simulator = build(rows, seed)
    play(bench, simulator, seed, 150)
    assert bench.counts() == dict(simulator.counts)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6))
def test_every_count_is_equal_over_a_long_run_of_two_levels(seed: int) -> None:
    rows: list[Row] = [
        (1, "instruction", ("4K",), 3, 2),
        (1, "data", ("4K", "2M"), 4, 2),
        (1, "data", ("1G",), 1, 1),
        (2, "both", ("4K", "2M"), 4, 4),
    ]
    bench, simulator = build(rows, seed)
    play(bench, simulator, seed, 8000)
    assert bench.counts() == dict(simulator.counts)
