# SPDX-License-Identifier: GPL-2.0-or-later
"""Paging-structure caches, seen through an MMU: what a walk begins from, what it costs and what becomes of changes."""

from typing import Any

import pytest

from emu.bits import LinearAddress
from emu.events import Accessed, EntryRead, Invalidated, TlbEvicted, TlbFilled
from emu.mmu import Refused
from emu.paging.fault import Reason
from emu.paging.modes import FIVE_LEVEL, PAE, TWO_LEVEL
from emu.tlb.record import PageRecord
from tests.helpers.bench import FETCH, PAGE, PRESENT, READ, USER, WRITABLE, WRITE, Bench, array, tlbs

A, B, FAR = 0x40_0000, 0x40_1000, 0x60_0000
"""Two pages under one PDE, and one under the next."""
ONE_TLB_ENTRY = (array(serves="both", entries=1),)
PDE_CACHE = tlbs(*ONE_TLB_ENTRY, pde=2)
ALL = tlbs(*ONE_TLB_ENTRY, pml4e=2, pdpte=2, pde=3)


def mapped(geometry: Any = PDE_CACHE, **more: Any) -> Bench:
    bench = Bench(geometry, **more)
    for linear, frame in ((A, 0x1000), (B, 0x2000), (FAR, 0x3000)):
        bench.map(linear, frame)
    bench.set()
    return bench


def levels_read(bench: Bench) -> list[str]:
    read = [event.level for event in bench.events if isinstance(event, EntryRead)]
    bench.events.clear()
    return read


def held(bench: Bench) -> list[tuple[str, int, int]]:
    """(place, first address, PCID) of everything in the structure caches."""
    places = bench.mmu.tlb.structures
    return [(p.name, p.entry.linear, p.entry.pcid) for p in places if p.entry is not None]


def stale_accesses(bench: Bench) -> list[bool]:
    return [event.stale for event in bench.events if isinstance(event, Accessed)]


def test_a_walk_begins_below_the_deepest_entry_that_is_cached() -> None:
    bench = mapped(ALL)
    bench.access(A)
    assert levels_read(bench) == ["PML4E", "PDPTE", "PDE", "PTE"]
    bench.access(B)
    assert levels_read(bench) == ["PTE"]
    bench.access(FAR)
    assert levels_read(bench) == ["PDE", "PTE"]
    counters = bench.mmu.counters
    assert counters.steps == [0, 7, 0]
    assert counters.structure_hits == [0, 2, 0]


def test_without_structure_caches_every_walk_begins_at_the_root() -> None:
    bench = mapped(tlbs(*ONE_TLB_ENTRY))
    for linear in (A, B):
        bench.access(linear)
    assert bench.mmu.counters.steps == [0, 8, 0]
    assert bench.mmu.counters.structure_hits == [0, 0, 0]


def test_events_number_the_same_walks_whether_or_not_anybody_listens() -> None:
    heard, unheard = mapped(ALL), mapped(ALL)
    unheard.journal.observers.clear()
    for bench in (heard, unheard):
        for linear in (A, B, FAR, A):
            bench.access(linear, WRITE)
        bench.mmu.invlpg(LinearAddress(A))
    assert unheard.journal.seq == heard.journal.seq == len(heard.events)


def test_a_fill_says_what_the_entry_covers_and_which_table_it_leads_to() -> None:
    bench = mapped(ALL)
    bench.access(A)
    fills = [event for event in bench.events if isinstance(event, TlbFilled)]
    assert [event.array for event in fills] == ["PML4E cache", "PDPTE cache", "PDE cache", "L1 4K"]
    fill = fills[2]
    table = bench.tables.entry_address(LinearAddress(A), "PTE") & ~0xFFF
    assert (fill.set, fill.way, fill.page, fill.page_bytes, fill.frame) == (0, 0, 2, 2 << 20, table >> 12)
    assert (fill.rights, fill.is_global, fill.cause) == ("UWX", False, "miss")


def test_the_least_recently_used_entry_gives_way() -> None:
    bench = mapped()
    bench.map(0x80_0000, 0x4000)
    for linear in (A, FAR, B, 0x80_0000):
        bench.access(linear)
    (left,) = [e for e in bench.events if isinstance(e, TlbEvicted) and e.array == "PDE cache"]
    assert left.page * left.page_bytes == FAR
    assert left.way == 1
    assert [linear for _, linear, _ in held(bench)] == [A, 0x80_0000]


def test_an_entry_that_maps_a_page_is_not_cached() -> None:
    bench = mapped(ALL)
    bench.map(0x80_0000, 0x20_0000, page_bytes=2 << 20)
    bench.access(0x80_0000)
    assert [place for place, _, _ in held(bench)] == ["PML4E cache 0.0", "PDPTE cache 0.0"]


