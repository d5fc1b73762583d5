# SPDX-License-Identifier: GPL-2.0-or-later
"""Translations one at a time: what hits, what walks, who counts it and when, and what each event says."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from emu.bits import LinearAddress
from emu.events import Accessed, EntryRead, EntryWritten, Event, Faulted, Invalidated, TlbEvicted, TlbFilled
from emu.mmu import Refused
from emu.paging.fault import Reason
from emu.paging.modes import FIVE_LEVEL, FOUR_LEVEL, PAE, TWO_LEVEL, PagingMode
from emu.tlb.record import PageRecord
from tests.helpers.bench import (
    ACCESSED,
    DIRTY,
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

A, B, C = 0x40_0000, 0x40_1000, 0x40_2000
"""Three neighbouring pages, mapped to frames 1, 2 and 3."""
TWO_LEVELS = tlbs(array(entries=1), array(serves="instruction", entries=1), array(2, "both", entries=8))
ONE_ENTRY = tlbs(array(serves="both", entries=1))
SPLIT = tlbs(array(serves="load"), array(serves="store"), array(serves="instruction"))


def mapped(geometry: Any = "haswell") -> Bench:
    bench = Bench(geometry)
    for linear, frame in ((A, 0x1000), (B, 0x2000), (C, 0x3000)):
        bench.map(linear, frame)
    return bench


@pytest.fixture
def bench() -> Bench:
    return mapped()


def of_type(bench: Bench, wanted: type[Event]) -> list[Any]:
    return [event for event in bench.events if isinstance(event, wanted)]


def outcomes(bench: Bench) -> list[str]:
    return [event.tlb for event in of_type(bench, Accessed)]


# -- misses and hits


def test_a_first_access_misses_walks_four_levels_sets_a_and_fills_both_levels(bench: Bench) -> None:
    assert bench.access(A + 0x123) == 0x1123
    kinds = [*["entry_read"] * 4, *["entry_write"] * 4, "tlb_fill", "tlb_fill", "access"]
    assert [event.kind for event in bench.events] == kinds
    assert [event.level for event in of_type(bench, EntryRead)] == ["PML4E", "PDPTE", "PDE", "PTE"]
    assert {(event.after & ~event.before, event.why) for event in of_type(bench, EntryWritten)} == {
        (ACCESSED, "A")
    }
    assert [event.array for event in of_type(bench, TlbFilled)] == ["L2 4K/2M", "L1D 4K"]
    assert {event.cause for event in of_type(bench, TlbFilled)} == {"miss"}


def test_the_events_of_a_walk_say_what_was_read_where(bench: Bench) -> None:
    bench.access(A)
    reads, writes = of_type(bench, EntryRead), of_type(bench, EntryWritten)
    assert reads[0].table == bench.tables.root
    for read, write in zip(reads, writes, strict=True):
        assert read.address == read.table + 8 * read.index == write.address
        assert read.before == read.after == write.before
        assert bench.entry(read.address) == write.after
    assert [read.index for read in reads] == [0, 0, 2, 0]


def test_an_access_event_says_where_how_large_and_how_it_hit(bench: Bench) -> None:
    bench.access(A + 8, READ, size=4)
    event = of_type(bench, Accessed)[0]
    assert (event.linear, event.physical, event.size, event.type) == (A + 8, 0x1008, 4, "read")
    assert (event.implicit, event.tlb, event.stale) == (False, "miss", False)


def test_an_implicit_access_is_marked_as_such(bench: Bench) -> None:
    bench.access(A, READ, user=False, implicit=True)
    assert of_type(bench, Accessed)[0].implicit


def test_a_second_access_hits_and_is_not_stored_but_numbered(bench: Bench) -> None:
    bench.access(A)
    bench.events.clear()
    seq = bench.journal.seq
    bench.access(A)
    assert not bench.events
    assert bench.journal.seq == seq + 1


def test_with_report_all_a_level_1_hit_is_an_event_too(bench: Bench) -> None:
    bench.mmu.report_all = True
    bench.access(A)
    bench.access(A)
    assert outcomes(bench) == ["miss", "l1_hit"]


def test_an_event_has_one_number_whether_or_not_anybody_listens() -> None:
    heard, unheard = mapped(TWO_LEVELS), mapped(TWO_LEVELS)
    unheard.journal.observers.clear()
    for bench in (heard, unheard):
        for page in (A, B, A, C, B):
            bench.access(page, WRITE)
        bench.mmu.invlpg(LinearAddress(A))
        bench.refused(0x50_0000)
    assert unheard.journal.seq == heard.journal.seq == len(heard.events)


def test_translate_counts_nothing_and_the_first_touch_after_it_reports_the_outcome(bench: Bench) -> None:
    record = bench.translate(A)
    assert isinstance(record, PageRecord)
    assert not bench.counts()
    assert not outcomes(bench)
    bench.mmu.touch(record, 0, 1, READ)
    bench.mmu.touch(record, 0, 1, READ)
    assert outcomes(bench) == ["miss"]
    assert bench.counts() == {
        "accesses.read": 2,
        "DTLB_LOAD_MISSES.MISS_CAUSES_A_WALK": 1,
        "DTLB_LOAD_MISSES.WALK_COMPLETED_4K": 1,
    }


def test_each_type_of_access_has_counters_of_its_own(bench: Bench) -> None:
    bench.access(A, FETCH)
    bench.access(B, READ)
    bench.access(C, WRITE)
    expected = dict.fromkeys(("accesses.fetch", "accesses.read", "accesses.write"), 1)
    for unit in ("ITLB_MISSES", "DTLB_LOAD_MISSES", "DTLB_STORE_MISSES"):
        expected |= {f"{unit}.MISS_CAUSES_A_WALK": 1, f"{unit}.WALK_COMPLETED_4K": 1}
    assert bench.counts() == expected


def test_a_page_that_left_level_1_is_found_in_level_2_and_filled_again() -> None:
    bench = mapped(TWO_LEVELS)
    for page in (A, B):
        bench.access(page)
    bench.events.clear()
    bench.access(A)
    assert bench.kinds() == ["tlb_evict", "tlb_fill", "access"]
    assert bench.counts()["DTLB_LOAD_MISSES.STLB_HIT"] == 1
    assert bench.counts()["DTLB_LOAD_MISSES.MISS_CAUSES_A_WALK"] == 2


def test_a_level_2_hit_makes_the_page_young_there_and_a_level_1_hit_does_not() -> None:
    geometry = tlbs(array(entries=1), array(2, "both", entries=2))
    bench = mapped(geometry)
    for page in (A, B, A, A, C):
        bench.access(page)
    assert not bench.mmu.holding(LinearAddress(B)), "B was the least recently used of level 2"
    bench = mapped(geometry)
    for page in (A, B, B, C):
        bench.access(page)
    assert not bench.mmu.holding(LinearAddress(A))


def test_an_event_of_a_level_2_hit_says_so() -> None:
    bench = mapped(TWO_LEVELS)
    for page in (A, B, A):
        bench.access(page)
    assert outcomes(bench) == ["miss", "miss", "l2_hit"]


def test_an_eviction_names_what_left_and_why() -> None:
    bench = mapped(ONE_ENTRY)
    bench.access(A)
    bench.access(B)
    (event,) = of_type(bench, TlbEvicted)
    assert (event.array, event.set, event.way, event.page, event.frame) == ("L1 4K", 0, 0, A >> 12, 1)
    assert (event.page_bytes, event.pcid, event.is_global, event.rights, event.cause) == (
        4096,
        0,
        False,
        "UWX",
        "miss",
    )


def test_a_fetch_and_a_load_of_one_page_share_level_2_and_not_level_1() -> None:
    bench = mapped(TWO_LEVELS)
    bench.access(A, FETCH)
    bench.access(A, READ)
    assert outcomes(bench) == ["miss", "l2_hit"]
    assert bench.counts()["DTLB_LOAD_MISSES.STLB_HIT"] == 1


def test_an_array_for_everything_answers_a_load_from_a_fetch_fill() -> None:
    bench = mapped(ONE_ENTRY)
    bench.access(A, FETCH)
    bench.access(A, READ)
    assert outcomes(bench) == ["miss"]


def test_with_a_tlb_of_one_entry_alternating_pages_always_miss() -> None:
    bench = mapped(ONE_ENTRY)
    for page in (A, B) * 3:
        bench.access(page)
    assert outcomes(bench) == ["miss"] * 6


def test_a_page_evicted_between_translation_and_touch_still_reports_its_miss_once() -> None:
    bench = mapped(ONE_ENTRY)
    first, second = bench.translate(A), bench.translate(B)
    assert isinstance(first, PageRecord)
    assert isinstance(second, PageRecord)
    bench.mmu.touch(first, 0xFFF, 1, READ)
    bench.mmu.touch(second, 0, 1, READ)
    assert outcomes(bench) == ["miss", "miss"]


def test_a_page_evicted_from_level_2_between_translation_and_touch_still_reports_its_hit_there() -> None:
    bench = mapped(tlbs(array(entries=2), array(2, "both", entries=2)))
    for page in (A, B):
        bench.access(page)
    bench.mmu.tlb.arrays[0].load_state(Bench(bench.mmu.geometry).mmu.tlb.arrays[0].state())
    bench.mmu.load_state(bench.mmu.state())
    first, second = bench.translate(A), bench.translate(C)
    assert isinstance(first, PageRecord)
    assert isinstance(second, PageRecord)
    bench.mmu.touch(first, 0xFFF, 1, READ)
    bench.mmu.touch(second, 0, 1, READ)
    assert outcomes(bench) == ["miss", "miss", "l2_hit", "miss"]


def test_an_access_that_an_engine_makes_through_an_evicted_page_walks_again() -> None:
    bench = mapped(ONE_ENTRY)
    record = bench.translate(A)
    assert isinstance(record, PageRecord)
    bench.mmu.touch(record, 0, 1, READ)
    bench.access(B)
    bench.events.clear()
    bench.mmu.touch(record, 0, 1, READ)
    assert bench.kinds() == [*["entry_read"] * 4, "access"]
    assert bench.counts()["DTLB_LOAD_MISSES.MISS_CAUSES_A_WALK"] == 3


def test_an_access_that_an_engine_makes_through_a_page_in_level_2_is_a_level_2_hit() -> None:
    bench = mapped(TWO_LEVELS)
    record = bench.translate(A)
    assert isinstance(record, PageRecord)
    bench.mmu.touch(record, 0, 1, READ)
    bench.access(B)
    bench.mmu.touch(record, 0, 1, READ)
    assert outcomes(bench) == ["miss", "miss", "l2_hit"]
    assert bench.mmu.tlb.arrays[0].lookup(A >> 12, 0) is not None


def test_a_hot_page_names_the_slot_that_needs_no_more_than_a_new_age(bench: Bench) -> None:
    record = bench.translate(A)
    assert isinstance(record, PageRecord)
    assert record.fast == [None, None, None]
    bench.mmu.touch(record, 0, 1, READ)
    assert record.fast == [None, record.l1[READ], None]
    bench.mmu.tlb.slow_down()
    assert record.fast == [None, None, None]


# -- page sizes


def test_a_2m_page_fills_the_arrays_of_its_size_and_all_its_4k_pages_hit(bench: Bench) -> None:
    bench.map(0x80_0000, 0x20_0000, page_bytes=2 << 20)
    assert bench.access(0x80_1234) == 0x20_1234
    assert bench.access(0x9F_FFFF) == 0x3F_FFFF
    assert outcomes(bench) == ["miss"]
    assert [event.array for event in of_type(bench, TlbFilled)] == ["L2 4K/2M", "L1D 2M/4M"]
    assert len(of_type(bench, EntryRead)) == 3
    assert bench.counts()["DTLB_LOAD_MISSES.WALK_COMPLETED_2M_4M"] == 1


def test_a_1g_page_has_an_array_of_its_own_and_no_place_in_level_2(bench: Bench) -> None:
    bench.map(1 << 30, 0, page_bytes=1 << 30)
    assert bench.access((1 << 30) + 0x12_3456) == 0x12_3456
    assert [event.array for event in of_type(bench, TlbFilled)] == ["L1D 1G"]
    assert bench.counts()["DTLB_LOAD_MISSES.WALK_COMPLETED_1G"] == 1


def test_a_size_that_no_array_serves_is_walked_for_every_access(bench: Bench) -> None:
    bench.map(1 << 30, 0, page_bytes=1 << 30)
    bench.access(1 << 30, FETCH)
    assert bench.mmu.tlb.stale_grants, "the engine may not keep what no array holds"
    bench.access(1 << 30, FETCH)
    assert outcomes(bench) == ["miss", "miss"]
    assert bench.mmu.tlb.code == {}


def test_when_a_large_page_leaves_all_its_4k_pages_are_forgotten() -> None:
    bench = mapped(tlbs(array(sizes="4K 2M", entries=1)))
    lost: list[int] = []
    bench.mmu.tlb.on_grant_lost = lambda record: lost.append(record.page)
    bench.map(0x80_0000, 0x20_0000, page_bytes=2 << 20)
    bench.access(0x80_1000)
    bench.access(0x80_5000)
    bench.access(A)
    assert sorted(lost) == [0x801, 0x805]
    assert list(bench.mmu.tlb.data) == [A >> 12]


def test_a_large_page_held_for_fetches_and_data_serves_both() -> None:
    bench = mapped(tlbs(array(serves="both", sizes="2M", entries=2)))
    bench.map(0x80_0000, 0x20_0000, page_bytes=2 << 20)
    bench.access(0x80_0000, FETCH)
    bench.access(0x80_3000, WRITE)
    bench.access(0x80_3000, FETCH)
    assert outcomes(bench) == ["miss"], "the store set D on a hit"


# -- the dirty flag


def test_a_store_sets_d_in_the_leaf_alone(bench: Bench) -> None:
    bench.access(A, WRITE)
    assert [(event.level, event.why) for event in of_type(bench, EntryWritten)][-1] == ("PTE", "A and D")
    assert [event.after & DIRTY for event in of_type(bench, EntryWritten)] == [0, 0, 0, DIRTY]


def test_a_store_that_hits_a_clean_entry_is_an_entry_write_and_no_miss(bench: Bench) -> None:
    bench.access(A, READ)
    bench.events.clear()
    bench.access(A, WRITE)
    assert bench.kinds() == [*["entry_read"] * 4, "entry_write"]
    assert "DTLB_STORE_MISSES.MISS_CAUSES_A_WALK" not in bench.counts()
    assert [slot.entry.D for slot in bench.mmu.holding(LinearAddress(A)) if slot.entry] == [True, True]


def test_a_store_to_an_entry_that_is_dirty_asks_memory_nothing(bench: Bench) -> None:
    bench.access(A, WRITE)
    bench.events.clear()
    bench.access(A, WRITE)
    assert not bench.events


def test_a_store_that_hits_a_clean_entry_in_level_2_is_a_level_2_hit() -> None:
    bench = mapped(TWO_LEVELS)
    for page in (A, B):
        bench.access(page, READ)
    bench.access(A, WRITE)
    assert outcomes(bench) == ["miss", "miss", "l2_hit"]
    assert bench.counts()["DTLB_STORE_MISSES.STLB_HIT"] == 1


def test_the_walk_for_d_that_finds_another_frame_replaces_what_was_cached(bench: Bench) -> None:
    entry = bench.map(A, 0x1000)
    bench.access(A, READ)
    bench.set_entry(entry, 0x5000 | PAGE)
    bench.events.clear()
    assert bench.access(A, WRITE) == 0x5000
    assert [(event.frame, event.cause) for event in of_type(bench, TlbEvicted)] == [(1, "replaced")] * 2
    assert [(event.frame, event.cause) for event in of_type(bench, TlbFilled)] == [(5, "D")] * 2
    assert bench.access(A, READ) == 0x5000
    assert bench.mmu.tlb.arrays[2].lookup(A >> 12, 0) is not None


def test_the_walk_for_d_may_find_that_the_page_is_gone(bench: Bench) -> None:
    entry = bench.map(A, 0x1000)
    bench.access(A, READ)
    bench.set_entry(entry, 0)
    refused = bench.refused(A, WRITE)
    assert refused.reason is Reason.NOT_PRESENT
    assert not refused.cached


def test_a_clean_entry_shared_with_the_instruction_side_becomes_dirty_for_data_only() -> None:
    bench = mapped(TWO_LEVELS)
    bench.access(A, FETCH)
    bench.access(A, READ)
    bench.access(A, WRITE)
    held = {slot.array.name: slot.entry.D for slot in bench.mmu.holding(LinearAddress(A)) if slot.entry}
    assert held == {"L1D 4K": True, "L1I 4K": False, "L2 4K": True}
    bench.events.clear()
    bench.access(A, FETCH)
    assert not bench.events, "the instruction TLB still answers"


def test_the_walk_for_d_that_finds_fewer_rights_makes_the_engine_ask_again(bench: Bench) -> None:
    entry = bench.map(A, 0x1000)
    bench.access(A, READ)
    bench.set_entry(entry, 0x1000 | PAGE & ~USER)
    bench.granted(A, READ)
    bench.access(A, WRITE, user=False)
    assert bench.mmu.tlb.stale_grants
    assert bench.refused(A, READ).reason is Reason.USER_ACCESS_TO_SUPERVISOR_PAGE


# -- staleness


def test_a_stale_entry_is_used_and_reported_as_stale(bench: Bench) -> None:
    entry = bench.map(A, 0x1000)
    bench.access(A)
    bench.set_entry(entry, 0x5000 | PAGE)
    bench.events.clear()
    assert bench.access(A) == 0x1000, "the TLB is not coherent with memory"
    (event,) = of_type(bench, Accessed)
    assert (event.tlb, event.stale, event.physical) == ("l1_hit", True, 0x1000)


def test_an_entry_stays_stale_until_it_is_dropped(bench: Bench) -> None:
    entry = bench.map(A, 0x1000)
    bench.access(A)
    bench.set_entry(entry, 0x5000 | PAGE)
    for _ in range(3):
        bench.access(A)
    assert [event.stale for event in of_type(bench, Accessed)] == [False, True, True, True]
    bench.mmu.invlpg(LinearAddress(A))
    assert bench.access(A) == 0x5000
    bench.access(A)
    assert [event.stale for event in of_type(bench, Accessed)][4:] == [False]


def test_an_entry_that_is_put_back_is_stale_no_longer(bench: Bench) -> None:
    entry = bench.map(A, 0x1000)
    bench.access(A)
    before = bench.entry(entry)
    bench.set_entry(entry, 0)
    bench.access(A)
    bench.set_entry(entry, before)
    bench.events.clear()
    bench.access(A)
    assert not bench.events


@pytest.mark.parametrize("level", ["PML4E", "PDPTE", "PDE", "PTE"])
def test_a_change_at_any_level_makes_the_translation_stale(bench: Bench, level: str) -> None:
    bench.access(A)
    entry = bench.tables.entry_address(LinearAddress(A), level)
    bench.set_entry(entry, bench.entry(entry) & ~USER)
    bench.access(A)
    assert [event.stale for event in of_type(bench, Accessed)] == [False, True]


def test_a_and_d_alone_make_nothing_stale(bench: Bench) -> None:
    entry = bench.map(A, 0x1000)
    bench.access(A, WRITE)
    bench.set_entry(entry, bench.entry(entry) & ~(ACCESSED | DIRTY))
    bench.events.clear()
    bench.access(A, WRITE)
    assert not bench.events


def test_a_pcid_kept_over_another_root_answers_with_what_is_stale_there(bench: Bench) -> None:
    bench.map(A, 0x1000)
    bench.map(B, 0x2000)
    home = bench.tables
    bench.set(1, home)
    bench.access(A)
    bench.access(B)
    other = bench.new_tables()
    bench.tables = other
    bench.map(A, 0x5000)
    bench.map(B, 0x2000)
    bench.set(1, other)
    bench.events.clear()
    assert (bench.access(A), bench.access(B)) == (0x1000, 0x2000), "MOV CR3 with bit 63 dropped nothing"
    assert [event.stale for event in of_type(bench, Accessed)] == [True], "B is the same in both spaces"
    bench.set(1, home)
    bench.events.clear()
    bench.access(A)
    assert not of_type(bench, Accessed)


def test_a_global_page_that_another_space_maps_alike_is_stale_as_long_as_that_space_maps_it_otherwise(
    bench: Bench,
) -> None:
    bench.map(A, 0x1000, PAGE | GLOBAL)
    bench.access(A)
    other = bench.new_tables()
    bench.tables = other
    address = bench.map(A, 0x1000, PAGE | GLOBAL)
    bench.set(0, other)
    bench.access(A)
    alike = bench.entry(address)
    found: list[bool] = []
    for value in (alike, 0x3000 | PAGE | GLOBAL, alike | ACCESSED, 0):
        bench.set_entry(address, value)
        bench.events.clear()
        bench.access(A)
        found += [event.stale for event in of_type(bench, Accessed)] or [False]
    assert found == [False, True, False, True]


@pytest.mark.parametrize("change", [0, 0x3000 | PAGE | GLOBAL, 0x1000 | PAGE & ~USER | GLOBAL])
def test_a_global_page_is_stale_in_a_space_that_maps_it_otherwise(bench: Bench, change: int) -> None:
    bench.map(A, 0x1000, PAGE | GLOBAL)
    bench.access(A)
    other = bench.new_tables()
    bench.tables = other
    bench.set_entry(bench.map(A, 0x1000, PAGE | GLOBAL), change)
    bench.set(0, other)
    bench.events.clear()
    assert bench.access(A) == 0x1000
    assert [event.stale for event in of_type(bench, Accessed)] == [True]


def test_a_structure_cache_kept_over_another_root_is_stale_where_the_tables_differ() -> None:
    bench = Bench(tlbs(array(), pde=2))
    bench.map(A, 0x1000)
    bench.access(A)
    (place,) = [place for place in bench.mmu.tlb.structures if place.entry]
    assert place.entry is not None and not bench.mmu.is_stale(place.entry)
    other = bench.new_tables()
    bench.tables = other
    bench.map(A, 0x1000)
    bench.set(0, other)
    assert bench.mmu.is_stale(place.entry), "the way leads to the other space's page table"


def test_a_store_by_the_guest_into_its_tables_makes_translations_suspect(bench: Bench) -> None:
    entry = bench.map(A, 0x1000)
    bench.map(B, entry & ~0xFFF)
    bench.access(A)
    table = bench.translate(B, WRITE)
    assert isinstance(table, PageRecord)
    bench.mmu.touch(table, entry & 0xFFF, 8, WRITE)
    assert table.fast[WRITE] is None, "every store into a table is looked at"
    bench.memory.buffer[entry : entry + 8] = (0x5000 | PAGE).to_bytes(8, "little")
    bench.events.clear()
    bench.access(A)
    assert [event.stale for event in of_type(bench, Accessed)] == [True]


def test_a_page_that_becomes_a_table_is_no_longer_stored_to_unseen(bench: Bench) -> None:
    frame = bench.map(A, 0x1000) & ~0xFFF
    bench.map(0x80_0000, frame)
    record = bench.translate(0x80_0000, WRITE)
    assert isinstance(record, PageRecord)
    bench.mmu.invlpg(LinearAddress(A))
    bench.mmu.touch(record, 0, 8, WRITE)
    assert record.fast[WRITE] is not None
    bench.access(A)
    assert record.fast[WRITE] is None


def test_a_write_elsewhere_makes_nothing_suspect(bench: Bench) -> None:
    bench.access(A)
    bench.set_entry(0x7_0000, 1)
    bench.mmu.tlb.note_write(0x7_0000, 8)  # type: ignore[arg-type]
    slot = bench.mmu.holding(LinearAddress(A))[0]
    assert slot.entry is not None
    assert not slot.entry.suspect


# -- refusals


def test_a_page_that_is_not_there_is_refused_by_its_entry(bench: Bench) -> None:
    entry = bench.map(A, 0x1000, flags=WRITABLE)
    refused = bench.translate(A)
    assert isinstance(refused, Refused)
    assert refused == Refused(
        A >> 12,
        READ,
        Reason.NOT_PRESENT,
        4,
        14,
        entry,
        0x1000 | WRITABLE,
        "PTE",
        False,  # type: ignore[arg-type]
    )
    assert bench.entry(entry) & ACCESSED == 0


def test_a_refused_access_is_counted_where_the_fault_is_made(bench: Bench) -> None:
    assert isinstance(bench.translate(0x60_0000), Refused)
    assert not bench.counts()
    bench.refused(0x60_0010)
    assert bench.counts() == {
        "accesses.read": 1,
        "DTLB_LOAD_MISSES.MISS_CAUSES_A_WALK": 1,
        "page_faults": 1,
    }


def test_a_fault_says_the_address_the_error_in_words_and_what_refused(bench: Bench) -> None:
    entry = bench.map(A, 0x1000, flags=PRESENT | USER)
    bench.refused(A + 5, WRITE)
    (fault,) = of_type(bench, Faulted)
    assert (fault.vector, fault.error, fault.cr2) == (14, 7, A + 5)
    assert fault.error_bits == "write + user + protection violation"
    assert (fault.reason, fault.level, fault.entry) == ("WRITE_TO_READ_ONLY_PAGE", "PTE", entry)
    assert fault.entry_value == 0x1000 | PRESENT | USER


def test_a_non_canonical_address_is_vector_13_and_no_page_fault(bench: Bench) -> None:
    refused = bench.refused(1 << 47)
    assert (refused.vector, refused.error, refused.entry, refused.level) == (13, 0, None, None)
    (fault,) = of_type(bench, Faulted)
    assert (fault.cr2, fault.error_bits) == (None, "")
    assert "page_faults" not in bench.counts()
    assert bench.counts()["accesses.read"] == 1


@pytest.mark.parametrize(
    ("flags", "kind", "user", "controls", "ac", "reason"),
    [
        (PAGE & ~USER, READ, True, {}, False, Reason.USER_ACCESS_TO_SUPERVISOR_PAGE),
        (PAGE & ~WRITABLE, WRITE, True, {}, False, Reason.WRITE_TO_READ_ONLY_PAGE),
        (PAGE & ~WRITABLE, WRITE, False, {}, False, Reason.SUPERVISOR_WRITE_TO_READ_ONLY_PAGE),
        (PAGE & ~WRITABLE, WRITE, False, {"WP": False}, False, None),
        (PAGE | XD, FETCH, True, {}, False, Reason.FETCH_FROM_XD_PAGE),
        (PAGE | XD, FETCH, True, {"NXE": False}, False, Reason.RESERVED_BIT_SET),
        (PAGE, FETCH, False, {"SMEP": True}, False, Reason.SMEP_FETCH_FROM_USER_PAGE),
        (PAGE, READ, False, {"SMAP": True}, False, Reason.SMAP_ACCESS_TO_USER_PAGE),
        (PAGE, READ, False, {"SMAP": True}, True, None),
    ],
)
def test_cached_rights_and_walked_rights_refuse_the_same(
    bench: Bench,
    flags: int,
    kind: int,
    user: bool,
    controls: dict[str, bool],
    ac: bool,
    reason: Reason | None,
) -> None:
    bench.map(A, 0x1000, flags=flags)
    bench.set(**controls)
    walked = bench.translate(A, kind, user, ac=ac)
    assert (walked.reason if isinstance(walked, Refused) else None) is reason
    if reason is Reason.RESERVED_BIT_SET:
        return
    bench.set()
    bench.access(A, READ, user=False, ac=True)
    if kind == FETCH and not flags & XD:
        bench.access(A, FETCH, user=True)
    bench.set(**controls)
    cached = bench.translate(A, kind, user, ac=ac)
    assert (cached.reason if isinstance(cached, Refused) else None) is reason
    if isinstance(walked, Refused) and isinstance(cached, Refused):
        assert cached.error == walked.error
        assert cached.level == walked.level == "PTE"


def test_a_fault_on_cached_rights_is_no_miss_and_drops_the_entry(bench: Bench) -> None:
    entry = bench.map(A, 0x1000, flags=PAGE & ~WRITABLE)
    bench.access(A)
    bench.set_entry(entry, 0x1000 | PAGE)
    bench.events.clear()
    refused = bench.refused(A, WRITE)
    assert refused.cached, "spurious: memory would have allowed it"
    assert "DTLB_STORE_MISSES.MISS_CAUSES_A_WALK" not in bench.counts()
    (dropped,) = of_type(bench, Invalidated)
    assert dropped.operation == "PAGE_FAULT"
    assert not bench.mmu.holding(LinearAddress(A))
    assert bench.access(A, WRITE) == 0x1000, "a spurious fault happens at most once"


def test_a_page_fault_that_finds_nothing_cached_invalidates_nothing(bench: Bench) -> None:
    bench.refused(0x60_0000)
    assert not of_type(bench, Invalidated)


def test_a_non_canonical_fault_drops_nothing(bench: Bench) -> None:
    bench.access(A)
    refused = bench.translate(1 << 50)
    assert isinstance(refused, Refused)
    bench.mmu.fault(refused, LinearAddress(1 << 50))
    assert bench.mmu.holding(LinearAddress(A))


# -- invalidation


def test_invlpg_drops_the_page_from_every_array_and_names_the_places(bench: Bench) -> None:
    bench.access(A)
    bench.access(B)
    bench.access(A, FETCH)
    bench.events.clear()
    bench.mmu.invlpg(LinearAddress(A + 0x10))
    (event,) = of_type(bench, Invalidated)
    page = "0x0000_0000_0040_0000"
    assert (event.operation, event.scope) == ("INVLPG", "0x0000_0000_0040_0010")
    assert event.dropped == [f"L1I 4K 0.0 {page}", f"L1D 4K 0.0 {page}", f"L2 4K/2M 0.0 {page}"]
    assert bench.mmu.holding(LinearAddress(B))
    assert bench.counts()["invalidations"] == 1


def test_invlpg_drops_a_global_page_too_and_a_large_page_in_one_go(bench: Bench) -> None:
    bench.map(A, 0x1000, flags=PAGE | GLOBAL)
    bench.map(0x80_0000, 0x20_0000, page_bytes=2 << 20)
    for linear in (A, 0x80_0000, 0x81_0000):
        bench.access(linear)
    bench.mmu.invlpg(LinearAddress(A))
    bench.mmu.invlpg(LinearAddress(0x8F_F000))
    assert not any(slot.entry for cache in bench.mmu.tlb.arrays for slot in cache)


def test_invlpg_of_a_page_that_nothing_holds_is_still_counted(bench: Bench) -> None:
    bench.mmu.invlpg(LinearAddress(A))
    assert of_type(bench, Invalidated)[0].dropped == []
    assert bench.counts() == {"invalidations": 1}


@pytest.mark.parametrize("pge", [True, False])
def test_mov_cr3_keeps_global_pages_if_cr4_pge_was_set_when_they_were_cached(bench: Bench, pge: bool) -> None:
    bench.set(PGE=pge)
    bench.map(A, 0x1000, flags=PAGE | GLOBAL)
    bench.access(A)
    bench.access(B)
    bench.mmu.flush("MOV_CR3", keep_global=True)
    assert bool(bench.mmu.holding(LinearAddress(A))) is pge
    assert not bench.mmu.holding(LinearAddress(B))
    event = of_type(bench, Invalidated)[0]
    assert (event.operation, event.scope) == ("MOV_CR3", "all but global")


def test_a_flush_of_everything_drops_global_pages_too(bench: Bench) -> None:
    bench.map(A, 0x1000, flags=PAGE | GLOBAL)
    bench.access(A)
    bench.mmu.flush("MOV_CR4", keep_global=False)
    assert not bench.mmu.holding(LinearAddress(A))
    assert of_type(bench, Invalidated)[0].scope == "all"
    assert bench.mmu.counters.flushes == 1


def test_once_dropped_a_translation_leaves_nothing_to_watch(bench: Bench) -> None:
    bench.access(A, FETCH)
    bench.access(A, WRITE)
    bench.access(B)
    assert bench.mmu.tlb.table_frames
    bench.mmu.flush("MOV_CR3", keep_global=False)
    assert not bench.mmu.tlb.table_frames
    assert not bench.mmu.tlb.data
    assert not bench.mmu.tlb.code


def test_what_the_engine_was_granted_and_lost_must_be_asked_for_again() -> None:
    bench = mapped(ONE_ENTRY)
    lost: list[PageRecord] = []
    bench.mmu.tlb.on_grant_lost = lost.append
    record = bench.translate(A)
    assert isinstance(record, PageRecord)
    record.granted = 1 << READ
    assert not bench.mmu.tlb.stale_grants
    bench.access(B)
    assert lost == [record]
    assert bench.mmu.tlb.stale_grants
    assert record.granted == 0


def test_what_the_engine_was_never_granted_is_lost_without_telling_it() -> None:
    bench = mapped(ONE_ENTRY)
    bench.access(A)
    bench.access(B)
    assert not bench.mmu.tlb.stale_grants


def test_new_controls_make_every_page_ask_again_but_keep_the_translations(bench: Bench) -> None:
    bench.access(A)
    lost: list[PageRecord] = []
    bench.mmu.tlb.on_grant_lost = lost.append
    bench.set(SMEP=True)
    assert [record.page for record in lost] == [A >> 12]
    assert bench.mmu.tlb.stale_grants
    assert bench.mmu.holding(LinearAddress(A))
    bench.events.clear()
    bench.access(A)
    assert not bench.events


def test_the_same_controls_again_change_nothing(bench: Bench) -> None:
    bench.access(A)
    bench.set()
    assert A >> 12 in bench.mmu.tlb.data
    assert not bench.mmu.tlb.stale_grants


# -- arrays for loads alone and stores alone


def test_split_arrays_count_a_load_and_a_store_of_one_page_as_two_misses() -> None:
    bench = mapped(SPLIT)
    for kind in (READ, WRITE, READ, WRITE):
        bench.access(A, kind)
    assert outcomes(bench) == ["miss", "miss"]
    assert bench.counts()["DTLB_LOAD_MISSES.MISS_CAUSES_A_WALK"] == 1
    assert bench.counts()["DTLB_STORE_MISSES.MISS_CAUSES_A_WALK"] == 1


def test_split_arrays_agree_on_the_frame_after_the_tables_changed() -> None:
    bench = mapped(SPLIT)
    entry = bench.map(A, 0x1000)
    bench.access(A, READ)
    bench.set_entry(entry, 0x5000 | PAGE)
    assert bench.access(A, WRITE) == 0x5000
    assert bench.access(A, READ) == 0x5000
    assert [event.cause for event in of_type(bench, TlbEvicted)] == ["replaced"]


def test_a_load_that_misses_beside_a_dirty_store_entry_makes_stores_ask_for_d_again_if_memory_lost_it() -> (
    None
):
    bench = mapped(SPLIT)
    entry = bench.map(A, 0x1000)
    bench.access(A, WRITE)
    bench.set_entry(entry, bench.entry(entry) & ~DIRTY)
    bench.granted(A, WRITE)
    bench.access(A, READ)
    assert bench.mmu.tlb.stale_grants
    bench.access(A, WRITE)
    assert bench.entry(entry) & DIRTY


def test_a_store_hits_what_a_fetch_brought_to_level_2_beside_a_load_entry() -> None:
    bench = mapped(tlbs(array(serves="load"), array(serves="store"), array(2, "both", entries=1)))
    bench.access(A, READ)
    bench.access(A, FETCH)
    bench.access(B, FETCH)
    bench.access(A, FETCH)
    bench.events.clear()
    bench.access(A, WRITE)
    assert outcomes(bench) == ["l2_hit"]
    assert bench.access(A, READ) == 0x1000
    assert outcomes(bench) == ["l2_hit"]


def test_a_load_entry_gives_way_to_a_newer_frame_that_a_fetch_brought_to_level_2() -> None:
    bench = mapped(tlbs(array(serves="load"), array(serves="store"), array(2, "both", entries=1)))
    entry = bench.map(A, 0x1000)
    bench.access(A, READ)
    bench.access(B, FETCH)
    bench.set_entry(entry, 0x5000 | PAGE)
    bench.access(A, FETCH)
    assert bench.access(A, WRITE) == 0x5000
    assert bench.access(A, READ) == 0x5000


# -- asking


def test_a_peek_finds_what_a_fetch_would_reach_and_leaves_no_trace(bench: Bench) -> None:
    assert bench.mmu.peek(A >> 12) == 1
    assert bench.mmu.peek(0x60_0000 >> 12) is None
    bench.map(0x80_0000, 0x20_0000, page_bytes=2 << 20)
    assert bench.mmu.peek(0x80_3000 >> 12) == 0x203
    assert not bench.events
    assert bench.journal.seq == 0
    assert not bench.counts()


def test_a_peek_prefers_a_stale_entry_to_memory(bench: Bench) -> None:
    entry = bench.map(A, 0x1000)
    bench.access(A, FETCH)
    bench.set_entry(entry, 0x5000 | PAGE)
    assert bench.mmu.peek(A >> 12) == 1


def test_a_walk_that_is_asked_for_changes_nothing(bench: Bench) -> None:
    found = bench.mmu.walk(LinearAddress(A))
    assert found is not None
    assert found.physical == 0x1000
    assert not bench.events


# -- protection keys


KEY_5 = 5 << 59


@pytest.mark.parametrize(
    ("denied", "kind", "reason"),
    [
        (1, READ, Reason.PROTECTION_KEY_DENIES_ACCESS),
        (1, WRITE, Reason.PROTECTION_KEY_DENIES_ACCESS),
        (2, WRITE, Reason.PROTECTION_KEY_DENIES_WRITE),
        (2, READ, None),
        (3, FETCH, None),
    ],
)
def test_a_key_denies_by_pkru_as_it_is_now_whether_the_page_is_cached_or_not(
    bench: Bench, denied: int, kind: int, reason: Reason | None
) -> None:
    bench.map(A, 0x1000, flags=PAGE | KEY_5)
    for linear in (A, B):
        bench.access(linear, kind)
    bench.set(PKE=True, PKRU=denied << 10)
    cached = bench.translate(A, kind)
    bench.mmu.flush("MOV_CR4")
    walked = bench.translate(A, kind)
    assert not isinstance(bench.translate(B, kind), Refused), "B has key 0"
    for found, from_tlb in ((cached, True), (walked, False)):
        assert (found.reason if isinstance(found, Refused) else None) is reason
        if isinstance(found, Refused):
            assert found.error == 0x25 | (2 if kind == WRITE else 0)
            assert found.cached is from_tlb


def test_the_error_code_tells_that_a_key_would_have_denied_too(bench: Bench) -> None:
    bench.map(A, 0x1000, flags=PRESENT | USER | KEY_5)
    bench.access(A, READ)
    bench.set(PKE=True, PKRU=3 << 10)
    assert bench.refused(A, WRITE).error == 0x27
    assert bench.refused(A, WRITE).error == 0x27, "walked: the fault dropped the entry"


@pytest.mark.parametrize("entry", [KEY_5 | USER, PRESENT | USER | KEY_5 | 1 << 45])
def test_where_there_is_no_page_no_key_is_in_the_error_code(bench: Bench, entry: int) -> None:
    bench.set_entry(bench.map(A, 0x1000), entry)
    bench.set(PKE=True, PKRU=0xFFFF_FFFF)
    assert bench.refused(A, READ).error & 0x20 == 0


# -- other paging modes


@pytest.mark.parametrize(
    ("mode", "reads"), [(TWO_LEVEL, 2), (PAE, 2), (FOUR_LEVEL, 4), (FIVE_LEVEL, 5)], ids=lambda m: str(m)
)
def test_in_every_mode_an_entry_is_stale_when_memory_says_otherwise_and_only_then(
    mode: PagingMode, reads: int
) -> None:
    bench = Bench(mode=mode)
    entry = bench.map(A, 0x1000)
    bench.map(B, 0x2000)
    bench.set()
    bench.access(A)
    assert len(of_type(bench, EntryRead)) == bench.mmu.counters.steps[READ] == reads
    bench.set_entry(entry + mode.entry_bytes, 0x7000 | PAGE)
    bench.access(A)
    bench.set_entry(entry, 0x5000 | PAGE)
    bench.access(A)
    assert [event.stale for event in of_type(bench, Accessed)] == [False, True]


def test_a_pdpte_that_changes_in_memory_makes_nothing_stale_until_it_is_loaded() -> None:
    bench = Bench(mode=PAE)
    bench.map(A, 0x1000)
    bench.set()
    bench.access(A)
    bench.set_entry(bench.tables.root, 0)
    bench.access(A)
    assert bench.access(A + 0) == 0x1000
    assert [event.stale for event in of_type(bench, Accessed)] == [False]
    bench.mmu.flush("MOV_CR3")
    bench.set()
    assert bench.refused(A).reason is Reason.NOT_PRESENT


@pytest.mark.parametrize(
    ("mode", "page_bytes", "level"),
    [(TWO_LEVEL, 4096, "PTE"), (TWO_LEVEL, 4 << 20, "PDE"), (PAE, 4096, "PTE"), (PAE, 2 << 20, "PDE")],
)
def test_a_fault_on_cached_rights_names_the_level_that_maps_the_page(
    mode: PagingMode, page_bytes: int, level: str
) -> None:
    bench = Bench("pentium3", mode=mode)
    bench.map(0x80_0000, 0x80_0000, PRESENT | USER, page_bytes)
    bench.set()
    bench.access(0x80_0000, READ)
    refused = bench.translate(0x80_0000, WRITE)
    assert isinstance(refused, Refused)
    assert (refused.level, refused.cached) == (level, True)


# -- paging off


def test_while_paging_is_off_every_address_is_its_own_and_hits() -> None:
    bench = Bench()
    bench.mmu.set_controls(None)
    bench.mmu.report_all = True
    for kind in (FETCH, READ, WRITE):
        assert bench.access(0x12_3456, kind) == 0x12_3456
    assert bench.translate(0x12_3000) is bench.translate(0x12_3000)
    assert [(event.tlb, event.stale) for event in of_type(bench, Accessed)] == [("l1_hit", False)] * 3
    assert bench.mmu.peek(0x77) == 0x77
    assert bench.mmu.walk(LinearAddress(0)) is None


def test_turning_paging_on_forgets_the_addresses_that_were_their_own(bench: Bench) -> None:
    bench.mmu.set_controls(None)
    bench.access(A)
    bench.set()
    assert bench.access(A) == 0x1000


# -- going back


def scenario(bench: Bench) -> None:
    entry = bench.map(A, 0x1000)
    bench.access(A, READ)
    bench.access(B, WRITE)
    bench.access(A, FETCH)
    bench.set_entry(entry, 0x5000 | PAGE)
    bench.access(A, READ)
    bench.access(C, READ)
    bench.mmu.invlpg(LinearAddress(B))


@pytest.mark.parametrize("geometry", ["haswell", "pentium3", TWO_LEVELS, ONE_ENTRY, SPLIT])
def test_a_state_that_is_loaded_again_leads_to_the_same_events(geometry: Any) -> None:
    bench = mapped(geometry)
    bench.map(0x80_0000, 0x20_0000, page_bytes=2 << 20)
    for kind in (READ, WRITE, FETCH):
        bench.access(0x80_0000, kind)
    bench.access(A, WRITE)
    bench.access(B, FETCH)
    state, journal, image = bench.mmu.state(), bench.journal.state(), bench.memory.buffer[:]
    runs: list[list[Event]] = []
    for _ in range(3):
        bench.events.clear()
        scenario(bench)
        runs.append(list(bench.events))
        bench.memory.buffer[:] = image
        bench.journal.load_state(journal)
        bench.mmu.load_state(state)
        assert bench.mmu.tlb.stale_grants
    assert runs[0] == runs[1] == runs[2]
    assert bench.mmu.counters.report(0, bench.mmu.geometry.cost) == state.counters.report(
        0, bench.mmu.geometry.cost
    )


def test_a_restored_entry_is_compared_with_memory_before_it_is_trusted(bench: Bench) -> None:
    entry = bench.map(A, 0x1000)
    bench.access(A)
    state = bench.mmu.state()
    bench.mmu.flush("MOV_CR3")
    bench.set_entry(entry, 0x5000 | PAGE)
    bench.mmu.load_state(state)
    bench.access(A)
    assert [event.stale for event in of_type(bench, Accessed)] == [False, True]


def test_a_state_is_a_copy_that_later_accesses_do_not_reach(bench: Bench) -> None:
    bench.access(A)
    state = bench.mmu.state()
    bench.access(B)
    bench.access(A, WRITE)
    bench.mmu.load_state(state)
    assert bench.counts()["accesses.read"] == 1
    assert not bench.mmu.holding(LinearAddress(B))


def test_a_translation_that_no_access_used_yet_keeps_its_outcome_through_a_state(bench: Bench) -> None:
    bench.translate(A)
    bench.translate(B, FETCH)
    state = bench.mmu.state()
    bench.mmu.load_state(state)
    bench.events.clear()
    bench.access(A)
    bench.access(B, FETCH)
    assert outcomes(bench) == ["miss", "miss"]


def test_a_pending_outcome_of_a_page_that_no_array_holds_is_dropped_with_its_record() -> None:
    bench = mapped(ONE_ENTRY)
    first = bench.translate(A)
    assert isinstance(first, PageRecord)
    state = bench.mmu.state()
    empty_arrays = Bench(ONE_ENTRY).mmu.state().tlb.arrays
    bench.mmu.load_state(replace(state, tlb=state.tlb._replace(arrays=empty_arrays)))
    bench.events.clear()
    bench.access(A)
    assert outcomes(bench) == ["miss"]


def test_entries_shared_by_two_arrays_are_still_shared_after_a_restore() -> None:
    bench = mapped(TWO_LEVELS)
    bench.access(A, READ)
    bench.mmu.load_state(bench.mmu.state())
    first, second = bench.mmu.holding(LinearAddress(A))
    assert first.entry is second.entry
    assert first.entry is not None
    assert first.entry.slots == [first, second]


@pytest.mark.parametrize(
    "change", [lambda bench: bench.access(A, WRITE), lambda bench: bench.refused(A, WRITE)]
)
def test_a_restored_entry_does_not_change_the_one_that_was_saved(
    bench: Bench, change: Callable[[Bench], object]
) -> None:
    refuse = change.__code__.co_names[-1] == "WRITE" and "refused" in change.__code__.co_names
    bench.map(A, 0x1000, flags=PAGE & ~WRITABLE if refuse else PAGE)
    bench.access(A, READ)
    state = bench.mmu.state()
    change(bench)
    bench.mmu.load_state(state)
    (slot, *_) = bench.mmu.holding(LinearAddress(A))
    assert slot.entry is not None
    assert not slot.entry.D
