# SPDX-License-Identifier: GPL-2.0-or-later
"""The named cores have the arrays that are published of them."""

import pytest

from emu.tlb.cache import TlbArray
from emu.tlb.geometry import CONFIDENCES, CostModel, StructureCaches
from emu.tlb.presets import DEFAULT, PRESETS

PUBLISHED = {
    "pentium3": [
        "L1I 4K: 32 entries, 8 sets x 4 ways, lru",
        "L1I 2M/4M: 2 entries, fully associative, lru",
        "L1D 4K: 64 entries, 16 sets x 4 ways, lru",
        "L1D 2M/4M: 8 entries, 2 sets x 4 ways, lru",
    ],
    "pentium4": [
        "L1I 4K/2M/4M: 64 entries, fully associative, lru",
        "L1D 4K/2M/4M: 64 entries, fully associative, lru",
    ],
    "core2": [
        "L1I 4K: 128 entries, 32 sets x 4 ways, lru",
        "L1I 2M: 8 entries, 2 sets x 4 ways, lru, 4M in pieces of 2M",
        "L1L 4K: 16 entries, 4 sets x 4 ways, lru",
        "L1L 2M/4M: 16 entries, 4 sets x 4 ways, lru",
        "L2D 4K: 256 entries, 64 sets x 4 ways, lru",
        "L2D 2M/4M: 32 entries, 8 sets x 4 ways, lru",
    ],
    "nehalem": [
        "L1I 4K: 128 entries, 32 sets x 4 ways, lru",
        "L1I 2M/4M: 7 entries, fully associative, lru",
        "L1D 4K: 64 entries, 16 sets x 4 ways, lru",
        "L1D 2M/4M: 32 entries, 8 sets x 4 ways, lru",
        "L2 4K: 512 entries, 128 sets x 4 ways, lru",
    ],
    "haswell": [
        "L1I 4K: 128 entries, 32 sets x 4 ways, lru",
        "L1I 2M/4M: 8 entries, fully associative, lru",
        "L1D 4K: 64 entries, 16 sets x 4 ways, lru",
        "L1D 2M/4M: 32 entries, 8 sets x 4 ways, lru",
        "L1D 1G: 4 entries, fully associative, lru",
        "L2 4K/2M: 1024 entries, 128 sets x 8 ways, lru",
    ],
    "skylake": [
        "L1I 4K: 128 entries, 16 sets x 8 ways, lru",
        "L1I 2M/4M: 8 entries, fully associative, lru",
        "L1D 4K: 64 entries, 16 sets x 4 ways, lru",
        "L1D 2M/4M: 32 entries, 8 sets x 4 ways, lru",
        "L1D 1G: 4 entries, fully associative, lru",
        "L2 4K/2M: 1536 entries, 128 sets x 12 ways, lru",
        "L2 1G: 16 entries, 4 sets x 4 ways, lru",
    ],
    "golden-cove": [
        "L1I 4K: 256 entries, 32 sets x 8 ways, lru",
        "L1I 2M/4M: 32 entries, 4 sets x 8 ways, lru",
        "L1L 4K: 96 entries, 16 sets x 6 ways, lru",
        "L1L 2M/4M: 32 entries, 8 sets x 4 ways, lru",
        "L1L 1G: 8 entries, fully associative, lru",
        "L1S 4K/2M/4M/1G: 16 entries, fully associative, lru",
        "L2 4K/2M/4M: 2048 entries, 128 sets x 16 ways, lru",
    ],
    "zen2": [
        "L1I 4K/2M/1G: 64 entries, fully associative, lru, 4M in pieces of 2M",
        "L1D 4K/2M/1G: 64 entries, fully associative, lru, 4M in pieces of 2M",
        "L2I 4K/2M: 512 entries, 64 sets x 8 ways, lru, 1G in pieces of 2M, 4M in pieces of 2M",
        "L2D 4K/2M: 2048 entries, 256 sets x 8 ways, lru, 1G in pieces of 2M, 4M in pieces of 2M",
    ],
}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_the_published_arrays(name: str) -> None:
    assert [str(row) for row in PRESETS[name].arrays] == PUBLISHED[name]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_says_where_it_is_from_and_how_sure_that_is(name: str) -> None:
    preset = PRESETS[name]
    assert preset.name == name
    assert preset.source
    assert preset.note, "no source settles everything"
    assert preset.confidence in CONFIDENCES


@pytest.mark.parametrize("name", PRESETS)
def test_what_serves_4m_pages_serves_2m_pages_too(name: str) -> None:
    for shape in PRESETS[name].arrays:
        if shape.piece_bytes(4 << 20):
            assert shape.piece_bytes(2 << 20) == 2 << 20


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_keeps_4k_2m_and_4m_pages_for_every_access(name: str) -> None:
    assert set(PRESETS[name].uncached()) <= {"1G"}


@pytest.mark.parametrize("name", PRESETS)
def test_an_array_s_name_is_its_own(name: str) -> None:
    names = [TlbArray(shape).name for shape in PRESETS[name].arrays]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", PRESETS)
def test_structure_caches_are_off_because_no_maker_states_their_sizes(name: str) -> None:
    assert PRESETS[name].structure_caches == StructureCaches()


def test_the_default_is_haswell_with_the_cost_model_s_own_figures() -> None:
    assert DEFAULT == "haswell"
    assert PRESETS[DEFAULT].cost == CostModel()


def test_stores_of_a_core_2_have_no_level_1() -> None:
    levels = {shape.level for shape in PRESETS["core2"].arrays if "write" in shape.types}
    assert levels == {2}
    assert PRESETS["core2"].cost.l2_hit == 2
