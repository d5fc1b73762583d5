# SPDX-License-Identifier: GPL-2.0-or-later
"""SDM vol. 3A, "Recommended Invalidation" (4.10.4.2), "Optional Invalidation" (4.10.4.3), "Delayed Invalidation"
(4.10.4.4): what software may change in the tables with no invalidation, what with one fault too many, what never.

A CPU may have cached less than it could, so a row names the set of legal answers and the test asks whether ours is
one of them. That this model does keep what it has cached is a choice of its own, and a test of its own.
"""

from collections.abc import Callable
from typing import Any

import pytest

from emu.events import Accessed
from emu.paging.fault import Reason
from emu.paging.formats import PS, RW, US, XD, A, D, P
from emu.paging.modes import FIVE_LEVEL, FOUR_LEVEL, MODES, PAE, PagingMode
from emu.tlb.geometry import Geometry
from tests.helpers.bench import FETCH, PAGE, READ, WRITE
from tests.sdm.stale import (
    LINEAR,
    NEW,
    OLD,
    OTHER,
    OTHER_NEW,
    OTHER_OLD,
    PLAIN,
    WITH_STRUCTURE_CACHES,
    Answer,
    Scene,
)

GLOBAL = 1 << 8
Change = Callable[[int, int], int]
"""Makes the new entry from the old one and from one that leads elsewhere."""

geometries = pytest.mark.parametrize(
    "geometry",
    [pytest.param(PLAIN, id="TLB alone"), pytest.param(WITH_STRUCTURE_CACHES, id="with structure caches")],
)


def at_every_level(*modes: PagingMode) -> pytest.MarkDecorator:
    """Every level whose entries lie in memory, of every mode or of these."""
    rows = [
        pytest.param(mode, level.name, id=f"{mode.name} {level.name}")
        for mode in modes or MODES.values()
        for level in mode.levels[mode.root_in_registers :]
    ]
    return pytest.mark.parametrize(("mode", "level"), rows)


def rights_at_every_level(names: str, rows: list[Any], *xd: Any) -> pytest.MarkDecorator:
    """`rows` at every level of every mode, and `xd` where the mode has XD."""
    rows_of = {mode: [*rows, *(xd if mode.has_xd else ())] for mode in MODES.values()}
    crossed = [
        pytest.param(mode, level.name, *row.values, id=f"{row.id}, {mode.name} {level.name}")
        for mode, its_rows in rows_of.items()
        for level in mode.levels[mode.root_in_registers :]
        for row in its_rows
    ]
    return pytest.mark.parametrize(f"mode, level, {names}", crossed)


in_every_mode = pytest.mark.parametrize("mode", MODES.values(), ids=lambda mode: mode.name)


# -- no invalidation needed -------------------------------------------------------------------------------------------


@geometries
@at_every_level()
def test_p_from_0_to_1_needs_no_flush(mode: PagingMode, level: str, geometry: Geometry):
    """Nothing is cached of an entry with P = 0, nor of what the faults on the way there looked at."""
    scene = Scene(mode, geometry)
    present = scene.get(level)
    scene.put(level, present & ~P)
    for _ in range(2):
        assert scene.answer(LINEAR) is Reason.NOT_PRESENT
    scene.put(level, present)
    assert scene.answer(LINEAR) == OLD


@geometries
@at_every_level(PAE, FOUR_LEVEL, FIVE_LEVEL)
def test_a_reserved_bit_that_is_cleared_needs_no_flush(mode: PagingMode, level: str, geometry: Geometry):
    scene = Scene(mode, geometry)
    sound = scene.get(level)
    scene.put(level, sound | 1 << 51)
    assert scene.answer(LINEAR) is Reason.RESERVED_BIT_SET
    scene.put(level, sound)
    assert scene.answer(LINEAR) == OLD


@geometries
@in_every_mode
def test_an_entry_whose_a_is_0_may_be_changed_without_a_flush(mode: PagingMode, geometry: Geometry):
    """Nothing is cached of it: a walk would have set A."""
    scene = Scene(mode, geometry)
    assert scene.answer(OTHER) == scene.memory_says(OTHER)
    leaf = mode.levels[-1].name
    assert not scene.get(leaf) & A
    scene.put(leaf, scene.elsewhere(leaf))
    assert scene.answer(LINEAR) == NEW


@geometries
@in_every_mode
def test_a_from_0_to_1_needs_no_flush(mode: PagingMode, geometry: Geometry):
    scene = Scene(mode, geometry)
    leaf = mode.levels[-1].name
    scene.put(leaf, scene.get(leaf) | A)
    assert scene.answer(LINEAR) == OLD
    assert scene.get(leaf) & A


# -- at most one spurious fault ---------------------------------------------------------------------------------------

MORE_RIGHTS = [
    pytest.param(RW, 0, WRITE, id="R/W from 0 to 1"),
    pytest.param(US, 0, READ, id="U/S from 0 to 1"),
]
LESS_XD = pytest.param(0, XD, FETCH, id="XD from 1 to 0")


