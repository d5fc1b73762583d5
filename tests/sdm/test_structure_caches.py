# SPDX-License-Identifier: GPL-2.0-or-later
"""SDM vol. 3A, "Paging-Structure Caches" (4.10.3): what they hold, how walks use them, what must drop them.

As for the TLBs: where a CPU is free, a row names the legal answers and asks whether ours is among them.
"""

from dataclasses import replace

import pytest

from emu.events import EntryRead
from emu.paging.fault import Reason
from emu.paging.formats import PS, RW, US, XD, A, D, P
from emu.paging.modes import FIVE_LEVEL, FOUR_LEVEL, MODES, PAE, PagingMode
from emu.tlb.geometry import Geometry, StructureCaches
from tests.helpers.bench import FETCH, PAGE, READ, WRITE
from tests.sdm.stale import LINEAR, OLD, OTHER, OTHER_NEW, OTHER_OLD, PLAIN, WITH_STRUCTURE_CACHES, Scene

in_every_mode = pytest.mark.parametrize("mode", MODES.values(), ids=lambda mode: mode.name)

CACHED_LEVELS = [
    pytest.param(mode, level.name, id=f"{mode.name} {level.name}")
    for mode in MODES.values()
    for level in mode.levels[mode.root_in_registers : -1]
]
"""Every level that has a paging-structure cache."""

at_every_cached_level = pytest.mark.parametrize(("mode", "level"), CACHED_LEVELS)


def only(level: str) -> Geometry:
    """The cache of one level, and no other."""
    return replace(PLAIN, structure_caches=StructureCaches(**{level.lower(): 4}))


def contents(scene: Scene) -> set[tuple[str, int, int]]:
    """(level, first linear address, PCID) of every entry."""
    places = [place for place in scene.bench.mmu.tlb.structures if place.entry is not None]
    return {
        (place.cache.level, place.entry.page * place.entry.page_bytes, place.entry.pcid)
        for place in places
        if place.entry is not None
    }


def reads(scene: Scene, linear: int) -> list[str]:
    """The levels whose entries an access read from memory."""
    scene.bench.events.clear()
    scene.answer(linear)
    return [event.level for event in scene.bench.events if isinstance(event, EntryRead)]


# -- what they hold ---------------------------------------------------------------------------------------------------


@in_every_mode
def test_an_entry_is_held_by_the_address_bits_that_led_to_it_and_by_its_pcid(mode: PagingMode):
    scene = Scene(mode, WITH_STRUCTURE_CACHES)
    pcid = 7 if mode.sign_extended else 0
    scene.bench.set(pcid)
    scene.answer(LINEAR)
    upper = mode.levels[mode.root_in_registers : -1]
    assert contents(scene) == {(level.name, LINEAR & -level.page_bytes, pcid) for level in upper}


@at_every_cached_level
def test_an_entry_that_is_not_present_is_never_held(mode: PagingMode, level: str):
    scene = Scene(mode, WITH_STRUCTURE_CACHES)
    scene.put(level, scene.get(level) & ~P)
    assert scene.answer(LINEAR) is Reason.NOT_PRESENT
    assert level not in {held for held, _, _ in contents(scene)}


@pytest.mark.parametrize(
    ("mode", "level"),
    [
        pytest.param(mode, level.name, id=f"{mode.name} {level.name}")
        for mode in MODES.values()
        for level in mode.levels
        if level.page not in (None, level.table)
    ],
)
def test_an_entry_that_maps_a_page_is_never_held(mode: PagingMode, level: str):
    scene = Scene(mode, WITH_STRUCTURE_CACHES)
    scene.put(level, PAGE | PS)
    assert scene.answer(LINEAR) == LINEAR & mode.level(level).page_bytes - 1
    assert level not in {held for held, _, _ in contents(scene)}


def test_a_pdpte_register_of_pae_paging_is_not_held():
    scene = Scene(PAE, WITH_STRUCTURE_CACHES)
    scene.answer(LINEAR)
    assert {level for level, _, _ in contents(scene)} == {"PDE"}


@in_every_mode
def test_the_caches_can_be_switched_off(mode: PagingMode):
    scene = Scene(mode, PLAIN)
    names = [level.name for level in mode.levels[mode.root_in_registers :]]
    assert reads(scene, LINEAR) == names
    assert reads(scene, OTHER) == names


# -- how walks use them -----------------------------------------------------------------------------------------------


@at_every_cached_level
def test_a_walk_begins_below_the_deepest_entry_that_is_held(mode: PagingMode, level: str):
    scene = Scene(mode, only(level))
    scene.answer(LINEAR)
    names = [each.name for each in mode.levels]
    assert reads(scene, OTHER) == names[names.index(level) + 1 :]


@at_every_cached_level
def test_an_upper_entry_that_changes_needs_invalidation_even_if_no_leaf_was_cached(
    mode: PagingMode, level: str
):
    scene = Scene(mode, only(level))
    assert scene.answer(LINEAR) == OLD
    scene.put(level, scene.elsewhere(level))
    assert scene.answer(OTHER) in {OTHER_OLD, OTHER_NEW}
    scene.bench.mmu.invlpg(OTHER)
    assert scene.answer(OTHER) == OTHER_NEW


