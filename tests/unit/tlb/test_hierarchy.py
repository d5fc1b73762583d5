# SPDX-License-Identifier: GPL-2.0-or-later
"""Several arrays at once, seen through an MMU: pieces of pages, arrays side by side, PCIDs, and who drops what."""

from typing import Any

import pytest

from emu.bits import LinearAddress
from emu.events import Accessed, Invalidated, TlbEvicted, TlbFilled
from emu.tlb.record import PageRecord
from tests.helpers.bench import FETCH, GLOBAL, PAGE, READ, WRITE, Bench, array, tlbs

A, B = 0x40_0000, 0x40_1000
LARGE = 1 << 30
MB = 1 << 20
ZEN_LIKE = tlbs(
    array(serves="instruction", sizes="4K 2M 1G"),
    array(sizes="4K 2M 1G"),
    array(2, "both", "4K 2M", 8, _1G="2M"),
)
"""Level 1 keeps 1G pages whole, level 2 in pieces."""


def outcomes(bench: Bench) -> list[str]:
    return [event.tlb for event in bench.events if isinstance(event, Accessed)]


def held(bench: Bench) -> list[tuple[str, int, int]]:
    """(array, first address, size) of everything held."""
    slots = [slot for cache in bench.mmu.tlb.arrays for slot in cache]
    return [(s.array.name, s.entry.linear, s.entry.page_bytes) for s in slots if s.entry is not None]


def dropped(bench: Bench) -> list[str]:
    return [line for event in bench.events if isinstance(event, Invalidated) for line in event.dropped]


def large(geometry: Any = ZEN_LIKE) -> Bench:
    bench = Bench(geometry)
    bench.map(LARGE, LARGE, page_bytes=1 << 30)
    bench.map(A, 0x1000)
    bench.map(B, 0x2000)
    return bench


# -- pieces


def test_one_walk_fills_a_large_page_whole_into_one_array_and_a_piece_into_another() -> None:
    bench = large()
    assert bench.access(LARGE + 5 * MB) == LARGE + 5 * MB
    fills = [event for event in bench.events if isinstance(event, TlbFilled)]
    assert [(e.array, e.page * e.page_bytes, e.frame << 12, e.page_bytes) for e in fills] == [
        ("L2 4K/2M", LARGE + 4 * MB, LARGE + 4 * MB, 2 * MB),
        ("L1D 4K/2M/1G", LARGE, LARGE, 1 << 30),
    ]
    assert bench.counts()["DTLB_LOAD_MISSES.WALK_COMPLETED_1G"] == 1
    bench.access(LARGE + 700 * MB)
    assert outcomes(bench) == ["miss"], "level 1 has the whole page"


def test_a_page_kept_in_pieces_is_walked_once_for_each_of_them() -> None:
    bench = large(tlbs(array(sizes="4K 2M", _1G="2M")))
    for at in (0, 1, 2, 3, 0):
        bench.access(LARGE + at * MB)
    assert outcomes(bench) == ["miss", "miss"]
    assert len(held(bench)) == 2


def test_a_level_2_hit_on_a_piece_hands_up_the_piece() -> None:
    bench = large()
    bench.access(LARGE, READ)
    bench.access(LARGE, FETCH)
    assert outcomes(bench) == ["miss", "l2_hit"]
    assert ("L1I 4K/2M/1G", LARGE, 2 * MB) in held(bench)
    assert bench.counts()["ITLB_MISSES.STLB_HIT_2M"] == 1


def test_a_piece_goes_to_level_1_in_the_size_kept_there() -> None:
    bench = large(tlbs(array(sizes="4K", entries=1, _2M="4K"), array(2, "both", "4K 2M", 8, _1G="2M")))
    bench.access(LARGE + 5 * MB)
    bench.access(A)
    assert bench.access(LARGE + 5 * MB + 0x1000) == LARGE + 5 * MB + 0x1000
    assert outcomes(bench) == ["miss", "miss", "l2_hit"]
    assert ("L1D 4K", LARGE + 5 * MB + 0x1000, 4096) in held(bench)


