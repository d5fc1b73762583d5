# SPDX-License-Identifier: GPL-2.0-or-later
"""The MMU with no engine around it: translations in each paging mode, and address traces."""

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, count
from time import perf_counter
from typing import Final

from emu.bits import PAGE_BYTES, PAGE_SHIFT, LinearAddress, PhysicalAddress
from emu.events import Journal
from emu.mem import PhysicalMemory
from emu.mmu import Mmu
from emu.paging.build import TableBuilder
from emu.paging.modes import PAE, PagingMode
from emu.paging.rights import Controls
from emu.paging.walk import load_pdptes, walk
from emu.tlb.counters import READ
from emu.tlb.geometry_file import geometry
from emu.tlb.presets import DEFAULT
from emu.tlb.record import PageRecord
from emu.trace.demand import MAXPHYADDR, DemandPaged
from emu.trace.lackey import LackeyTrace

HELD_PAGES: Final = 16
"""Few enough that level 1 holds them all."""
MANY_PAGES: Final = 2048
"""So many, one after the other, that no level holds any when its turn comes again."""
ROUNDS: Final = 5
LINES: Final = 200_000
_TABLE_BYTES: Final = 1 << 20
_FIRST_PAGE: Final = 0x1000


@dataclass(frozen=True, slots=True)
class TranslationRate:
    """Of one paging mode, 4 KiB pages, each a second: reads by the MMU's door that hit and that miss, walks alone.

    A miss is a walk, the check of its rights, a fill of both levels, and what those evict.
    """

    mode: str
    hits: float
    misses: float
    walks: float


@dataclass(frozen=True, slots=True)
class ImportRate:
    """Lines of an address trace a second: of what kind, and how many were read."""

    trace: str
    lines: int
    per_second: float


class MmuBench:
    """One mode's tables with MANY_PAGES pages in a row, and the MMU of the default geometry before them."""

    def __init__(self, mode: PagingMode) -> None:
        self.memory = PhysicalMemory(_TABLE_BYTES)
        self.pages = range(_FIRST_PAGE, _FIRST_PAGE + MANY_PAGES)
        free = count(0, PAGE_BYTES)
        tables = TableBuilder(self.memory, lambda: PhysicalAddress(next(free)), mode)
        for page in self.pages:
            tables.map(LinearAddress(page << PAGE_SHIFT), PhysicalAddress(page << PAGE_SHIFT))
        pdptes = load_pdptes(self.memory.read_entry, tables.root, MAXPHYADDR) if mode is PAE else ()
        assert pdptes is not None
        self.controls = Controls(
            WP=True,
            SMEP=False,
            SMAP=False,
            NXE=False,
            mode=mode,
            root=tables.root,
            PGE=False,
            maxphyaddr=MAXPHYADDR,
            pdptes=pdptes,
        )
        self.mmu = Mmu(self.memory, geometry(DEFAULT), Journal())
        self.mmu.set_controls(self.controls)

    def read(self, pages: Iterable[int]) -> None:
        """Read from each page."""
        for page in pages:
            record = self.mmu.translate(page, READ, user=True)
            assert isinstance(record, PageRecord)
            self.mmu.touch(record, 0, 8, READ)

    def walk(self) -> None:
        """Walk for each page."""
        for page in self.pages:
            walk(self.memory.read_entry, LinearAddress(page << PAGE_SHIFT), self.controls)


def measure_translations(mode: PagingMode, rounds: int = ROUNDS) -> TranslationRate:
    """The rates of one mode, each the best of `rounds`."""
    bench = MmuBench(mode)
    bench.read(bench.pages)
    misses = MANY_PAGES / _best(lambda: bench.read(bench.pages), rounds)
    held = bench.pages[:HELD_PAGES]
    bench.read(held)
    hits = MANY_PAGES / _best(lambda: bench.read(held_often(held)), rounds)
    walks = MANY_PAGES / _best(bench.walk, rounds)
    return TranslationRate(mode.name, hits, misses, walks)


def held_often(held: range) -> Iterator[int]:
    """A few pages again and again, MANY_PAGES reads in all."""
    return chain.from_iterable([held] * (MANY_PAGES // HELD_PAGES))


def _best(call: Callable[[], None], rounds: int) -> float:
    """Seconds of the quickest of `rounds` calls."""
    seconds: list[float] = []
    for _ in range(rounds):
        before = perf_counter()
        call()
        seconds.append(perf_counter() - before)
    return min(seconds)


def measure_import(lines: int = LINES) -> list[ImportRate]:
    """How quickly lackey's lines go in: a program in a loop, and one that never comes back to a page."""
    return [
        _import_rate("a loop", loop_lines(lines)),
        _import_rate("every page new", scattered_lines(lines // 20)),
    ]


def loop_lines(lines: int) -> bytes:
    """What a loop over 16 pages leaves: two instructions, a load, another, a store."""
    turn = b"".join(
        b"I  %08x,4\nI  %08x,3\n L %08x,8\nI  %08x,4\n S %08x,8\n"
        % (0x401000 + n * 11, 0x401004 + n * 11, 0x600000 + n * 512, 0x401007 + n * 11, 0x700000 + n * 8)
        for n in range(128)
    )
    return turn * (lines // (5 * 128))


def scattered_lines(lines: int) -> bytes:
    """One load from each of many pages."""
    return b"".join(b" L %08x,8\n" % (n << PAGE_SHIFT) for n in range(lines))


def _import_rate(name: str, data: bytes) -> ImportRate:
    space = DemandPaged(geometry(DEFAULT))
    trace = LackeyTrace(io.BufferedReader(io.BytesIO(data)), name)  # pyright: ignore[reportArgumentType]
    before = perf_counter()
    for touches in trace:
        space.run(touches)
    return ImportRate(name, trace.lines, trace.lines / (perf_counter() - before))
