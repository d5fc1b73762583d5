# SPDX-License-Identifier: GPL-2.0-or-later
"""The sentence for each hit, miss, fill, eviction and drop says what a TLB had, and why it acted so."""

import msgspec
import pytest

from emu.bits import LinearAddress
from emu.events import Accessed, TlbEvicted
from emu.paging.modes import FIVE_LEVEL, PAE, TWO_LEVEL, PagingMode
from emu.tlb.geometry import Geometry
from emu.view.scene import Scene
from tests.helpers.bench import FETCH, GLOBAL, PAGE, READ, WRITABLE, WRITE, array, tlbs
from tests.unit.view.rig import CODE, Rig

A, B, C = 0x20_0000, 0x20_2000, 0x20_4000
SMALL = tlbs(array(entries=4, ways=2), array(level=2, serves="both", entries=8, ways=4))
WITH_CACHES = tlbs(*SMALL.arrays, pml5e=1, pml4e=2, pdpte=2, pde=2)
BIG = 1 << 30


def rig_with(of: Geometry = SMALL, mode: PagingMode | None = None) -> Rig:
    """Three pages of one set."""
    rig = Rig(mode, of) if mode is not None else Rig(of=of)
    for n, linear in enumerate((A, B, C)):
        rig.map(linear, 0x5000 + 0x1000 * n)
    return rig


def hexa(linear: int) -> str:
    return f"0x0000_0000_{linear >> 16:04x}_{linear & 0xFFFF:04x}"


def test_a_hit_names_its_place_its_rights_and_who_filled_it() -> None:
    rig = rig_with()
    rig.journal.insn = 1203
    rig.step(A, WRITE)
    assert rig.step(A) == (
        f"Hit: L1D 4K set 0 way 0 holds the page of {hexa(A)} -> frame 0x5 (4K, UWXD), filled at instruction 1,204 by "
        f'{hexa(CODE)}, so nothing is walked (SDM vol. 3A, "Details of TLB Use", 4.10.2.3).'
    )


def test_a_miss_says_what_the_walk_did_and_what_the_sets_held_instead() -> None:
    rig = rig_with()
    rig.step(A)
    rig.step(B)
    held = f"(it held {hexa(A)} and {hexa(B)})"
    assert rig.step(C, WRITE) == (
        f"Miss: no array held the page of {hexa(C)}; the walk read 4 entries, set A and D in the PTE, and filled "
        f'L1D 4K set 0 {held} and L2 4K set 0 {held} (SDM vol. 3A, "Linear-Address Translation with 4-Level Paging '
        'and 5-Level Paging", 4.5.4).'
    )


def test_what_had_to_leave_is_told_among_what_the_set_held() -> None:
    rig = rig_with()
    for linear in (A, B, A):
        rig.step(linear)
    assert f"L1D 4K set 0 (it held {hexa(B)} and {hexa(A)})" in rig.step(C)


def test_each_of_two_accesses_of_one_instruction_has_its_own_walk_and_fills() -> None:
    rig = rig_with()
    rig.map(A + 0x1000, 0x9000)
    rig.access(A)
    rig.access(A + 0x1000, WRITE)
    rig.access(A)
    first, second = rig.said("access")
    assert (
        "set A in the PML4E, PDPTE, PDE and PTE, and filled L1D 4K set 0 (it was empty) and L2 4K set 0 (it was empty)"
        in first
    )
    assert "set A and D in the PTE, and filled L1D 4K set 1 (it was empty) and L2 4K set 1 (" in second


def test_a_hit_has_no_part_in_the_walk_before_it() -> None:
    rig = rig_with()
    rig.mmu.report_all = True
    rig.access(A)
    rig.access(A)
    miss, hit = (event for event in rig.events if isinstance(event, Accessed))
    scene = Scene(hex, rig.events, rig.mmu, now=True)
    assert len(scene.reads_of(miss)) == 4
    assert scene.reads_of(hit) == []


def test_the_first_miss_finds_its_sets_empty_and_every_a_clear() -> None:
    said = rig_with().step(A)
    assert "L1D 4K set 0 (it was empty)" in said
    assert "set A in the PML4E, PDPTE, PDE and PTE" in said


def test_what_has_passed_away_is_left_out_of_an_older_events_sentence() -> None:
    rig = rig_with()
    rig.step(A)
    said = rig.said("access", now=False)[0]
    assert "was empty" not in said
    assert "the walk read 4 entries" in said


@pytest.mark.parametrize(
    ("mode", "levels", "section"),
    [
        (TWO_LEVEL, 2, '"32-Bit Paging", 4.3'),
        (PAE, 2, '"PAE Paging", 4.4'),
        (FIVE_LEVEL, 5, "5-Level Paging"),
    ],
)
def test_each_mode_reads_its_own_number_of_entries(mode: PagingMode, levels: int, section: str) -> None:
    said = rig_with(mode=mode).step(A)
    assert f"the walk read {levels} entries" in said
    assert "cache knew" not in said
    assert section in said


