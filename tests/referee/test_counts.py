# SPDX-License-Identifier: GPL-2.0-or-later
"""Referee 3: the cache simulators of others, set up as a TLB (line = page), count the same misses, exactly.

cachetools (a library of caches, one a set) is part of the extra `test`. pycachesim (a simulator of whole hierarchies)
knows sets and levels by itself, but comes as C source, so it is asked where somebody installed it.
"""

from functools import cache
from types import ModuleType

import pytest

from emu.tlb.counters import READ
from emu.tlb.geometry import Geometry
from emu.trace.demand import Touch
from tests.helpers.counting import (
    Misses,
    Shape,
    ours,
    recorded,
    skewed,
    strides,
    tlb,
    uniform,
    with_cachetools,
    with_pycachesim,
)

TRACES = {
    "a program under valgrind": recorded,
    "a stride of one page through 100": lambda: strides(1, 100),
    "a stride of 16 pages through 20": lambda: strides(16, 20),
    "a stride of 7 pages through 65": lambda: strides(7, 65),
    "any of 150 pages": lambda: uniform(150),
    "few of 5000 pages often": lambda: skewed(5000),
}
SHAPES = {
    "full, 64 entries": Shape(1, 64),
    "full, 7 entries": Shape(1, 7),
    "16 sets of 4 ways": Shape(16, 4),
    "direct-mapped, 32 sets": Shape(32, 1),
    "3 sets of 5 ways": Shape(3, 5),
}
HIERARCHIES = {
    "16 sets of 4 before 128 of 8": (Shape(16, 4), Shape(128, 8)),
    "full before full, smaller": (Shape(1, 16), Shape(1, 8)),
    "full before 12 sets of 6": (Shape(1, 4), Shape(12, 6)),
    "direct-mapped before full": (Shape(8, 1), Shape(1, 40)),
}
COMPULSORY = 140
"""Pages that the recorded program uses."""


@cache
def trace(name: str) -> list[Touch]:
    return TRACES[name]()


@cache
def counted(name: str, geometry: Geometry) -> Misses:
    return ours(trace(name), geometry)


@pytest.fixture(scope="session")
def pycachesim() -> ModuleType:
    reason = "pycachesim is not installed: `pip install pycachesim==0.3.1` (it needs a C compiler)"
    return pytest.importorskip("cachesim", reason=reason)


@pytest.mark.parametrize("name", TRACES)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("policy", ["lru", "fifo"])
def test_one_array_misses_as_often_as_cachetools_says(policy: str, shape: Shape, name: str) -> None:
    misses = counted(name, tlb(shape.array(policy)))
    assert misses == with_cachetools(trace(name), policy, shape)


@pytest.mark.parametrize("name", TRACES)
@pytest.mark.parametrize(("first", "second"), HIERARCHIES.values(), ids=HIERARCHIES)
@pytest.mark.parametrize("policy", ["lru", "fifo"])
def test_level_2_sees_what_level_1_misses(policy: str, first: Shape, second: Shape, name: str) -> None:
    misses = counted(name, tlb(first.array(policy), second.array(policy, level=2)))
    assert misses == with_cachetools(trace(name), policy, first, None, second)


@pytest.mark.parametrize("name", TRACES)
@pytest.mark.parametrize("policy", ["lru", "fifo"])
def test_code_and_data_apart_before_one_level_2(policy: str, name: str) -> None:
    touches, code, data, second = trace(name), Shape(8, 4), Shape(16, 4), Shape(32, 4)
    geometry = tlb(
        code.array(policy, serves="instruction"),
        data.array(policy, serves="data"),
        second.array(policy, level=2),
    )
    assert ours(touches, geometry) == with_cachetools(touches, policy, code, data, second)


@pytest.mark.parametrize("policy", ["lru", "fifo"])
def test_a_line_of_two_megabytes_is_a_large_page(policy: str) -> None:
    touches, shape, second = trace("few of 5000 pages often"), Shape(2, 2), Shape(1, 6)
    geometry = tlb(shape.array(policy, sizes="2M"), second.array(policy, level=2, sizes="2M"))
    assert ours(touches, geometry, "2M") == with_cachetools(touches, policy, shape, None, second, 21)


@pytest.mark.parametrize("name", TRACES)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("policy", ["lru", "fifo"])
def test_one_array_misses_as_often_as_pycachesim_says(
    pycachesim: ModuleType, policy: str, shape: Shape, name: str
) -> None:
    misses = counted(name, tlb(shape.array(policy)))
    assert (sum(misses.first), None) == with_pycachesim(pycachesim, trace(name), policy, shape)


@pytest.mark.parametrize("name", TRACES)
@pytest.mark.parametrize(("first", "second"), HIERARCHIES.values(), ids=HIERARCHIES)
@pytest.mark.parametrize("policy", ["lru", "fifo"])
def test_two_levels_miss_as_often_as_pycachesim_says(
    pycachesim: ModuleType, policy: str, first: Shape, second: Shape, name: str
) -> None:
    misses = counted(name, tlb(first.array(policy), second.array(policy, level=2)))
    assert misses.second is not None
    totals = sum(misses.first), sum(misses.second)
    assert totals == with_pycachesim(pycachesim, trace(name), policy, first, second)


def test_the_traces_tell_the_policies_apart() -> None:
    shape = Shape(16, 4)
    for name in ("a program under valgrind", "any of 150 pages", "few of 5000 pages often"):
        lru, fifo = (counted(name, tlb(shape.array(policy))) for policy in ("lru", "fifo"))
        assert sum(lru.first) != sum(fifo.first), name
        assert lru.first[READ] > 0


def test_a_tlb_without_end_misses_each_page_once() -> None:
    assert sum(ours(recorded(), tlb(Shape(1, 512).array("lru"))).first) == COMPULSORY
