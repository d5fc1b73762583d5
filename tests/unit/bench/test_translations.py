# SPDX-License-Identifier: GPL-2.0-or-later
"""What is timed is what it is called. No test here looks at how fast anything is."""

import io

import pytest

from emu.bench.translations import (
    HELD_PAGES,
    MANY_PAGES,
    MmuBench,
    held_often,
    loop_lines,
    measure_translations,
    scattered_lines,
)
from emu.bits import PAGE_SHIFT, LinearAddress
from emu.paging.modes import MODES, PAE, PagingMode
from emu.paging.walk import Source
from emu.tlb.counters import READ
from emu.tlb.geometry_file import geometry
from emu.trace.demand import DemandPaged
from emu.trace.lackey import LackeyTrace

each_mode = pytest.mark.parametrize("mode", MODES.values(), ids=MODES)


@each_mode
def test_the_misses_all_miss_and_the_hits_all_hit(mode: PagingMode) -> None:
    bench = MmuBench(mode)
    counters = bench.mmu.counters
    for _ in range(2):
        bench.read(bench.pages)
    assert counters.walks[READ] == counters.accesses[READ] == 2 * MANY_PAGES
    held = bench.pages[:HELD_PAGES]
    bench.read(held)
    before = counters.walks[READ], counters.stlb_hits[READ]
    bench.read(held_often(held))
    assert (counters.walks[READ], counters.stlb_hits[READ]) == before
    assert counters.accesses[READ] == 3 * MANY_PAGES + HELD_PAGES
    assert counters.faults == 0


@each_mode
def test_a_walk_alone_is_one_that_completes_and_counts_nothing(mode: PagingMode) -> None:
    bench = MmuBench(mode)
    bench.walk()
    assert sum(bench.mmu.counters.accesses) == sum(bench.mmu.counters.steps) == 0
    rate = measure_translations(mode, rounds=1)
    assert rate.mode == mode.name and min(rate.hits, rate.misses, rate.walks) > 0


def test_pae_takes_its_first_entry_from_a_register() -> None:
    bench = MmuBench(PAE)
    found = bench.mmu.walk(LinearAddress(bench.pages[0] << PAGE_SHIFT))
    assert found is not None and found.steps[0].source is Source.REGISTER


def through(data: bytes) -> DemandPaged:
    space = DemandPaged(geometry("haswell"))
    for touches in LackeyTrace(io.BufferedReader(io.BytesIO(data)), "t"):
        space.run(touches)
    return space


def test_the_loop_is_all_hits_but_for_its_first_turn() -> None:
    first, tenth = through(loop_lines(640)), through(loop_lines(6400))
    assert loop_lines(6400).count(b"\n") == 6400
    assert tenth.mmu.counters.accesses == [10 * count for count in first.mmu.counters.accesses]
    assert tenth.mmu.counters.walks == first.mmu.counters.walks
    assert sum(tenth.mmu.counters.stlb_hits) == 0
    assert tenth.pages == first.pages


def test_the_scattered_trace_never_comes_back_to_a_page() -> None:
    space = through(scattered_lines(3000))
    assert space.pages == space.mmu.counters.walks[READ] == 3000
