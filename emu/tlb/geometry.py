# SPDX-License-Identifier: GPL-2.0-or-later
"""How many translations a CPU holds, and where: the shape of its TLBs and what the cost model charges.

What no TLB could have is refused when it is made: a GeometryError says what and the mend, and whoever knows the file
and the place in it puts them in front. The named CPUs are in `presets`, files of one's own in `geometry_file`.
"""

from dataclasses import dataclass, field
from typing import Final, cast

from emu.bits import PAGE_SIZE_NAMES, PAGE_SIZES
from emu.tlb.policy import POLICIES

SERVES: Final = {
    "instruction": ("fetch",),
    "load": ("read",),
    "store": ("write",),
    "data": ("read", "write"),
    "both": ("fetch", "read", "write"),
}
"""What an array may serve, as the access types it answers."""
CONFIDENCES: Final = ("stated", "secondary", "assumed")
"""Where figures come from: the maker says so; somebody else says so; nobody does."""
MOST_ENTRIES: Final = 1 << 16
"""More than any CPU has, and few enough to print."""


class GeometryError(ValueError):
    """A geometry that no TLB could have, or a name that nobody gave: one line, with the mend."""


@dataclass(frozen=True, slots=True)
class ArrayGeometry:
    """One array: `entries` in sets of `way_count`, for some page sizes and access types.

    `splits` has (size, piece) pairs: pages of that size are kept in pieces, each an entry of its own, made from one
    walk each. GeometryError if no array could be like that.
    """

    level: int
    serves: str
    page_sizes: tuple[str, ...]
    entries: int
    ways: int | str
    policy: str = "lru"
    splits: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        _one_of("level", self.level, (1, 2))
        _one_of("serves", self.serves, tuple(SERVES))
        if not 1 <= self.entries <= MOST_ENTRIES:
            raise GeometryError(f"entries {self.entries}; give a number from 1 to {MOST_ENTRIES}")
        if self.ways != "full" and (
            not isinstance(self.ways, int) or self.ways < 1 or self.entries % self.ways
        ):
            raise GeometryError(f'ways {self.ways!r}; give a number that divides {self.entries}, or "full"')
        _one_of("policy", self.policy, tuple(POLICIES))
        if self.policy == "tree-plru" and self.way_count & self.way_count - 1:
            raise GeometryError(
                f"tree-plru with {self.way_count} ways; give it 1, 2, 4, 8, 16 ... or use lru"
            )
        if not self.page_sizes:
            raise GeometryError(f"page_sizes []; give a list of {', '.join(PAGE_SIZES)}")
        for size in self.page_sizes:
            _one_of("page size", size, tuple(PAGE_SIZES))
        if len(set(self.page_sizes)) < len(self.page_sizes):
            raise GeometryError(f"page_sizes {' '.join(self.page_sizes)} names a size twice; name it once")
        for number, (size, piece) in enumerate(self.splits):
            self._check_split(size, piece)
            if size in dict(self.splits[:number]):
                raise GeometryError(f"splits {size} twice; name it once")

    def _check_split(self, size: str, piece: str) -> None:
        split = f"splits {size} in pieces of {piece}"
        if size not in PAGE_SIZES or size in self.page_sizes:
            raise GeometryError(f"{split}; only a page size that is not in page_sizes can be split")
        if piece not in self.page_sizes or PAGE_SIZES[piece] >= PAGE_SIZES[size]:
            raise GeometryError(f"{split}; a piece is one of page_sizes and smaller than {size}")

    @property
    def way_count(self) -> int:
        """Ways as a number."""
        return self.entries if self.ways == "full" else cast(int, self.ways)

    @property
    def sets(self) -> int:
        """Number of sets; need not be a power of two."""
        return self.entries // self.way_count

    @property
    def types(self) -> tuple[str, ...]:
        """The access types ("fetch", "read", "write") this array answers."""
        return SERVES[self.serves]

    @property
    def page_bytes(self) -> tuple[int, ...]:
        """The page sizes its entries have, in bytes, small first."""
        return tuple(sorted(PAGE_SIZES[name] for name in self.page_sizes))

    def piece_bytes(self, page_bytes: int) -> int | None:
        """The size in which the array keeps a page of `page_bytes`: that, or a piece; None if it keeps none of it."""
        name = PAGE_SIZE_NAMES[page_bytes]
        if name in self.page_sizes:
            return page_bytes
        piece = dict(self.splits).get(name)
        return None if piece is None else PAGE_SIZES[piece]

    @property
    def name(self) -> str:
        """A short name for events and panels, such as "L1D 4K"."""
        letter = {"instruction": "I", "load": "L", "store": "S", "data": "D", "both": ""}[self.serves]
        return f"L{self.level}{letter} {'/'.join(self.page_sizes)}"

    def __str__(self) -> str:
        shape = "fully associative" if self.sets == 1 else f"{self.sets} sets x {self.way_count} ways"
        pieces = "".join(f", {size} in pieces of {piece}" for size, piece in self.splits)
        return f"{self.name}: {self.entries} entries, {shape}, {self.policy}{pieces}"


@dataclass(frozen=True, slots=True)
class StructureCaches:
    """Entries of each paging-structure cache, fully associative, least recently used first out; 0 switches it off.

    SDM vol. 3A, "Paging-Structure Caches", 4.10.3, has three; 5-level paging adds the PML5 cache.
    """

    pml5e: int = 0
    pml4e: int = 0
    pdpte: int = 0
    pde: int = 0

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            entries: int = getattr(self, name)
            if not 0 <= entries <= MOST_ENTRIES:
                raise GeometryError(
                    f"structure_caches {name} = {entries}; give a number from 0 (off) to {MOST_ENTRIES}"
                )


@dataclass(frozen=True, slots=True)
class CostModel:
    """Cycles that the cost model charges. A model, not a measurement: every figure may be changed.

    `walk_step_memory` is charged for each paging-structure entry read from memory, `walk_step_cached` once for a walk
    whose upper part a paging-structure cache knew, `flush` for an invalidation of more than one page.
    """

    l1_hit: int = 0
    l2_hit: int = 7
    walk_step_cached: int = 4
    walk_step_memory: int = 20
    invalidate_page: int = 120
    flush: int = 200
    fault: int = 1000
    ring_change: int = 80

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            cycles: int = getattr(self, name)
            if cycles < 0:
                raise GeometryError(f"cost {name} = {cycles}; give whole cycles, 0 or more")


@dataclass(frozen=True, slots=True)
class Geometry:
    """A CPU's TLBs. `confidence`: "stated" by the maker, from a "secondary" source, or "assumed".

    `note` says what the figures leave open, in the words of whoever collected them.
    """

    name: str
    source: str
    confidence: str
    arrays: tuple[ArrayGeometry, ...]
    cost: CostModel = field(default_factory=CostModel)
    structure_caches: StructureCaches = field(default_factory=StructureCaches)
    note: str = ""

    def uncached(self) -> dict[str, tuple[str, ...]]:
        """By page size the access types for which no array keeps it: each such access walks."""
        kept = {
            (size, kind)
            for array in self.arrays
            for size, page_bytes in PAGE_SIZES.items()
            if array.piece_bytes(page_bytes) is not None
            for kind in array.types
        }
        missing = {
            size: tuple(kind for kind in SERVES["both"] if (size, kind) not in kept) for size in PAGE_SIZES
        }
        return {size: types for size, types in missing.items() if types}


def _one_of(what: str, value: object, known: tuple[object, ...]) -> None:
    if value not in known:
        *most, last = map(str, known)
        raise GeometryError(f"{what} {value!r}; use {', '.join(most)} or {last}")