@pytest.mark.parametrize(
    "drop",
    [
        lambda bench: bench.mmu.invlpg(LinearAddress(LARGE + 1000 * MB)),
        lambda bench: bench.mmu.invpcid(0, 0, LinearAddress(LARGE + 1000 * MB)),
    ],
)
def test_one_invalidation_drops_every_piece_of_a_page_from_every_array(drop: Any) -> None:
    bench = large()
    bench.access(A)
    for at in (0, 300, 600):
        bench.access(LARGE + at * MB, READ)
        bench.access(LARGE + at * MB, FETCH)
    assert len(held(bench)) == 2 + 2 + 3, "the first fetch hit a piece in level 2, the second walked"
    bench.events.clear()
    drop(bench)
    assert [linear for _, linear, _ in held(bench)] == [A, A]
    places = [line.rpartition(" ")[0] for line in dropped(bench)]
    assert [place.partition(" ")[0] for place in places] == ["L1I", "L1I", "L1D", "L2", "L2"]
    assert places == [*sorted(places[:2]), places[2], *sorted(places[3:])]


def test_a_page_fault_drops_every_piece_too() -> None:
    bench = large(tlbs(array(sizes="4K 2M", _1G="2M")))
    entry = bench.tables.entry_address(LinearAddress(LARGE), "PDPTE")
    bench.access(LARGE)
    bench.access(LARGE + 2 * MB)
    bench.set_entry(entry, 0)
    bench.refused(LARGE + 4 * MB)
    assert held(bench) == []


def test_a_store_makes_the_piece_it_goes_through_dirty_and_the_whole_page() -> None:
    bench = large()
    bench.access(LARGE, READ)
    bench.access(LARGE, WRITE)
    states = {
        slot.array.level: slot.entry.D for slot in bench.mmu.holding(LinearAddress(LARGE)) if slot.entry
    }
    assert states == {1: True, 2: True}
    assert outcomes(bench) == ["miss"]


def test_a_walk_counts_under_the_size_of_the_page_where_only_pieces_are_kept() -> None:
    sides = array(serves="load", sizes="4K 2M", _1G="2M"), array(serves="store", sizes="4K 2M", _1G="2M")
    bench = large(tlbs(*sides))
    bench.access(LARGE, READ)
    bench.access(LARGE, WRITE)
    assert bench.counts()["DTLB_LOAD_MISSES.WALK_COMPLETED_1G"] == 1
    assert bench.counts()["DTLB_STORE_MISSES.WALK_COMPLETED_1G"] == 1


def test_pieces_are_found_again_after_a_restore() -> None:
    bench = large(tlbs(array(sizes="4K 2M", _1G="2M")))
    bench.access(LARGE)
    bench.access(LARGE + 2 * MB)
    bench.mmu.load_state(bench.mmu.state())
    bench.mmu.invlpg(LinearAddress(LARGE + 9 * MB))
    assert held(bench) == []


def test_when_a_piece_leaves_an_array_the_whole_page_there_answers() -> None:
    bench = large(tlbs(array(sizes="4K 2M 1G", entries=2), array(2, "both", "4K 2M", 8, _1G="2M")))
    for linear in (LARGE, A, B, LARGE, LARGE + 300 * MB):
        bench.access(linear)
    assert outcomes(bench) == ["miss", "miss", "miss", "l2_hit", "miss"]
    both = [slot for slot in bench.mmu.tlb.arrays[0] if slot.entry is not None]
    assert sorted(slot.entry.page_bytes for slot in both if slot.entry) == [2 * MB, 1 << 30]
    record = bench.granted(LARGE, READ)
    bench.events.clear()
    bench.mmu.tlb.empty(next(slot for slot in both if slot.entry and slot.entry.piece_of))
    assert not bench.mmu.tlb.stale_grants
    bench.mmu.touch(record, 0, 1, READ)
    assert outcomes(bench) == []


# -- arrays side by side


def test_two_arrays_of_a_level_that_serve_one_access_are_both_filled_and_both_grow_younger() -> None:
    bench = large(tlbs(array(serves="load", entries=2), array(serves="data", entries=2)))
    bench.map(0x40_2000, 0x3000)
    for linear in (A, B, A, 0x40_2000):
        bench.access(linear, READ)
    expected = {("L1L 4K", A), ("L1D 4K", A), ("L1L 4K", 0x40_2000), ("L1D 4K", 0x40_2000)}
    assert {(name, linear) for name, linear, _ in held(bench)} == expected
    record = bench.mmu.tlb.data[A >> 12]
    assert record.fast == [None, None, None], "two ages are no matter for a hot path"


