# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses alone through the MMU: pages appear at first use, counts are those of the long way."""

from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emu.bits import LinearAddress
from emu.tlb.counters import FETCH, READ, WRITE
from emu.tlb.geometry import ArrayGeometry, Geometry
from emu.tlb.geometry_file import geometry
from emu.trace.demand import DemandPaged, TablesFull, Touch
from emu.trace.lackey import touches_of

HASWELL = geometry("haswell")
PAGES = 24
TABLE_BYTES = 2 << 20


def small(policy: str = "lru", serves: tuple[str, ...] = ("both",), second: bool = True) -> Geometry:
    first = tuple(ArrayGeometry(1, served, ("4K",), 4, 2, policy) for served in serves)
    behind = (ArrayGeometry(2, "both", ("4K", "2M"), 8, 4, policy),) if second else ()
    return Geometry("small", "made up for a test", "assumed", (*first, *behind))


GEOMETRIES = {
    "one level": small(second=False),
    "two levels": small(),
    "code and data apart": small("fifo", ("instruction", "data")),
    "loads and stores apart": small("lru", ("instruction", "load", "store")),
    "tree-plru": small("tree-plru"),
    "random": small("random"),
    "nothing for 4K": Geometry("none", "", "assumed", (ArrayGeometry(1, "both", ("2M",), 4, 4),)),
    "haswell": HASWELL,
    "pentium3": geometry("pentium3"),
}

a_touch = st.tuples(
    st.sampled_from([FETCH, READ, WRITE]), st.integers(0, PAGES), st.integers(0, 4088), st.just(8), st.just(0)
).map(lambda touch: (*touch[:4], int(touch[0] == FETCH)))


def run(of: Geometry, touches: list[Touch], page_size: str = "4K", fast: bool = True) -> DemandPaged:
    space = DemandPaged(of, page_size, table_bytes=TABLE_BYTES, fast=fast)
    space.run(touches)
    return space


def held(space: DemandPaged) -> list[tuple[str, int, str]]:
    """Every slot, the age of its last use, and what it holds."""
    return [(slot.name, slot.stamp, str(slot.entry)) for array in space.mmu.tlb.arrays for slot in array]


@pytest.mark.parametrize("of", GEOMETRIES.values(), ids=GEOMETRIES)
@given(touches=st.lists(a_touch, max_size=120))
@settings(max_examples=40)
def test_with_and_without_the_fast_path_all_counts_are_equal(of: Geometry, touches: list[Touch]) -> None:
    for page_size in ("4K", "2M"):
        fast, slow = run(of, touches, page_size), run(of, touches, page_size, fast=False)
        assert fast.counters() == slow.counters()
        assert (fast.pages, fast.instructions) == (slow.pages, slow.instructions)
        assert held(fast) == held(slow)


def test_the_fast_path_is_taken() -> None:
    space = DemandPaged(HASWELL, table_bytes=TABLE_BYTES)
    space.run([(READ, 5, 0, 8, 0)])
    space.mmu.touch = None  # pyright: ignore[reportAttributeAccessIssue]  # nobody may ask
    space.run([(READ, 5, 0, 8, 0)] * 3)
    assert space.counters()["accesses.read"] == 4


@given(touches=st.lists(a_touch, max_size=60), cut=st.integers(0, 60))
def test_blocks_make_no_difference(touches: list[Touch], cut: int) -> None:
    pieces = DemandPaged(GEOMETRIES["two levels"], table_bytes=TABLE_BYTES)
    pieces.run(touches[:cut])
    pieces.run(touches[cut:])
    assert pieces.counters() == run(GEOMETRIES["two levels"], touches).counters()


def test_a_page_is_mapped_at_its_first_use_and_nothing_faults() -> None:
    space = run(HASWELL, [(READ, 7, 0, 8, 0), (WRITE, 7, 8, 8, 0), (FETCH, 9, 0, 3, 1), (READ, 9, 0, 8, 0)])
    assert space.pages == 2
    assert space.counters()["page_faults"] == 0
    walk = space.mmu.walk(LinearAddress(7 << 12))
    assert walk is not None and walk.complete
    assert walk.rights.US and walk.rights.RW and not walk.rights.XD
    assert space.mmu.walk(LinearAddress(8 << 12)).refusal is not None  # pyright: ignore[reportOptionalMemberAccess]


def test_no_two_pages_share_a_frame_and_none_lies_among_the_tables() -> None:
    pages = [0, 1, 511, 512, 1 << 18, (1 << 35) - 2]
    space = run(HASWELL, [(READ, page, 0, 1, 0) for page in pages])
    walks = [space.mmu.walk(LinearAddress(page << 12)) for page in pages]
    frames = [walk.physical for walk in walks if walk is not None]
    assert len(set(frames)) == len(pages)
    assert min(frames) >= space.mmu.memory.size_bytes


def test_large_pages_are_mapped_once_for_all_their_parts() -> None:
    touches = [(READ, page, 0, 8, 0) for page in (*range(512), 512, 511)]
    space = run(HASWELL, touches, "2M")
    assert space.pages == 2
    counters = space.counters()
    assert counters["DTLB_LOAD_MISSES.WALK_COMPLETED_2M_4M"] == 2
    assert counters["DTLB_LOAD_MISSES.MISS_CAUSES_A_WALK"] == 2


def test_each_access_is_counted_by_its_type() -> None:
    lines = ["I  00400ffe,3", "I  00401001,2", " M 00500ff8,16", " L 00600000,4", " S 00600000,4"]
    space = run(HASWELL, list(chain.from_iterable(map(touches_of, lines))))
    counters = space.counters()
    assert counters["instructions"] == 2
    assert [counters[f"accesses.{kind}"] for kind in ("fetch", "read", "write")] == [3, 3, 3]
    assert space.pages == 5


def test_the_policy_random_draws_from_the_seed() -> None:
    touches = [(READ, n * n % 37, 0, 8, 0) for n in range(500)]
    counts = set[int]()
    for seed in (1, 2, 3, 1):
        space = DemandPaged(GEOMETRIES["random"], table_bytes=TABLE_BYTES, seed=seed)
        space.run(touches)
        counts.add(space.mmu.counters.walks[READ])
    assert len(counts) in (2, 3)
    assert run(GEOMETRIES["random"], touches).counters() == run(GEOMETRIES["random"], touches).counters()


def test_tables_that_have_no_room_are_said_with_the_mend() -> None:
    space = DemandPaged(HASWELL, table_bytes=TABLE_BYTES)
    with pytest.raises(
        TablesFull, match=r"page tables of 255 pages fill 2 MiB; --page-size 2M .* cut the trace"
    ):
        space.run((READ, n << 18, 0, 8, 0) for n in range(300))
    assert space.pages == 255