@pytest.mark.parametrize(
    ("mode", "cache"), [(None, "PDE"), (TWO_LEVEL, "PDE"), (PAE, "PDE"), (FIVE_LEVEL, "PDE")]
)
def test_a_walk_below_a_structure_cache_says_which_one_knew_the_way(
    mode: PagingMode | None, cache: str
) -> None:
    rig = rig_with(WITH_CACHES, mode)
    assert "and filled L1D 4K set 0 (it was empty) and L2 4K set 0 (it was empty) (" in rig.step(A)
    said = rig.step(B)
    assert f"the walk read 1 entry because the {cache} cache knew the way to 0x0040_" in said
    assert '"Using the Paging-Structure Caches to Translate Linear Addresses", 4.10.3.2' in said


def test_a_miss_under_a_pcid_says_for_which() -> None:
    rig = rig_with()
    assert rig.mmu.controls is not None
    rig.mmu.set_controls(rig.mmu.controls, 3)
    assert f"the page of {hexa(A)} for PCID 3" in rig.step(A)
    assert all("PCID 3)" in said for said in rig.said("tlb_fill"))


def test_a_level_2_hit_says_that_level_1_had_lost_the_page() -> None:
    rig = rig_with()
    for linear in (A, B, C):
        rig.step(linear)
    said = rig.step(A)
    assert said.startswith(
        f"Level-2 hit: level 1 no longer held the page of {hexa(A)}; L2 4K set 0 way 0 did"
    )
    assert (
        f"gave it back, into L1D 4K set 0 (it held {hexa(B)} and {hexa(C)}), for ~7 cycles without a walk"
        in said
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda value: 0, "has P = 0 (value 0x0, cached when it was 0x5007)"),
        (lambda value: value & ~WRITABLE, "has R/W = 0 (value 0x5025"),
        (lambda value: value + 0x3000, "has frame 0x8 instead of 0x5 (value 0x8027"),
    ],
)
def test_a_stale_hit_says_what_memory_has_said_since(change: object, expected: str) -> None:
    rig = rig_with()
    rig.step(A)
    pte = rig.tables.entry_address(LinearAddress(A), "PTE")
    rig.set_entry(pte, change(rig.entry(pte)))  # type: ignore[operator]
    said = rig.step(A)
    assert said.startswith("Stale hit: L1D 4K set 0 way 0 has the page of")
    assert f"in memory the PTE at 0x0040_3000 {expected}" in said
    assert "nobody has invalidated the entry" in said


def test_a_stale_hit_in_pae_paging_compares_what_is_memory() -> None:
    rig = rig_with(mode=PAE)
    rig.step(A)
    rig.set_entry(rig.tables.entry_address(LinearAddress(A), "PTE"), 0)
    assert "in memory the PTE at 0x0040_2000 has P = 0" in rig.step(A)


def test_a_fetch_from_the_same_large_page_fills_nothing_for_a_load() -> None:
    sizes = "4K 2M"
    rig = Rig(of=tlbs(array(sizes=sizes), array(serves="instruction", sizes=sizes), array(2, "both", sizes)))
    rig.map(A, 0, page_bytes=1 << 21)
    rig.access(A, FETCH)
    rig.access(A + 0x1000)
    fetch, load = rig.said("access")
    assert "and filled L1I 4K/2M set 0 (it was empty) and L2 4K/2M set 0 (it was empty) (" in fetch
    assert load.startswith("Level-2 hit:")
    assert "gave it back, into L1D 4K/2M set 0 (it was empty), for ~7 cycles" in load


def test_a_fill_says_where_what_and_for_which_cause() -> None:
    rig = rig_with()
    rig.step(A)
    fills = rig.said("tlb_fill")
    assert fills[1] == (
        f"Filled: L1D 4K set 0 way 0 now holds {hexa(A)} -> frame 0x5 (4K, UWX), because an access missed and the walk "
        'found it (SDM vol. 3A, "Caching Translations in TLBs", 4.10.2.2).'
    )
    rig.step(B)
    rig.step(C)
    rig.step(A)
    assert "because level 2 had it when level 1 had not" in rig.said("tlb_fill")[0]


def test_a_piece_of_a_large_page_is_called_one() -> None:
    rig = Rig(of=tlbs(array(sizes="4K 2M", _1G="2M")))
    rig.map(BIG, 0, PAGE, BIG)
    rig.step(BIG + 0x40_0000)
    said = rig.said("tlb_fill")[0]
    assert "frame 0x400 (a 2M piece of a 1G page, UWX)" in said
    assert "Details of TLB Use" in said
    assert "(2M of 1G, UWX)" in rig.step(BIG + 0x40_0000)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("lru", "LRU chose way 1, last used 1 use ago"),
        ("fifo", "FIFO chose way 0, filled first, 4 uses ago"),
        ("tree-plru", "the bits of tree-PLRU led to way 1, last used 1 use ago"),
        ("random", "the random policy drew way "),
    ],
)
def test_an_eviction_says_who_chose_and_by_what(policy: str, expected: str) -> None:
    rig = rig_with(tlbs(array(entries=4, ways=2, policy=policy)))
    for linear in (A, B, A, C):
        rig.step(linear)
    said = rig.said("tlb_evict")[0]
    assert said.startswith("Evicted: 0x0000_0000_0020_")
    assert "all 2 ways of the set were full" in said
    assert expected in said


