# SPDX-License-Identifier: GPL-2.0-or-later
"""How many translations a CPU holds, and where: named CPUs with their sources, or a TOML file of one's own."""

import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, cast

from emu.bits import PAGE_SIZES
from emu.tlb.policy import POLICIES

SERVES: Final = {
    "instruction": ("fetch",),
    "load": ("read",),
    "store": ("write",),
    "data": ("read", "write"),
    "both": ("fetch", "read", "write"),
}
"""What an array may serve, as the access types it answers."""


class GeometryError(ValueError):
    """A geometry that no TLB could have, or a name that nobody gave: one line, with the mend."""


@dataclass(frozen=True, slots=True)
class ArrayGeometry:
    """One array: `entries` in sets of `way_count`, for some page sizes and access types."""

    level: int
    serves: str
    page_sizes: tuple[str, ...]
    entries: int
    ways: int | str
    policy: str = "lru"

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
        """The page sizes it holds, in bytes, small first."""
        return tuple(sorted(PAGE_SIZES[name] for name in self.page_sizes))

    @property
    def name(self) -> str:
        """A short name for events and panels, such as "L1D 4K"."""
        letter = {"instruction": "I", "load": "L", "store": "S", "data": "D", "both": ""}[self.serves]
        return f"L{self.level}{letter} {'/'.join(self.page_sizes)}"

    def __str__(self) -> str:
        shape = "fully associative" if self.sets == 1 else f"{self.sets} sets x {self.way_count} ways"
        return f"{self.name}: {self.entries} entries, {shape}, {self.policy}"


@dataclass(frozen=True, slots=True)
class CostModel:
    """Cycles that the cost model charges. A model, not a measurement: every figure may be changed."""

    l1_hit: int = 0
    l2_hit: int = 7
    walk_step_cached: int = 4
    walk_step_memory: int = 20
    invalidate_page: int = 120
    flush: int = 200
    fault: int = 1000
    ring_change: int = 80


@dataclass(frozen=True, slots=True)
class Geometry:
    """A CPU's TLBs. `confidence`: "stated" by the maker, from a "secondary" source, or "assumed"."""

    name: str
    source: str
    confidence: str
    arrays: tuple[ArrayGeometry, ...]
    cost: CostModel = field(default_factory=CostModel)


def _array(level: int, serves: str, sizes: str, entries: int, ways: int | str) -> ArrayGeometry:
    return ArrayGeometry(level, serves, tuple(sizes.split()), entries, ways)


PRESETS: Final = {
    preset.name: preset
    for preset in (
        Geometry(
            "pentium3",
            "CPUID leaf 2 descriptors 01 to 04; that this core reports them is assumed",
            "secondary",
            (
                _array(1, "instruction", "4K", 32, 4),
                _array(1, "instruction", "2M 4M", 2, "full"),
                _array(1, "data", "4K", 64, 4),
                _array(1, "data", "2M 4M", 8, 4),
            ),
        ),
        Geometry(
            "haswell",
            "Intel optimization manual (Haswell), CPUID leaf 2 descriptor C1; 4 ways of its instruction TLB assumed",
            "stated",
            (
                _array(1, "instruction", "4K", 128, 4),
                _array(1, "instruction", "2M 4M", 8, "full"),
                _array(1, "data", "4K", 64, 4),
                _array(1, "data", "2M 4M", 32, 4),
                _array(1, "data", "1G", 4, 4),
                _array(2, "both", "4K 2M", 1024, 8),
            ),
        ),
    )
}
DEFAULT: Final = "haswell"