def test_one_of_two_arrays_answers_alone_when_the_other_lost_the_page() -> None:
    bench = large(tlbs(array(serves="load", entries=1), array(serves="data", entries=2)))
    for linear in (A, B, A, A):
        bench.access(linear, READ)
    assert outcomes(bench) == ["miss", "miss"]
    assert {name for name, linear, _ in held(bench) if linear == A} == {"L1D 4K"}
    record = bench.mmu.tlb.data[A >> 12]
    assert record.fast[READ] is record.l1[READ] is not None


def test_two_arrays_of_level_2_grow_younger_together() -> None:
    bench = large(
        tlbs(array(entries=1), array(2, "load", entries=2), array(2, "data", entries=2)),
    )
    bench.map(0x40_2000, 0x3000)
    for linear in (A, B, A, 0x40_2000):
        bench.access(linear, READ)
    assert {linear for name, linear, _ in held(bench) if name != "L1D 4K"} == {A, 0x40_2000}


def test_stores_without_an_array_of_level_1_hit_level_2_each_time() -> None:
    bench = large(tlbs(array(serves="load"), array(2, "data", entries=2)))
    for _ in range(3):
        bench.access(A, WRITE)
    for linear in (B, A):
        bench.access(linear, WRITE)
    assert outcomes(bench) == ["miss", "l2_hit", "l2_hit", "miss", "l2_hit"]
    assert bench.counts()["DTLB_STORE_MISSES.STLB_HIT_4K"] == 3
    bench.map(0x40_2000, 0x3000)
    bench.access(0x40_2000, WRITE)
    assert {linear for _, linear, _ in held(bench)} == {A, 0x40_2000}, "B was used longer ago"


def test_an_engine_that_stores_without_asking_hits_level_2_each_time_too() -> None:
    bench = large(tlbs(array(serves="load"), array(2, "data", entries=2)))
    record = bench.granted(A, WRITE)
    for _ in range(3):
        bench.mmu.touch(record, 0, 1, WRITE)
    assert outcomes(bench) == ["miss", "l2_hit", "l2_hit"]
    assert record.fast == [None, None, None]


def test_a_type_that_nothing_serves_walks_each_time_beside_a_record_of_another() -> None:
    bench = large(tlbs(array(serves="load")))
    bench.access(A, READ)
    bench.mmu.tlb.stale_grants = False
    for _ in range(2):
        bench.access(A, WRITE)
    assert bench.mmu.tlb.stale_grants
    assert outcomes(bench) == ["miss", "miss", "miss"]
    bench.access(A, READ)
    assert len(outcomes(bench)) == 3, "loads still hit"


def test_a_random_choice_is_the_same_again_with_the_same_seed_and_another_with_another() -> None:
    def lost(seed: int) -> list[int]:
        bench = Bench(tlbs(array(entries=4, policy="random")), seed=seed)
        for page in range(16):
            bench.map(A + page * 4096, page * 4096)
            bench.access(A + page * 4096)
        return [event.page for event in bench.events if isinstance(event, TlbEvicted)]

    assert lost(1) == lost(1) != lost(2)


# -- two translations of one page


def test_loads_and_stores_agree_on_a_frame_where_a_4k_entry_is_older_than_the_2m_page_around_it() -> None:
    bench = large(tlbs(array(serves="load", sizes="4K 2M"), array(serves="store", sizes="4K 2M")))
    bench.access(B, READ)
    pde = bench.tables.entry_address(LinearAddress(A), "PDE")
    bench.set_entry(pde, 0x60_0000 | PAGE | 0x80)
    assert bench.access(A, WRITE) == 0x60_0000
    record = bench.mmu.tlb.data[B >> 12]
    assert record.disputed
    assert bench.access(B, READ) == 0x2000, "the load array still holds the old one"
    assert bench.access(B, WRITE) == 0x60_1000
    assert bench.access(B, READ) == 0x60_1000
    assert [event.cause for event in bench.events if isinstance(event, TlbEvicted)] == ["replaced"]


