# SPDX-License-Identifier: GPL-2.0-or-later
"""Each policy against a plain model of what it is named after."""

import inspect
import random as chance
from collections import Counter
from typing import Protocol

import pytest

from emu.bits import PAGE_SIZES, PhysicalAddress
from emu.tlb.cache import TlbArray
from emu.tlb.entry import TlbEntry
from emu.tlb.geometry import ArrayGeometry
from emu.tlb.policy import POLICIES, fifo, lru, random, splitmix64, tree_plru
from tests.helpers.bench import array


def cache_of(policy: str, entries: int = 4, ways: int | str = "full", seed: int = 0) -> TlbArray:
    return TlbArray(ArrayGeometry(1, "data", ("4K",), entries, ways, policy), seed)


def entry(page: int, page_bytes: int = 4096) -> TlbEntry:
    return TlbEntry(page, page_bytes, PhysicalAddress(0), True, True, False, False, False, 0, (), 0, 0)


def access(cache: TlbArray, page: int) -> bool:
    """Use `page`, filling it if it is not there; whether it was."""
    slot = cache.lookup(page, 0)
    if slot is not None:
        cache.use(slot)
        return True
    cache.put(cache.place(entry(page)), entry(page))
    return False


class Model(Protocol):
    """One set, told which way was used or filled, and asked for a victim."""

    def used(self, way: int) -> None: ...
    def filled(self, way: int) -> None: ...
    def victim(self) -> int: ...


class Lru:
    def __init__(self, ways: int) -> None:
        self.order = list(range(ways))

    def used(self, way: int) -> None:
        self.order.remove(way)
        self.order.append(way)

    filled = used

    def victim(self) -> int:
        return self.order[0]


class Fifo(Lru):
    def used(self, way: int) -> None:
        pass

    def filled(self, way: int) -> None:
        self.order.remove(way)
        self.order.append(way)


class TreeOfBits:
    """Tree-PLRU as hardware has it: a bit a node, in heap order; 1 sends the search for a victim to the right."""

    def __init__(self, ways: int) -> None:
        self.ways = ways
        self.bits = [0] * (2 * ways)

    def used(self, way: int) -> None:
        node = way + self.ways
        while node > 1:
            self.bits[node // 2] = 1 - node % 2
            node //= 2

    filled = used

    def victim(self) -> int:
        node = 1
        while node < self.ways:
            node = 2 * node + self.bits[node]
        return node - self.ways


MODELS: dict[str, type[Lru] | type[Fifo] | type[TreeOfBits]] = {
    "lru": Lru,
    "fifo": Fifo,
    "tree-plru": TreeOfBits,
}


@pytest.mark.parametrize("ways", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("policy", MODELS)
def test_it_gives_up_what_hardware_would_in_any_sequence_of_uses_fills_and_drops(
    policy: str, ways: int
) -> None:
    dice = chance.Random(ways)
    for _ in range(30):
        cache, model = cache_of(policy, ways), MODELS[policy](ways)
        for _ in range(200):
            page = dice.randrange(2 * ways)
            slot = cache.lookup(page, 0)
            if dice.random() < 0.05:
                for dropped in cache.holding(lambda held: held.page % 3 == 0):
                    cache.hold(dropped, None)
            elif slot is not None:
                cache.use(slot)
                model.used(slot.way)
            else:
                full = all(way.entry for way in cache)
                slot = cache.place(entry(page))
                assert not full or slot.way == model.victim()
                cache.put(slot, entry(page))
                model.filled(slot.way)


def test_lru_gives_up_the_slot_whose_last_use_is_the_longest_ago() -> None:
    ways = TlbArray(array(entries=4)).slots[0]
    for slot, stamp in zip(ways, (7, 3, 9, 5), strict=True):
        slot.stamp = stamp
    assert lru(ways, 0) is ways[1]


def test_fifo_does_not_care_for_uses() -> None:
    ways = TlbArray(array(entries=4)).slots[0]
    for slot, filled, stamp in zip(ways, (4, 2, 1, 3), (4, 2, 9, 3), strict=True):
        slot.filled, slot.stamp = filled, stamp
    assert fifo(ways, 0) is ways[2]


def test_tree_plru_may_give_up_what_lru_would_keep() -> None:
    ways = TlbArray(array(entries=4)).slots[0]
    for slot, stamp in zip(ways, (1, 4, 2, 3), strict=True):
        slot.stamp = stamp
    assert lru(ways, 0) is ways[0]
    assert tree_plru(ways, 0) is ways[2], "the half of the oldest slot was used last"


def test_random_goes_by_the_drawn_number_alone() -> None:
    ways = TlbArray(array(entries=3)).slots[0]
    assert [random(ways, draw).way for draw in (0, 1, 2, 3, 11)] == [0, 1, 2, 0, 2]


def test_random_gives_up_every_way_about_equally_often() -> None:
    cache = cache_of("random", entries=3)
    for page in range(3):
        access(cache, page)
    left = Counter(cache.place(entry(9)).way for _ in range(3000))
    assert all(900 < times < 1100 for times in left.values())
    assert len(left) == 3


@pytest.mark.parametrize("policy", POLICIES)
def test_only_random_looks_at_the_drawn_number(policy: str) -> None:
    ways = TlbArray(array(entries=4)).slots[0]
    for stamp, slot in enumerate(ways):
        slot.stamp = slot.filled = stamp
    given_up = {POLICIES[policy](ways, draw).way for draw in range(4)}
    assert len(given_up) == (4 if policy == "random" else 1)


def victims(seed: int = 0, name: str = "4K") -> list[int]:
    cache = TlbArray(ArrayGeometry(1, "data", (name,), 8, "full", "random"), seed)
    for slot in cache:
        cache.hold(slot, entry(slot.way, PAGE_SIZES[name]))
    return [cache.place(entry(99, PAGE_SIZES[name])).way for _ in range(50)]


def test_a_seed_gives_one_sequence_and_another_seed_another() -> None:
    assert victims(7) == victims(7)
    assert victims(7) != victims(8)


def test_two_arrays_of_one_cpu_draw_different_sequences() -> None:
    assert victims(name="4K") != victims(name="2M")


def test_a_state_brings_back_where_random_was() -> None:
    cache = cache_of("random")
    for page in range(50):
        access(cache, page)
    state = cache.state()
    future = [access(cache, page % 7) for page in range(100)]
    cache.load_state(state)
    assert [access(cache, page % 7) for page in range(100)] == future
    cache.load_state(state)
    cache.choices += 1
    assert [access(cache, page % 7) for page in range(100)] != future


def test_the_generator_gives_the_published_sequence() -> None:
    """The first numbers of splitmix64 from seed 1234567, as the generator's authors and their readers list them."""
    assert [splitmix64(1234567, n) for n in range(1, 6)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_the_policies_go_by_the_names_that_geometries_use() -> None:
    assert {"lru": lru, "tree-plru": tree_plru, "fifo": fifo, "random": random} == POLICIES


@pytest.mark.parametrize("policy", POLICIES.values())
def test_a_policy_is_short_enough_to_read_at_a_glance(policy: object) -> None:
    assert len(inspect.getsource(policy).splitlines()) < 30  # type: ignore[arg-type]