def geometry(name_or_path: str) -> Geometry:
    """The preset of that name, or the TOML file at that path. GeometryError says what is wrong, where, and the mend."""
    if name_or_path in PRESETS:
        return PRESETS[name_or_path]
    path = Path(name_or_path)
    if path.suffix != ".toml" and not path.is_file():
        near = get_close_matches(name_or_path, PRESETS, 3) or list(PRESETS)
        raise GeometryError(f"no TLB geometry {name_or_path!r}; try {', '.join(near)}, or name a .toml file")
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise GeometryError(
            f"cannot read the geometry {path}: {error.strerror}; give a readable file"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise GeometryError(f"{path} is no TOML: {error}; mend that place") from None
    return _from_table(table, str(path))


def _from_table(table: dict[str, Any], where: str) -> Geometry:
    known = {"name", "source", "confidence", "array", "structure_caches", "cost"}
    for key in table:
        if key not in known:
            raise GeometryError(f"{where}: unknown key {key!r}; known are {', '.join(sorted(known))}")
    rows: Any = table.get("array")
    if not isinstance(rows, list) or not rows:
        raise GeometryError(f"{where}: no [[array]]; give at least one")
    arrays = tuple(
        _array_from(row, f"{where}: array {n}") for n, row in enumerate(cast("list[Any]", rows), 1)
    )
    confidence = table.get("confidence", "assumed")
    if confidence not in ("stated", "secondary", "assumed"):
        raise GeometryError(f"{where}: confidence {confidence!r}; use stated, secondary or assumed")
    return Geometry(
        str(table.get("name", Path(where).stem)),
        str(table.get("source", "")),
        confidence,
        arrays,
        _cost_from(table.get("cost", {}), where),
    )


def _is_whole(value: object) -> bool:
    """Whether `value` is a whole number; TOML's true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def _cost_from(row: object, where: str) -> CostModel:
    known = CostModel.__dataclass_fields__
    if not isinstance(row, dict):
        raise GeometryError(f"{where}: [cost] is no table; write keys and cycles below it")
    for key, value in cast("dict[str, object]", row).items():
        if key not in known:
            raise GeometryError(f"{where}: unknown cost {key!r}; known are {', '.join(known)}")
        if not _is_whole(value) or cast(int, value) < 0:
            raise GeometryError(f"{where}: cost {key} = {value!r}; give whole cycles, 0 or more")
    return CostModel(**cast("dict[str, int]", row))


def _array_from(row: object, where: str) -> ArrayGeometry:
    if not isinstance(row, dict):
        raise GeometryError(f"{where}: not a table; write it as [[array]]")
    fields = cast("dict[str, Any]", row)
    for key in fields:
        if key not in ArrayGeometry.__dataclass_fields__:
            raise GeometryError(
                f"{where}: unknown key {key!r}; known are {', '.join(ArrayGeometry.__dataclass_fields__)}"
            )
    for key in ("level", "serves", "page_sizes", "entries", "ways"):
        if key not in fields:
            raise GeometryError(f"{where}: {key} is missing; add it")
    entries, ways = fields["entries"], fields["ways"]
    if not _is_whole(fields["level"]) or fields["level"] not in (1, 2):
        raise GeometryError(f"{where}: level {fields['level']!r}; use 1 or 2")
    if not isinstance(fields["serves"], str) or fields["serves"] not in SERVES:
        raise GeometryError(f"{where}: serves {fields['serves']!r}; use one of {', '.join(SERVES)}")
    if not _is_whole(entries) or not 1 <= entries <= 1 << 16:
        raise GeometryError(f"{where}: entries {entries!r}; give a number from 1 to 65536")
    if ways != "full" and (not _is_whole(ways) or ways < 1 or entries % ways):
        raise GeometryError(f'{where}: ways {ways!r}; give a number that divides {entries}, or "full"')
    sizes: Any = fields["page_sizes"]
    if (
        not isinstance(sizes, list)
        or not sizes
        or any(s not in list(PAGE_SIZES) for s in cast("list[object]", sizes))
    ):
        raise GeometryError(f"{where}: page_sizes {sizes!r}; give a list of {', '.join(PAGE_SIZES)}")
    policy = fields.get("policy", "lru")
    if policy not in list(POLICIES):
        raise GeometryError(f"{where}: policy {policy!r}; known are {', '.join(POLICIES)}")
    return ArrayGeometry(
        fields["level"], fields["serves"], tuple(cast("list[str]", sizes)), entries, ways, policy
    )