def test_when_the_older_translation_leaves_the_newer_one_answers() -> None:
    bench = large(tlbs(array(serves="load", sizes="4K 2M"), array(serves="store", sizes="4K 2M")))
    bench.access(B, READ)
    bench.set_entry(bench.tables.entry_address(LinearAddress(A), "PDE"), 0x60_0000 | PAGE | 0x80)
    bench.access(A, WRITE)
    old = bench.granted(B, READ)
    lost: list[PageRecord] = []
    bench.mmu.tlb.on_grant_lost = lost.append
    (slot,) = [s for s in bench.mmu.holding(LinearAddress(B)) if s.array.name.startswith("L1L")]
    bench.mmu.tlb.empty(slot)
    assert lost == [old]
    assert bench.mmu.tlb.stale_grants
    bench.events.clear()
    assert bench.access(B, WRITE) == 0x60_1000
    assert outcomes(bench) == []


def test_when_the_older_translation_leaves_level_1_the_newer_one_there_goes_before_the_older_in_level_2() -> (
    None
):
    sides = array(serves="load", sizes="4K 2M"), array(serves="store", sizes="4K 2M")
    bench = large(tlbs(*sides, array(2, "both", "4K 2M", 8)))
    bench.access(B, READ)
    bench.set_entry(bench.tables.entry_address(LinearAddress(A), "PDE"), 0x60_0000 | PAGE | 0x80)
    bench.access(A, WRITE)
    assert bench.access(B, READ) == 0x2000
    bench.mmu.tlb.empty(bench.mmu.holding(LinearAddress(B))[0])
    bench.events.clear()
    assert bench.access(B, WRITE) == 0x60_1000
    assert not bench.events


def test_what_level_2_hands_up_takes_the_place_of_another_translation_of_the_page() -> None:
    sides = array(serves="store", sizes="4K 2M"), array(serves="load", sizes="4K 2M")
    bench = large(tlbs(*sides, array(2, "both", "4K 2M", 8)))
    bench.access(B, READ)
    bench.mmu.tlb.empty(bench.mmu.holding(LinearAddress(B))[1])
    bench.set_entry(bench.tables.entry_address(LinearAddress(A), "PDE"), 0x60_0000 | PAGE | 0x80)
    bench.access(A, WRITE)
    bench.events.clear()
    assert bench.access(B, READ) == 0x60_1000
    assert outcomes(bench) == ["l2_hit"]
    (left,) = [event for event in bench.events if isinstance(event, TlbEvicted)]
    assert (left.array, left.frame, left.cause) == ("L1L 4K/2M", 2, "replaced")


def test_a_fetch_that_brings_a_new_translation_to_level_2_leaves_data_as_they_were() -> None:
    bench = large(tlbs(array(), array(2, "both", entries=1)))
    entry = bench.tables.entry_address(LinearAddress(A), "PTE")
    bench.access(A, READ)
    bench.access(B, FETCH)
    bench.set_entry(entry, 0x5000 | PAGE)
    assert bench.access(A, FETCH) == 0x5000
    assert bench.access(A, READ) == 0x1000
    assert bench.mmu.tlb.data[A >> 12].disputed


# -- PCIDs


def spaces(geometry: Any = "haswell") -> tuple[Bench, dict[int, Any]]:
    """PCIDs 3 and 5 map A and B to different frames; B is global in both."""
    bench = Bench(geometry)
    tables = {3: bench.new_tables(), 5: bench.new_tables()}
    for pcid, each in tables.items():
        bench.tables = each
        bench.map(A, pcid << 12)
        bench.map(B, 0x9000, flags=PAGE | GLOBAL)
    return bench, tables


def test_a_switch_to_another_pcid_and_back_keeps_what_was_there() -> None:
    bench, tables = spaces()
    bench.set(3, tables[3])
    assert bench.access(A) == 0x3000
    bench.set(5, tables[5])
    assert bench.access(A) == 0x5000
    bench.events.clear()
    bench.set(3, tables[3])
    assert bench.access(A) == 0x3000
    assert not bench.events, "it hit: no entry was read again"


def test_a_global_page_answers_under_every_pcid_and_only_if_it_was_filled_under_pge() -> None:
    bench, tables = spaces()
    bench.set(3, tables[3])
    bench.access(B)
    bench.set(5, tables[5])
    bench.events.clear()
    bench.access(B)
    assert not bench.events
    bench.mmu.flush("MOV_CR4")
    for pcid in (3, 5):
        bench.set(pcid, tables[pcid], PGE=False)
        bench.events.clear()
        bench.access(B)
        assert outcomes(bench) == ["miss"]


