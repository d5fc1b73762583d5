# SPDX-License-Identifier: GPL-2.0-or-later
"""What shapes there are, and what no TLB could be."""

from typing import Any

import pytest

from emu.bits import PAGE_SIZES
from emu.tlb.geometry import ArrayGeometry, CostModel, Geometry, GeometryError, StructureCaches
from tests.helpers.bench import array, tlbs


def made(**changes: Any) -> ArrayGeometry:
    fields: dict[str, Any] = {"level": 1, "serves": "data", "page_sizes": ("4K",), "entries": 8, "ways": 4}
    return ArrayGeometry(**{**fields, **changes})


@pytest.mark.parametrize(
    ("serves", "types", "letter"),
    [
        ("instruction", ("fetch",), "L1I"),
        ("load", ("read",), "L1L"),
        ("store", ("write",), "L1S"),
        ("data", ("read", "write"), "L1D"),
        ("both", ("fetch", "read", "write"), "L1"),
    ],
)
def test_an_array_answers_the_types_it_serves(serves: str, types: tuple[str, ...], letter: str) -> None:
    shape = array(serves=serves)
    assert shape.types == types
    assert shape.name == f"{letter} 4K"


def test_ways_are_a_number_and_sets_need_be_no_power_of_two() -> None:
    assert (made(entries=6, ways=2).sets, made(entries=6, ways=2).way_count) == (3, 2)
    assert (made(entries=6, ways="full").sets, made(entries=6, ways="full").way_count) == (1, 6)


def test_page_sizes_are_told_small_first() -> None:
    assert made(page_sizes=("1G", "4K", "2M")).page_bytes == (1 << 12, 1 << 21, 1 << 30)


def test_an_array_keeps_a_page_whole_in_pieces_or_not_at_all() -> None:
    shape = made(page_sizes=("4K", "2M"), splits=(("1G", "2M"),))
    kept = {name: shape.piece_bytes(page_bytes) for name, page_bytes in PAGE_SIZES.items()}
    assert kept == {"4K": 1 << 12, "2M": 1 << 21, "4M": None, "1G": 1 << 21}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "L1D 4K: 8 entries, 2 sets x 4 ways, lru"),
        ({"ways": "full", "policy": "random"}, "L1D 4K: 8 entries, fully associative, random"),
        (
            {"ways": 8, "splits": (("2M", "4K"),)},
            "L1D 4K: 8 entries, fully associative, lru, 2M in pieces of 4K",
        ),
    ],
)
def test_an_array_is_a_line_of_text(changes: dict[str, Any], text: str) -> None:
    assert str(made(**changes)) == text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"level": 0}, "level 0; use 1 or 2"),
        ({"level": 3}, "level 3; use 1 or 2"),
        ({"serves": "all"}, "serves 'all'; use instruction, load, store, data or both"),
        ({"entries": 0}, "entries 0; give a number from 1 to 65536"),
        ({"entries": -4}, "entries -4; give a number from 1 to 65536"),
        ({"entries": 65537, "ways": "full"}, "entries 65537; give a number from 1 to 65536"),
        ({"ways": 0}, 'ways 0; give a number that divides 8, or "full"'),
        ({"ways": -4}, 'ways -4; give a number that divides 8, or "full"'),
        ({"ways": 3}, 'ways 3; give a number that divides 8, or "full"'),
        ({"ways": 16}, 'ways 16; give a number that divides 8, or "full"'),
        ({"ways": "half"}, "ways 'half'; give a number that divides 8, or \"full\""),
        ({"policy": "mru"}, "policy 'mru'; use lru, tree-plru, fifo or random"),
        (
            {"entries": 6, "ways": 3, "policy": "tree-plru"},
            "tree-plru with 3 ways; give it 1, 2, 4, 8, 16 ... or use lru",
        ),
        (
            {"entries": 12, "ways": "full", "policy": "tree-plru"},
            "tree-plru with 12 ways; give it 1, 2, 4, 8, 16 ... or use lru",
        ),
        ({"page_sizes": ()}, "page_sizes []; give a list of 4K, 2M, 4M, 1G"),
        ({"page_sizes": ("4K", "8K")}, "page size '8K'; use 4K, 2M, 4M or 1G"),
        ({"page_sizes": ("4K", "2M", "4K")}, "page_sizes 4K 2M 4K names a size twice; name it once"),
        (
            {"splits": (("4K", "4K"),)},
            "splits 4K in pieces of 4K; only a page size that is not in page_sizes can be split",
        ),
        (
            {"splits": (("8K", "4K"),)},
            "splits 8K in pieces of 4K; only a page size that is not in page_sizes can be split",
        ),
        (
            {"splits": (("1G", "2M"),)},
            "splits 1G in pieces of 2M; a piece is one of page_sizes and smaller than 1G",
        ),
        (
            {"page_sizes": ("2M",), "splits": (("4K", "2M"),)},
            "splits 4K in pieces of 2M; a piece is one of page_sizes and smaller than 4K",
        ),
        (
            {"page_sizes": ("4M",), "splits": (("2M", "4M"),)},
            "splits 2M in pieces of 4M; a piece is one of page_sizes and smaller than 2M",
        ),
        (
            {"splits": (("2M", "4K"), ("2M", "4K"))},
            "splits 2M twice; name it once",
        ),
    ],
)
def test_what_no_array_could_be_is_refused_with_the_mend(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(GeometryError) as refused:
        made(**changes)
    assert str(refused.value) == message


@pytest.mark.parametrize("ways", [1, 2, 4, 8, "full"])
def test_tree_plru_takes_any_power_of_two(ways: int | str) -> None:
    assert made(ways=ways, policy="tree-plru").policy == "tree-plru"


@pytest.mark.parametrize("name", ["pml5e", "pml4e", "pdpte", "pde"])
def test_a_structure_cache_has_from_no_entries_to_many(name: str) -> None:
    assert getattr(StructureCaches(), name) == 0
    assert getattr(StructureCaches(**{name: 65536}), name) == 65536
    for impossible in (-1, 65537):
        with pytest.raises(GeometryError) as refused:
            StructureCaches(**{name: impossible})
        mend = "give a number from 0 (off) to 65536"
        assert str(refused.value) == f"structure_caches {name} = {impossible}; {mend}"


def test_nothing_costs_less_than_nothing() -> None:
    with pytest.raises(GeometryError, match=r"^cost fault = -1; give whole cycles, 0 or more$"):
        CostModel(fault=-1)


def test_a_geometry_is_a_value() -> None:
    one, other = (tlbs(made(splits=(("1G", "4K"),))) for _ in range(2))
    assert one == other
    assert len({one, other}) == 1
    assert one != tlbs(made())


def test_a_geometry_knows_what_no_array_keeps() -> None:
    everything = ("fetch", "read", "write")
    shape = tlbs(
        made(serves="load"),
        made(serves="both", level=2, page_sizes=("2M",), splits=(("4M", "2M"),)),
    )
    assert shape.uncached() == {"4K": ("fetch", "write"), "1G": everything}
    assert (
        tlbs(made(serves="both", splits=tuple((size, "4K") for size in ("2M", "4M", "1G")))).uncached() == {}
    )


def test_a_geometry_has_no_structure_caches_unless_it_says_so() -> None:
    assert Geometry("bench", "", "assumed", ()).structure_caches == StructureCaches(0, 0, 0, 0)