@pytest.mark.parametrize("flags", [0, PRESENT])
def test_a_walk_that_is_refused_caches_nothing(flags: int) -> None:
    bench = mapped(ALL)
    bench.map(A, 0x1000, flags=flags)
    assert isinstance(bench.translate(A), Refused)
    assert held(bench) == []


def test_rights_from_above_count_although_nobody_reads_them_again() -> None:
    bench = mapped()
    upper = bench.tables.entry_address(LinearAddress(A), "PDPTE")
    bench.set_entry(upper, bench.entry(upper) & ~WRITABLE)
    bench.access(A)
    refused = bench.refused(B, WRITE)
    assert refused.reason is Reason.WRITE_TO_READ_ONLY_PAGE
    assert (refused.level, refused.cached) == ("PTE", False)


def test_the_chain_of_a_translation_reaches_up_to_the_root_whatever_was_read() -> None:
    bench = mapped()
    bench.access(A)
    bench.access(B)
    (slot,) = bench.mmu.holding(LinearAddress(B))
    assert slot.entry is not None
    expected = [
        bench.tables.entry_address(LinearAddress(B), level) for level in ("PML4E", "PDPTE", "PDE", "PTE")
    ]
    assert [address for address, _ in slot.entry.chain] == expected


def test_an_upper_entry_that_changed_is_used_although_no_page_below_it_is_in_a_tlb() -> None:
    bench = mapped()
    bench.access(A)
    pde = bench.tables.entry_address(LinearAddress(A), "PDE")
    bench.set_entry(pde, 0)
    assert bench.access(B) == 0x2000, "B was in no TLB: its PDE was"
    assert stale_accesses(bench) == [False, True]
    bench.mmu.invlpg(LinearAddress(0x7000_0000))
    assert bench.refused(B + 0x1000).reason is Reason.NOT_PRESENT


def test_a_translation_is_stale_from_the_start_if_what_it_was_made_from_is() -> None:
    bench = mapped()
    bench.access(A)
    upper = bench.tables.entry_address(LinearAddress(A), "PML4E")
    before = bench.entry(upper)
    bench.set_entry(upper, before & ~USER)
    (place,) = [p for p in bench.mmu.tlb.structures if p.entry is not None]
    assert place.entry is not None
    assert bench.mmu.is_stale(place.entry)
    bench.access(B)
    bench.access(B)
    assert stale_accesses(bench) == [False, True, True]
    bench.set_entry(upper, before)
    bench.access(B)
    bench.access(B, FETCH)
    assert not bench.mmu.is_stale(place.entry)
    assert True not in stale_accesses(bench)[3:]


def test_a_store_of_the_guest_into_a_table_that_only_a_structure_cache_knows_is_seen() -> None:
    bench = mapped(tlbs(array(entries=2), pde=1))
    pde = bench.tables.entry_address(LinearAddress(A), "PDE")
    bench.map(0x80_0000, pde & ~0xFFF)
    bench.access(A)
    bench.mmu.tlb.drop_page(A >> 12, 0)
    record = bench.translate(0x80_0000, WRITE)
    assert isinstance(record, PageRecord)
    bench.mmu.touch(record, pde & 0xFFF, 8, WRITE)
    assert record.fast[WRITE] is None


def test_a_peek_sees_what_a_fetch_would_and_makes_nothing_young() -> None:
    bench = mapped()
    bench.access(A)
    bench.access(FAR)
    bench.set_entry(bench.tables.entry_address(LinearAddress(A), "PDE"), 0)
    clock = bench.mmu.tlb.structures.caches["PDE"].clock
    assert bench.mmu.peek(B >> 12) == 2
    assert bench.mmu.tlb.structures.caches["PDE"].clock == clock
    found = bench.mmu.walk(LinearAddress(B))
    assert found is not None
    assert not found.complete, "what memory says is another question"
    assert bench.access(B, FETCH) == 0x2000


def test_a_page_fault_drops_the_entries_on_the_way_to_its_address_alone() -> None:
    bench = mapped(ALL)
    bench.map(0x80_0000_0000, 0x4000)
    for linear in (A, FAR, 0x80_0000_0000):
        bench.access(linear)
    bench.events.clear()
    bench.refused(A + 0x5000)
    (event,) = [event for event in bench.events if isinstance(event, Invalidated)]
    assert event.operation == "PAGE_FAULT"
    assert event.dropped == [
        "PML4E cache 0.0 0x0000_0000_0000_0000",
        "PDPTE cache 0.0 0x0000_0000_0000_0000",
        "PDE cache 0.0 0x0000_0000_0040_0000",
    ]
    assert {linear for _, linear, _ in held(bench)} == {FAR, 0x80_0000_0000}