def test_a_record_serves_the_current_pcid_alone_and_the_engine_asks_again_after_a_switch() -> None:
    bench, tables = spaces()
    bench.set(3, tables[3])
    record = bench.granted(A, READ)
    lost: list[PageRecord] = []
    bench.mmu.tlb.on_grant_lost = lost.append
    bench.set(5, tables[5])
    assert lost == [record]
    assert bench.mmu.tlb.stale_grants
    assert bench.mmu.peek(A >> 12) == 5


EVERYTHING = {(3, A), (5, A), (None, B)}


@pytest.mark.parametrize(
    ("operation", "scope", "left"),
    [
        (lambda mmu: mmu.invlpg(LinearAddress(A)), "0x0000_0000_0040_0000 in PCID 5", {(3, A), (None, B)}),
        (lambda mmu: mmu.invlpg(LinearAddress(B)), "0x0000_0000_0040_1000 in PCID 5", {(3, A), (5, A)}),
        (
            lambda mmu: mmu.invpcid(0, 3, LinearAddress(A)),
            "0x0000_0000_0040_0000 in PCID 3, but global",
            {(5, A), (None, B)},
        ),
        (
            lambda mmu: mmu.invpcid(0, 3, LinearAddress(B)),
            "0x0000_0000_0040_1000 in PCID 3, but global",
            EVERYTHING,
        ),
        (lambda mmu: mmu.invpcid(1, 3, LinearAddress(A)), "all but global in PCID 3", {(5, A), (None, B)}),
        (lambda mmu: mmu.invpcid(2, 3, LinearAddress(A)), "all", set[Any]()),
        (lambda mmu: mmu.invpcid(3, 3, LinearAddress(A)), "all but global", {(None, B)}),
        (lambda mmu: mmu.flush("MOV_CR3", None, True), "all but global", {(None, B)}),
        (lambda mmu: mmu.flush("MOV_CR3", 3, True), "all but global in PCID 3", {(5, A), (None, B)}),
        (lambda mmu: mmu.flush("MOV_CR4", 3, False), "all in PCID 3", {(5, A)}),
        (lambda mmu: mmu.flush("MOV_CR4", 5, False), "all in PCID 5", {(3, A), (None, B)}),
        (lambda mmu: mmu.flush("MOV_CR0", None, False), "all", set[Any]()),
    ],
)
def test_an_invalidation_drops_what_is_in_its_scope_and_names_it(
    operation: Any, scope: str, left: set[tuple[int | None, int]]
) -> None:
    bench, tables = spaces(tlbs(array(serves="both")))
    bench.set(3, tables[3])
    bench.access(A)
    bench.access(B)
    bench.set(5, tables[5])
    bench.access(A)
    operation(bench.mmu)
    entries = [slot.entry for slot in bench.mmu.tlb.arrays[0] if slot.entry is not None]
    assert {(None if entry.is_global else entry.pcid, entry.linear) for entry in entries} == left
    (event,) = [event for event in bench.events if isinstance(event, Invalidated)]
    assert event.scope == scope
    assert len(event.dropped) == len(EVERYTHING - left)


def test_one_address_counts_as_an_invalidation_and_more_as_a_flush() -> None:
    bench, _ = spaces()
    for kind in range(4):
        bench.mmu.invpcid(kind, 3, LinearAddress(A))
    assert (bench.mmu.counters.invalidations, bench.mmu.counters.flushes) == (1, 3)


def test_a_type_of_invpcid_that_does_not_exist_is_an_error() -> None:
    bench, _ = spaces()
    with pytest.raises(ValueError, match="INVPCID has no type 4; use 0 to 3"):
        bench.mmu.invpcid(4, 0, LinearAddress(0))


def test_a_state_brings_the_pcid_back() -> None:
    bench, tables = spaces()
    bench.set(3, tables[3])
    bench.access(A)
    state = bench.mmu.state()
    bench.set(5, tables[5])
    bench.mmu.load_state(state)
    bench.events.clear()
    assert bench.access(A) == 0x3000
    assert outcomes(bench) == []


# -- stores into tables


def test_a_record_that_left_is_forgotten_by_those_who_watch_stores_into_frames() -> None:
    bench = large(tlbs(array(entries=1)))
    for linear in (A, B, A, B):
        bench.access(linear, WRITE)
        bench.access(linear, WRITE)
    stores = bench.mmu.tlb._fast_stores  # pyright: ignore[reportPrivateUsage]
    assert sum(map(len, stores.values())) == 1
