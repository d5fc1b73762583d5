# SPDX-License-Identifier: GPL-2.0-or-later
import pytest

from emu.bits import PhysicalAddress
from emu.tlb.cache import TlbArray
from emu.tlb.counters import FETCH, READ, WRITE
from emu.tlb.entry import Slot, TlbEntry
from emu.tlb.record import DATA, FETCHES, PageRecord, Records
from tests.helpers.bench import array


def entry(page: int = 5, frame: int = 9, write: bool = True, page_bytes: int = 4096) -> TlbEntry:
    where = PhysicalAddress(frame << 12)
    return TlbEntry(page, page_bytes, where, True, write, False, False, False, 0, (), 0, 0)


def slot(held: TlbEntry, level: int = 1, serves: str = "data") -> Slot:
    cache = TlbArray(array(level, serves, "4K 2M"))
    place = cache.place(held)
    cache.put(place, held)
    return place


def record(held: TlbEntry, kinds: tuple[int, ...] = DATA) -> PageRecord:
    return PageRecord(5, kinds, held)


def test_a_record_says_what_its_entry_says_of_the_page() -> None:
    made = PageRecord(5, DATA, entry(0, 0x400, page_bytes=2 << 20))
    assert made.frame == 0x405
    assert (made.rights.US, made.rights.RW, made.rights.XD) == (True, True, False)


def test_without_paging_a_page_is_its_own_frame_with_every_right() -> None:
    made = PageRecord(5, DATA, None)
    assert made.frame == 5
    assert (made.rights.US, made.rights.RW, made.rights.XD) == (True, True, False)


def test_a_slot_answers_the_types_that_its_array_serves_and_the_record_is_for() -> None:
    held = entry()
    made = record(held)
    assert not made.held()
    load, both = slot(held, 1, "load"), slot(held, 2, "both")
    made.link(load)
    made.link(both)
    assert made.l1 == [None, load, None]
    assert made.l2 == [None, both, both]
    assert made.answers(WRITE)
    assert not made.answers(FETCH)
    assert not made.also


def test_a_second_slot_of_a_level_ages_with_the_first_and_a_hot_path_must_not_pass_it_by() -> None:
    held = entry()
    made = record(held)
    load, data = slot(held, 1, "load"), slot(held, 1, "data")
    for each in (load, data):
        made.link(each)
    assert made.l1 == [None, load, data]
    assert made.also == (data,)
    before = load.array.clock, data.array.clock
    made.age(load, READ)
    assert (load.array.clock, data.array.clock) == (before[0] + 1, before[1] + 1)
    made.age(data, WRITE)
    assert (load.array.clock, data.array.clock) == (before[0] + 1, before[1] + 2)


def test_a_slot_of_the_other_level_does_not_age_with_it() -> None:
    held = entry()
    made = record(held)
    above, below, other = slot(held), slot(held, 2), slot(held, 2, "both")
    for each in (above, below, other):
        made.link(each)
    before = below.array.clock, other.array.clock
    made.age(above, READ)
    assert (below.array.clock, other.array.clock) == before


@pytest.mark.parametrize(
    ("other", "agrees"),
    [
        (entry(), True),
        (entry(frame=8), False),
        (entry(write=False), False),
        (entry(0, 4, True, 2 << 20), True),
    ],
)
def test_entries_agree_that_give_the_page_one_frame_with_the_same_rights(
    other: TlbEntry, agrees: bool
) -> None:
    assert record(entry()).agrees(other) is agrees


@pytest.mark.parametrize(
    ("new", "takes"),
    [
        (slot(entry(), 2), True),
        (slot(entry(), 1, "instruction"), True),
        (slot(entry(), 1, "store"), False),
        (slot(entry(frame=8), 2), False),
    ],
)
def test_a_record_takes_one_more_slot_unless_its_place_is_taken_or_it_says_something_else(
    new: Slot, takes: bool
) -> None:
    held = entry()
    made = record(held)
    made.link(slot(held))
    assert made.takes(new) is takes


@pytest.mark.parametrize("what", ["also", "disputed"])
def test_a_record_that_several_slots_speak_for_takes_nothing_without_a_search(what: str) -> None:
    made = record(entry())
    setattr(made, what, (slot(entry()),) if what == "also" else True)
    assert not made.takes(slot(entry()))


def test_a_slot_that_is_unlinked_answers_no_more_and_is_fast_no_more() -> None:
    held = entry()
    made = record(held)
    above, below = slot(held), slot(held, 2)
    for each in (above, below):
        made.link(each)
    made.fast[READ] = above
    assert made.unlink(above)
    assert made.l1 == [None, None, None]
    assert made.fast == [None, None, None]
    assert made.l2 == [None, below, below]
    assert not made.unlink(above)


def test_a_slot_that_only_ages_with_another_counts_as_linked() -> None:
    held = entry()
    made = record(held)
    further = slot(held)
    made.link(slot(held))
    made.link(further)
    assert made.unlink(further)


def test_the_records_of_a_large_page_are_those_of_fetches_and_data_in_its_regions() -> None:
    records = Records()
    made = [PageRecord(page, kinds, None) for page in (0, 511, 512, 1 << 18) for kinds in (DATA, FETCHES)]
    for each in made:
        records.add(each)
    assert list(records) == made[::2] + made[1::2]
    assert records.within(511, 1) == made[2:4]
    assert records.within(0, 512) == made[:4]
    assert records.within(0, 1024) == made[:6]
    assert records.within(0, 1 << 18) == made[:6]
    assert records.within(7, 1) == []
    assert records.within(512 * 3, 512) == []


def test_a_record_that_was_removed_is_found_no_more() -> None:
    records = Records()
    data, code = PageRecord(5, DATA, None), PageRecord(5, FETCHES, None)
    for each in (data, code):
        records.add(each)
    records.remove(data)
    assert records.within(0, 512) == [code]
    records.remove(code)
    assert records.within(0, 512) == []
    assert list(records) == []
    records.add(code)
    records.clear()
    assert records.within(5, 1) == records.within(0, 512) == []
