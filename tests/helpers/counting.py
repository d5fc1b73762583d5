# SPDX-License-Identifier: GPL-2.0-or-later
"""Address traces, and the cache simulators of others that count the misses of the same TLB: a line is a page.

A simulator is told of every page in the order of the accesses and knows nothing of page tables, rights or dirty bits.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cachetools import Cache, FIFOCache, LRUCache

from emu.bits import PAGE_SHIFT
from emu.tlb.counters import FETCH, READ, WRITE
from emu.tlb.geometry import ArrayGeometry, Geometry
from emu.trace.demand import DemandPaged, Touch
from emu.trace.lackey import open_lackey

DATA = Path(__file__).resolve().parents[1] / "referee" / "data"
SYNTHETIC_LENGTH = 4_000
CACHES: dict[str, type[Cache[int, None]]] = {"lru": LRUCache, "fifo": FIFOCache}


class Shape(NamedTuple):
    """Sets and ways of one array."""

    sets: int
    ways: int

    def array(self, policy: str, level: int = 1, serves: str = "both", sizes: str = "4K") -> ArrayGeometry:
        return ArrayGeometry(level, serves, (sizes,), self.sets * self.ways, self.ways, policy)


def tlb(*arrays: ArrayGeometry) -> Geometry:
    return Geometry("referee", "made up for a test", "assumed", arrays)


# -- traces -----------------------------------------------------------------------------------------------------------


def lcg(seed: int) -> Iterator[float]:
    """Numbers from 0 to 1, the same everywhere: Knuth's MMIX generator, its upper 32 bits."""
    state = seed
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        yield (state >> 32) / (1 << 32)


def touches_of(pages: Sequence[int]) -> list[Touch]:
    """Fetches, loads and stores in turn, so that entries also meet their first store."""
    kinds = (READ, FETCH, WRITE, READ, WRITE)
    return [(kinds[n % 5], page, 8, 4, int(kinds[n % 5] == FETCH)) for n, page in enumerate(pages)]


def strides(step: int, pages: int) -> list[Touch]:
    """Round and round through `pages` pages, `step` apart."""
    return touches_of([n % pages * step for n in range(SYNTHETIC_LENGTH)])


def uniform(pages: int) -> list[Touch]:
    """Any page as likely as another."""
    return touches_of([int(u * pages) for u, _ in zip(lcg(1), range(SYNTHETIC_LENGTH), strict=False)])


def skewed(pages: int) -> list[Touch]:
    """A few pages often, many seldom, as programs do."""
    return touches_of([int(u**4 * pages) for u, _ in zip(lcg(2), range(SYNTHETIC_LENGTH), strict=False)])


def recorded() -> list[Touch]:
    """`/bin/true` under valgrind: see the README beside the file."""
    return [touch for block in open_lackey(DATA / "true.lackey.gz") for touch in block]


# -- counting ---------------------------------------------------------------------------------------------------------


class Misses(NamedTuple):
    """By access type: misses of level 1, and of level 2 (None without one)."""

    first: tuple[int, ...]
    second: tuple[int, ...] | None


def ours(touches: Sequence[Touch], geometry: Geometry, page_size: str = "4K") -> Misses:
    """What the model counts."""
    space = DemandPaged(geometry, page_size)
    space.run(touches)
    counters = space.mmu.counters
    first = tuple(w + h for w, h in zip(counters.walks, counters.stlb_hits, strict=True))
    two_levels = any(array.level == 2 for array in geometry.arrays)
    return Misses(first, tuple(counters.walks) if two_levels else None)


class Simulated:
    """One array of `cachetools` caches, a cache a set."""

    def __init__(self, shape: Shape, policy: str) -> None:
        self._sets = [CACHES[policy](shape.ways) for _ in range(shape.sets)]

    def misses(self, page: int) -> bool:
        cache = self._sets[page % len(self._sets)]
        if page in cache:
            cache[page]  # a use, which `in` is not
            return False
        cache[page] = None
        return True


def with_cachetools(
    touches: Sequence[Touch],
    policy: str,
    code: Shape,
    data: Shape | None = None,
    second: Shape | None = None,
    page_shift: int = PAGE_SHIFT,
) -> Misses:
    """The same by cachetools: level 1 for fetches and for data (one array for both without `data`), level 2 behind."""
    for_code = Simulated(code, policy)
    for_data = for_code if data is None else Simulated(data, policy)
    behind = Simulated(second, policy) if second else None
    first, beyond = [0, 0, 0], [0, 0, 0]
    for kind, page, *_ in touches:
        line = page >> (page_shift - PAGE_SHIFT)
        if (for_code if kind == FETCH else for_data).misses(line):
            first[kind] += 1
            if behind is not None:
                beyond[kind] += behind.misses(line)
    return Misses(tuple(first), tuple(beyond) if behind is not None else None)


def with_pycachesim(
    cachesim: Any, touches: Sequence[Touch], policy: str, first: Shape, second: Shape | None = None
) -> tuple[int, int | None]:
    """Misses of level 1 and of level 2 by pycachesim, which counts them over all access types.

    Stores go in as loads: a data cache writes back what it gives up, a TLB does not.
    """
    memory = cachesim.MainMemory()
    below = cachesim.Cache("L2", *second, 1 << PAGE_SHIFT, policy.upper()) if second else None
    links = {"store_to": below, "load_from": below} if below else {}
    above = cachesim.Cache("L1", *first, 1 << PAGE_SHIFT, policy.upper(), **links)
    memory.load_to(below or above)
    memory.store_from(below or above)
    simulator = cachesim.CacheSimulator(above, memory)
    simulator.load([page << PAGE_SHIFT for _, page, *_ in touches], 1)  # a single address is cut to 32 bits
    return above.stats()["MISS_count"], below.stats()["MISS_count"] if below else None