@geometries
@rights_at_every_level("granted, denied, kind", MORE_RIGHTS, LESS_XD)
def test_a_right_that_is_added_costs_at_most_one_spurious_fault(
    mode: PagingMode, level: str, geometry: Geometry, granted: int, denied: int, kind: int
):
    scene = Scene(mode, geometry, PAGE | A | D)
    allowed = scene.get(level)
    scene.put(level, allowed & ~granted | denied)
    assert scene.answer(LINEAR, READ, user=False) == OLD, "a supervisor read fills the caches"
    refusal = scene.memory_says(LINEAR, kind)
    assert isinstance(refusal, Reason)
    scene.put(level, scene.get(level) | granted if granted else scene.get(level) & ~denied)
    assert scene.answer(LINEAR, kind) in {OLD, refusal}
    assert scene.answer(LINEAR, kind) == OLD


@pytest.mark.parametrize(("granted", "denied", "kind"), [*MORE_RIGHTS, LESS_XD])
def test_this_model_does_give_the_one_spurious_fault(granted: int, denied: int, kind: int):
    scene = Scene(FOUR_LEVEL, PLAIN, PAGE & ~granted | denied | A | D)
    scene.answer(LINEAR, READ, user=False)
    scene.put("PTE", scene.get("PTE") | granted if granted else scene.get("PTE") & ~denied)
    assert isinstance(scene.answer(LINEAR, kind), Reason)
    assert scene.answer(LINEAR, kind) == OLD


def test_the_handler_of_a_page_fault_need_not_invalidate_what_it_mends():
    """The fault itself drops what is cached for its address (4.10.4.1)."""
    scene = Scene(FOUR_LEVEL, WITH_STRUCTURE_CACHES, P | US | A)
    assert scene.answer(LINEAR, READ) == OLD
    assert scene.answer(LINEAR, WRITE) is Reason.WRITE_TO_READ_ONLY_PAGE
    scene.put("PTE", NEW | PAGE)
    assert scene.answer(LINEAR, WRITE) == NEW


# -- a flush is required ----------------------------------------------------------------------------------------------


def elsewhere(_old: int, other: int) -> int:
    return other


LESS = [
    pytest.param(elsewhere, READ, id="another frame"),
    pytest.param(lambda old, _: old & ~P, READ, id="P from 1 to 0"),
    pytest.param(lambda old, _: old & ~RW, WRITE, id="R/W from 1 to 0"),
    pytest.param(lambda old, _: old & ~US, READ, id="U/S from 1 to 0"),
]
MORE_XD = pytest.param(lambda old, _: old | XD, FETCH, id="XD from 0 to 1")


def changed_under(mode: PagingMode, level: str, geometry: Geometry, change: Change, kind: int) -> Scene:
    """A scene whose entry has been changed after an access of type `kind` filled the caches."""
    scene = Scene(mode, geometry, PAGE | A | D)
    assert scene.answer(LINEAR, kind) == OLD
    scene.put(level, change(scene.get(level), scene.elsewhere(level)))
    return scene


@geometries
@rights_at_every_level("change, kind", LESS, MORE_XD)
def test_without_a_flush_the_old_answer_and_the_new_one_are_legal_and_with_it_the_new_one_alone(
    mode: PagingMode, level: str, geometry: Geometry, change: Change, kind: int
):
    scene = changed_under(mode, level, geometry, change, kind)
    new = scene.memory_says(LINEAR, kind)
    assert new != OLD
    legal: set[Answer] = {OLD, new}
    for _ in range(3):
        assert scene.answer(LINEAR, kind) in legal
    scene.bench.mmu.invlpg(LINEAR)
    assert scene.answer(LINEAR, kind) == new


@rights_at_every_level("change, kind", LESS, MORE_XD)
def test_this_model_keeps_the_old_answer_and_says_that_it_is_stale(
    mode: PagingMode, level: str, change: Change, kind: int
):
    scene = changed_under(mode, level, PLAIN, change, kind)
    scene.bench.events.clear()
    assert scene.answer(LINEAR, kind) == OLD
    (event,) = [event for event in scene.bench.events if isinstance(event, Accessed)]
    assert event.stale


@geometries
@in_every_mode
@pytest.mark.parametrize(("bit", "kind"), [(A, READ), (D, WRITE)], ids=["A", "D"])
def test_a_flag_that_software_clears_can_be_trusted_only_after_a_flush(
    mode: PagingMode, geometry: Geometry, bit: int, kind: int
):
    scene = Scene(mode, geometry)
    leaf = mode.levels[-1].name
    assert scene.answer(LINEAR, kind) == OLD
    scene.put(leaf, scene.get(leaf) & ~bit)
    assert scene.answer(LINEAR, kind) == OLD
    assert scene.get(leaf) & bit in {0, bit}
    scene.put(leaf, scene.get(leaf) & ~bit)
    scene.bench.mmu.invlpg(LINEAR)
    assert scene.answer(LINEAR, kind) == OLD
    assert scene.get(leaf) & bit


