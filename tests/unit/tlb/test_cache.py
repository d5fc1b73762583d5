# SPDX-License-Identifier: GPL-2.0-or-later
import pytest

from emu.bits import PhysicalAddress
from emu.tlb.cache import TlbArray
from emu.tlb.entry import Slot, TlbEntry
from tests.helpers.bench import array


def entry(page: int, page_bytes: int = 4096, pcid: int = 0, is_global: bool = False) -> TlbEntry:
    return TlbEntry(page, page_bytes, PhysicalAddress(0), True, True, False, False, is_global, pcid, (), 0, 0)


def fill(cache: TlbArray, what: TlbEntry) -> Slot:
    slot = cache.place(what)
    cache.put(slot, what)
    return slot


def test_an_empty_array_finds_nothing() -> None:
    assert TlbArray(array()).lookup(0, 0) is None


def test_the_set_is_the_page_number_modulo_the_sets() -> None:
    cache = TlbArray(array(entries=12, ways=4))
    assert cache.sets == 3
    assert [fill(cache, entry(page)).set for page in range(7)] == [0, 1, 2, 0, 1, 2, 0]


def test_a_large_page_is_placed_by_its_own_number() -> None:
    cache = TlbArray(array(sizes="4K 2M", entries=8, ways=2))
    assert fill(cache, entry(5, 2 << 20)).set == 1


def test_a_lookup_finds_a_large_page_by_any_4k_page_in_it() -> None:
    cache = TlbArray(array(sizes="4K 2M", entries=8, ways=2))
    slot = fill(cache, entry(5, 2 << 20))
    assert cache.lookup(5 * 512, 0) is slot
    assert cache.lookup(5 * 512 + 511, 0) is slot
    assert cache.lookup(5 * 512 + 512, 0) is None


def test_equal_numbers_of_different_sizes_are_different_pages() -> None:
    cache = TlbArray(array(sizes="4K 2M", entries=8))
    fill(cache, entry(5, 2 << 20))
    assert cache.lookup(5, 0) is None


def test_another_pcid_is_no_hit_unless_the_page_is_global() -> None:
    cache = TlbArray(array())
    slot = fill(cache, entry(1, pcid=3))
    assert cache.lookup(1, 4) is None
    assert cache.lookup(1, 3) is slot
    shared = fill(cache, entry(2, pcid=3, is_global=True))
    assert cache.lookup(2, 4) is shared


def test_of_two_that_serve_the_first_way_answers() -> None:
    cache = TlbArray(array(entries=2))
    first, second = cache.slots[0]
    cache.put(second, entry(1, pcid=3, is_global=True))
    cache.put(first, entry(1, pcid=4))
    assert (cache.lookup(1, 4), cache.lookup(1, 5)) == (first, second)
    assert cache.covering(1) == [first, second]


def test_an_empty_way_is_filled_before_anybody_leaves() -> None:
    cache = TlbArray(array(entries=2))
    first, second = fill(cache, entry(1)), fill(cache, entry(2))
    assert {first.way, second.way} == {0, 1}


def test_the_least_recently_used_of_a_full_set_leaves() -> None:
    cache = TlbArray(array(entries=3))
    slots = [fill(cache, entry(page)) for page in range(3)]
    cache.use(slots[0])
    cache.use(slots[2])
    assert cache.place(entry(9)) is slots[1]


def test_a_lookup_changes_no_age() -> None:
    cache = TlbArray(array(entries=2))
    oldest = fill(cache, entry(1))
    fill(cache, entry(2))
    cache.lookup(1, 0)
    assert cache.place(entry(3)) is oldest


def test_a_fill_remembers_when_it_was_made() -> None:
    cache = TlbArray(array())
    slot = fill(cache, entry(1))
    cache.use(slot)
    assert (slot.filled, slot.stamp) == (1, 2)


def test_the_slots_that_hold_a_kind_of_entry_are_found_in_every_set() -> None:
    cache = TlbArray(array(entries=4, ways=1))
    slots = [fill(cache, entry(page, is_global=page > 1)) for page in range(3)]
    assert cache.holding(lambda held: held.is_global) == slots[2:]
    assert [slot.entry is None for slot in cache] == [False, False, False, True]


@pytest.mark.parametrize("changed", [0, 1])
def test_a_state_brings_back_entries_and_ages(changed: int) -> None:
    cache = TlbArray(array(entries=2))
    slots = [fill(cache, entry(page)) for page in (1, 2)]
    held = [slot.entry for slot in slots]
    state = cache.state()
    cache.use(slots[0])
    cache.put(slots[changed], entry(7))
    cache.load_state(state)
    assert [slot.entry for slot in slots] == held
    assert [(slot.stamp, slot.filled) for slot in slots] == [(1, 1), (2, 2)]
    assert cache.clock == 2
    assert cache.place(entry(9)) is slots[0]