def test_an_eviction_out_of_an_older_trace_tells_no_age() -> None:
    rig = rig_with()
    for linear in (A, B, C):
        rig.step(linear)
    old = next(msgspec.structs.replace(e, age=None) for e in rig.events if isinstance(e, TlbEvicted))
    assert "LRU chose way 0, unused the longest (" in rig.say(old)


def test_a_translation_that_a_fresh_walk_contradicts_is_replaced() -> None:
    rig = rig_with()
    rig.step(A)
    pte = rig.tables.entry_address(LinearAddress(A), "PTE")
    rig.set_entry(pte, 0x9007)
    rig.step(A, WRITE)
    said = rig.said("tlb_evict")
    assert said and all(
        "Replaced: " in one and "a fresh walk found another translation" in one for one in said
    )


def test_structure_caches_fill_and_evict_ways_to_tables() -> None:
    rig = Rig(of=tlbs(*SMALL.arrays, pde=1))
    rig.map(A, 0x5000)
    rig.map(A + 0x20_0000, 0x6000)
    rig.step(A)
    assert rig.said("tlb_fill")[0] == (
        f"Filled: PDE cache way 0 now knows the way to the table at 0x0040_3000 for the 2M at {hexa(A)}, and walks "
        'there begin below it (SDM vol. 3A, "Caches for Paging Structures", 4.10.3.1).'
    )
    rig.step(A + 0x20_0000)
    assert f"PDE cache was full and forgot the way to the 2M at {hexa(A)}" in rig.said("tlb_evict")[0]


def dropped(rig: Rig) -> str:
    """The sentence for the one invalidation of the step."""
    (said,) = rig.said("invalidate")
    rig.events.clear()
    return said


def test_an_invalidation_counts_what_went_and_cites_its_rule() -> None:
    rig = rig_with(WITH_CACHES)
    rig.step(A)
    rig.events.clear()
    rig.mmu.invlpg(LinearAddress(A))
    assert dropped(rig) == (
        f"Dropped 2 translations and 3 paging-structure-cache entries ({hexa(A)}): INVLPG drops the page in the "
        "current PCID, global or not, and the PCID's paging-structure caches (SDM vol. 3A, \"Operations that "
        'Invalidate TLBs and Paging-Structure Caches", 4.10.4.1).'
    )
    rig.mmu.invlpg(LinearAddress(A))
    assert dropped(rig).startswith("Dropped nothing (")


@pytest.mark.parametrize(
    ("operation", "pcid", "keep_global", "rule"),
    [
        ("MOV_CR3", None, True, "MOV CR3 drops everything that is not global"),
        (
            "MOV_CR3",
            2,
            True,
            "MOV CR3 with bit 63 = 0 drops all of the PCID it loads (0 while PCIDE = 0) that is not global",
        ),
        ("MOV_CR4", None, False, "changes PGE, or clears PCIDE, drops everything"),
        ("MOV_CR4", 2, False, "changes PAE, or sets SMEP, drops what the current PCID has"),
        ("MOV_CR0", None, False, "clears PG drops everything"),
    ],
)
def test_each_flush_has_its_rule(operation: str, pcid: int | None, keep_global: bool, rule: str) -> None:
    rig = rig_with()
    rig.mmu.flush(operation, pcid, keep_global)
    assert rule in dropped(rig)


@pytest.mark.parametrize(
    ("kind", "scope", "rule"),
    [
        (0, f"({hexa(A)} in PCID 2, but global)", "type 0 drops one address"),
        (1, "(all but global in PCID 2)", "type 1 drops one PCID"),
        (2, "(all)", "type 2 drops everything"),
        (3, "(all but global)", "type 3 drops every PCID"),
    ],
)
def test_each_type_of_invpcid_has_its_rule(kind: int, scope: str, rule: str) -> None:
    rig = rig_with()
    rig.mmu.invpcid(kind, 2, LinearAddress(A))
    said = dropped(rig)
    assert scope in said
    assert rule in said


def test_a_page_faults_own_invalidation_is_explained() -> None:
    rig = Rig(of=SMALL)
    rig.map(A, 0x5000, PAGE & ~WRITABLE | GLOBAL)
    rig.step(A, READ)
    rig.fault(A, WRITE)
    assert "a page fault itself drops what is cached for its address" in dropped(rig)