@at_every_cached_level
def test_this_model_does_go_on_by_the_old_entry(mode: PagingMode, level: str):
    scene = Scene(mode, only(level))
    scene.answer(LINEAR)
    scene.put(level, scene.elsewhere(level))
    assert scene.answer(OTHER) == OTHER_OLD


@at_every_cached_level
def test_invlpg_of_any_address_drops_all_of_the_current_pcid(mode: PagingMode, level: str):
    scene = Scene(mode, WITH_STRUCTURE_CACHES)
    scene.answer(LINEAR)
    scene.put(level, scene.elsewhere(level))
    scene.bench.mmu.invlpg(0)
    assert not contents(scene)
    assert scene.answer(OTHER) == OTHER_NEW


RIGHTS = [
    pytest.param(RW, 0, WRITE, id="R/W"),
    pytest.param(US, 0, READ, id="U/S"),
    pytest.param(0, XD, FETCH, id="XD"),
]


@pytest.mark.parametrize(("granted", "denied", "kind"), RIGHTS)
@at_every_cached_level
def test_what_a_held_entry_refuses_is_refused_to_every_page_below_it(
    mode: PagingMode, level: str, granted: int, denied: int, kind: int
):
    scene = Scene(mode, only(level))
    if denied and not mode.has_xd:
        denied, granted, kind = 0, RW, WRITE
    scene.put(level, scene.get(level) & ~granted | denied)
    assert scene.answer(LINEAR, READ, user=False) == OLD
    assert isinstance(scene.memory_says(OTHER, kind), Reason)
    assert scene.answer(OTHER, kind) == scene.memory_says(OTHER, kind)


@pytest.mark.parametrize(("granted", "denied", "kind"), RIGHTS)
@at_every_cached_level
def test_the_rights_of_a_held_entry_bind_the_pages_below_it(
    mode: PagingMode, level: str, granted: int, denied: int, kind: int
):
    """Taken away without a flush they may still be granted; added without one they may cost one fault."""
    scene = Scene(mode, only(level))
    if denied and not mode.has_xd:
        denied, granted, kind = 0, RW, WRITE
    whole = scene.get(level)
    less = whole & ~granted | denied
    assert scene.answer(LINEAR, READ, user=False) == OLD
    scene.put(level, less)
    refused = scene.memory_says(OTHER, kind)
    assert isinstance(refused, Reason)
    assert scene.answer(OTHER, kind) in {OTHER_OLD, refused}
    scene.bench.mmu.invlpg(OTHER)
    assert scene.answer(OTHER, kind) == refused

    assert scene.answer(LINEAR, READ, user=False) == OLD
    scene.put(level, whole)
    assert scene.answer(OTHER, kind) in {OTHER_OLD, refused}
    assert scene.answer(OTHER, kind) == OTHER_OLD


@at_every_cached_level
def test_a_page_fault_drops_what_would_lead_to_its_address(mode: PagingMode, level: str):
    scene = Scene(mode, only(level))
    scene.put("PTE", 0)
    assert scene.answer(OTHER) == OTHER_OLD
    scene.put(level, scene.elsewhere(level))
    assert scene.answer(LINEAR) in {Reason.NOT_PRESENT, scene.memory_says(LINEAR)}
    assert scene.answer(LINEAR) == scene.memory_says(LINEAR)
    assert scene.answer(OTHER) in {OTHER_OLD, OTHER_NEW}


@pytest.mark.parametrize("mode", [FOUR_LEVEL, FIVE_LEVEL], ids=lambda mode: mode.name)
@pytest.mark.parametrize("level", ["PML4E", "PDPTE", "PDE"])
def test_an_entry_of_another_pcid_is_not_used(mode: PagingMode, level: str):
    scene = Scene(mode, only(level))
    scene.bench.set(pcid=1)
    scene.answer(LINEAR)
    scene.put(level, scene.elsewhere(level))
    scene.bench.set(pcid=2)
    assert scene.answer(OTHER) == OTHER_NEW
    scene.bench.set(pcid=1)
    assert scene.answer(OTHER) in {OTHER_OLD, OTHER_NEW}


@at_every_cached_level
def test_p_from_0_to_1_in_an_upper_entry_needs_no_flush(mode: PagingMode, level: str):
    scene = Scene(mode, WITH_STRUCTURE_CACHES)
    present = scene.get(level)
    scene.put(level, 0)
    assert scene.answer(LINEAR) is Reason.NOT_PRESENT
    scene.put(level, present)
    assert scene.answer(LINEAR) == OLD


@at_every_cached_level
def test_a_walk_that_begins_below_an_entry_need_not_set_its_a_again(mode: PagingMode, level: str):
    scene = Scene(mode, only(level))
    scene.answer(LINEAR)
    scene.put(level, scene.get(level) & ~A)
    assert scene.answer(OTHER) == OTHER_OLD
    assert scene.get(level) & A in {0, A}
    scene.bench.mmu.invlpg(OTHER)
    scene.answer(OTHER)
    assert scene.get(level) & A


def test_d_is_no_flag_of_an_upper_entry():
    scene = Scene(FOUR_LEVEL, WITH_STRUCTURE_CACHES)
    scene.answer(LINEAR, WRITE)
    assert [scene.get(level) & D for level in ("PML4E", "PDPTE", "PDE", "PTE")] == [0, 0, 0, D]