def test_this_model_does_not_set_a_cleared_flag_again_before_a_flush():
    scene = Scene(FOUR_LEVEL, PLAIN)
    scene.answer(LINEAR, WRITE)
    scene.put("PTE", scene.get("PTE") & ~(A | D))
    scene.answer(LINEAR, WRITE)
    assert not scene.get("PTE") & (A | D)


LARGE = {"32-bit": "PDE", "PAE": "PDE", "4-level": "PDE", "5-level": "PDPTE"}


WHOLE = PAGE | PS | A | D
"""A page at address 0, in place of a table."""


@geometries
@in_every_mode
def test_a_page_s_size_may_change_by_way_of_not_present_and_a_flush(mode: PagingMode, geometry: Geometry):
    scene = Scene(mode, geometry)
    level = LARGE[mode.name]
    assert scene.answer(LINEAR) == OLD
    scene.put(level, 0)
    scene.bench.mmu.invlpg(LINEAR)
    scene.put(level, WHOLE)
    whole = LINEAR & mode.level(level).page_bytes - 1
    assert scene.answer(LINEAR) == whole == scene.memory_says(LINEAR)


@geometries
@in_every_mode
def test_without_that_either_size_may_answer_until_the_flush(mode: PagingMode, geometry: Geometry):
    scene = Scene(mode, geometry)
    level = LARGE[mode.name]
    assert scene.answer(LINEAR) == OLD
    scene.put(level, WHOLE)
    whole = scene.memory_says(LINEAR)
    assert scene.answer(LINEAR) in {OLD, whole}
    assert scene.answer(OTHER) in {OTHER_OLD, scene.memory_says(OTHER)}
    scene.bench.mmu.invlpg(LINEAR)
    assert scene.answer(LINEAR) == whole


# -- PCIDs and global pages -------------------------------------------------------------------------------------------


@geometries
@pytest.mark.parametrize("is_global", [False, True], ids=["a page", "a global page"])
def test_what_another_pcid_filled_is_used_for_global_pages_at_most(geometry: Geometry, is_global: bool):
    scene = Scene(FOUR_LEVEL, geometry, PAGE | (GLOBAL if is_global else 0))
    scene.bench.set(pcid=1)
    assert scene.answer(LINEAR) == OLD
    scene.put("PTE", NEW | PAGE | (GLOBAL if is_global else 0))
    scene.bench.set(pcid=2)
    assert scene.answer(LINEAR) in ({OLD, NEW} if is_global else {NEW})
    scene.bench.set(pcid=1)
    assert scene.answer(LINEAR) in {OLD, NEW}


def test_this_model_uses_a_global_page_under_every_pcid():
    scene = Scene(FOUR_LEVEL, PLAIN, PAGE | GLOBAL)
    scene.bench.set(pcid=1)
    scene.answer(LINEAR)
    scene.put("PTE", NEW | PAGE | GLOBAL)
    scene.bench.set(pcid=2)
    assert scene.answer(LINEAR) == OLD


def test_g_is_of_no_effect_without_cr4_pge():
    scene = Scene(FOUR_LEVEL, PLAIN, PAGE | GLOBAL)
    scene.bench.set(pcid=1, PGE=False)
    scene.answer(LINEAR)
    scene.put("PTE", NEW | PAGE | GLOBAL)
    scene.bench.set(pcid=2, PGE=False)
    assert scene.answer(LINEAR) == NEW


# -- what a CPU is free to do -----------------------------------------------------------------------------------------


@in_every_mode
def test_an_entry_that_is_dropped_at_any_time_changes_no_answer_of_tables_that_stay(mode: PagingMode):
    scene = Scene(mode, WITH_STRUCTURE_CACHES)
    for count in range(40):
        assert scene.answer(LINEAR) == OLD
        assert scene.answer(OTHER) == scene.memory_says(OTHER)
        if count % 3 == 0:
            scene.bench.mmu.invlpg(OTHER if count % 2 else LINEAR)
        if count % 5 == 0:
            scene.bench.mmu.flush("INVPCID")


@geometries
def test_a_tlb_that_has_no_room_forgets_by_itself_which_is_as_legal(geometry: Geometry):
    scene = changed_under(FOUR_LEVEL, "PTE", geometry, elsewhere, READ)
    for n in range(70):
        scene.bench.map(0x100_0000 + n * 0x1000, 0x30_0000)
        scene.answer(0x100_0000 + n * 0x1000)
    assert scene.answer(LINEAR) == NEW


def test_a_pdpte_of_pae_paging_that_changes_in_memory_changes_nothing_before_mov_to_cr3():
    """It is not stale either: no walk reads it (4.4.1)."""
    scene = Scene(PAE, WITH_STRUCTURE_CACHES)
    address = scene.bench.tables.entry_address(LINEAR, "PDPTE")
    scene.bench.set_entry(address, scene.elsewhere("PDPTE"))
    scene.bench.mmu.invlpg(LINEAR)
    assert scene.answer(LINEAR) == OLD
    scene.bench.set()
    scene.bench.mmu.flush("MOV_CR3", keep_global=True)
    assert scene.answer(LINEAR) == NEW
    assert scene.answer(OTHER) == OTHER_NEW