@pytest.mark.parametrize(
    ("operation", "left"),
    [
        (lambda mmu: mmu.invlpg(LinearAddress(0)), {3}),
        (lambda mmu: mmu.invpcid(0, 3, LinearAddress(0)), {5}),
        (lambda mmu: mmu.invpcid(1, 3, LinearAddress(0)), {5}),
        (lambda mmu: mmu.invpcid(2, 0, LinearAddress(0)), set[int]()),
        (lambda mmu: mmu.invpcid(3, 0, LinearAddress(0)), set[int]()),
        (lambda mmu: mmu.flush("MOV_CR3", 3, True), {5}),
        (lambda mmu: mmu.flush("MOV_CR3", None, True), set[int]()),
    ],
)
def test_an_invalidation_drops_the_entries_of_its_pcid(operation: Any, left: set[int]) -> None:
    bench = mapped(ALL)
    for pcid in (3, 5):
        bench.set(pcid)
        bench.access(A)
    operation(bench.mmu)
    assert {pcid for _, _, pcid in held(bench)} == left


def test_an_entry_serves_no_other_pcid() -> None:
    bench = mapped()
    bench.set(3)
    bench.access(A)
    bench.set(5)
    levels_read(bench)
    bench.access(B)
    assert levels_read(bench) == ["PML4E", "PDPTE", "PDE", "PTE"]
    bench.set(3)
    bench.access(B)
    assert levels_read(bench) == ["PTE"]


def test_the_pdpte_registers_of_pae_paging_are_in_no_cache_and_in_no_chain() -> None:
    bench = mapped(ALL, mode=PAE)
    bench.access(A)
    assert levels_read(bench) == ["PDE", "PTE"]
    assert [place for place, _, _ in held(bench)] == ["PDE cache 0.0"]
    bench.access(B)
    assert levels_read(bench) == ["PTE"]
    (slot,) = bench.mmu.holding(LinearAddress(B))
    assert slot.entry is not None
    assert len(slot.entry.chain) == 2
    assert bench.mmu.counters.steps == [0, 3, 0]


def test_in_32_bit_paging_a_pde_covers_4_mbytes_and_is_4_bytes_long() -> None:
    bench = mapped(ALL, mode=TWO_LEVEL)
    bench.access(A)
    bench.access(FAR)
    assert held(bench) == [("PDE cache 0.0", A, 0)]
    (place,) = [p for p in bench.mmu.tlb.structures if p.entry is not None]
    assert place.entry is not None
    neighbour = bench.tables.entry_address(LinearAddress(A), "PDE") + 4
    bench.set_entry(neighbour, PAGE)
    assert not bench.mmu.is_stale(place.entry)


def test_5_level_paging_adds_a_cache() -> None:
    bench = mapped(tlbs(*ONE_TLB_ENTRY, pml5e=1), mode=FIVE_LEVEL)
    bench.access(A)
    bench.access(B)
    assert held(bench) == [("PML5E cache 0.0", 0, 0)]
    assert bench.mmu.counters.steps == [0, 5 + 4, 0]


def test_a_state_brings_back_entries_and_ages_as_copies() -> None:
    bench = mapped()
    for linear in (A, FAR, B):
        bench.access(linear)
    state = bench.mmu.state()
    before = held(bench)
    bench.map(0x80_0000, 0x4000)
    bench.access(0x80_0000)
    bench.mmu.load_state(state)
    assert held(bench) == before
    bench.access(0x80_0000)
    assert [linear for _, linear, _ in held(bench)] == [A, 0x80_0000]
    bench.mmu.load_state(state)
    bench.set_entry(bench.tables.entry_address(LinearAddress(A), "PDE"), 0)
    (place, _) = bench.mmu.tlb.structures
    assert place.entry is not None
    assert bench.mmu.is_stale(place.entry)


def test_a_restored_entry_is_compared_before_it_is_trusted() -> None:
    bench = mapped()
    bench.access(A)
    state = bench.mmu.state()
    bench.mmu.flush("MOV_CR3")
    bench.set_entry(bench.tables.entry_address(LinearAddress(A), "PDE"), 0)
    bench.mmu.load_state(state)
    bench.access(B)
    assert stale_accesses(bench)[-1]


def test_while_paging_is_off_nothing_is_looked_up() -> None:
    bench = mapped()
    bench.access(A)
    bench.mmu.set_controls(None)
    assert bench.mmu.peek(7) == 7
    assert not isinstance(bench.translate(A), Refused)
    bench.set()
    assert bench.mmu.tlb.structures.find(LinearAddress(B), 0) is not None
    assert bench.access(B, READ) == 0x2000
