# SPDX-License-Identifier: GPL-2.0-or-later
"""A TLB geometry by its name, or from a TOML file; and a geometry as the text of such a file.

`base = "haswell"` in a file starts from that preset: its arrays stay unless the file has arrays, and single keys of
[cost] and [structure_caches] replace single figures.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from emu.tlb.geometry import CONFIDENCES, ArrayGeometry, CostModel, Geometry, GeometryError, StructureCaches
from emu.tlb.presets import PRESETS

Table = dict[str, Any]
"""A TOML table as tomllib gives it."""

Figures = TypeVar("Figures", CostModel, StructureCaches)

_WORDS: Final = ("name", "source", "confidence", "note")
_KEYS: Final = ("base", *_WORDS, "array", "structure_caches", "cost")
_ARRAY_KEYS: Final = tuple(ArrayGeometry.__dataclass_fields__)
_ARRAY_NEEDS: Final = ("level", "serves", "page_sizes", "entries", "ways")


def geometry(name_or_path: str) -> Geometry:
    """The preset of that name, or the TOML file at that path. GeometryError says what is wrong, where, and the mend."""
    if name_or_path in PRESETS:
        return PRESETS[name_or_path]
    path = Path(name_or_path)
    if path.suffix != ".toml" and not path.is_file():
        near = ", ".join(_near(name_or_path))
        raise GeometryError(f"no TLB geometry {name_or_path!r}; try {near}, or name a .toml file")
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise GeometryError(
            f"cannot read the geometry {path}: {error.strerror}; give a readable file"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise GeometryError(f"{path} is no TOML: {error}; mend that place") from None
    try:
        return from_table(table, path.stem)
    except GeometryError as error:
        raise GeometryError(f"{path}: {error}") from None


# -- reading ------------------------------------------------------------------------------------------------------


def from_table(table: Table, name: str) -> Geometry:
    """The geometry that a file's table describes; called `name` unless it names itself. May raise GeometryError."""
    _known("key", table, _KEYS)
    words = {key: _text(key, table[key]) for key in _WORDS if key in table}
    if words.get("confidence", "assumed") not in CONFIDENCES:
        raise GeometryError(f"confidence {words['confidence']!r}; use stated, secondary or assumed")
    made = _foundation(table, name)
    if "array" in table:
        made = replace(made, arrays=_arrays(table["array"]))
    return replace(
        made,
        **words,
        cost=_figures(made.cost, "cost", table.get("cost", {}), "cycles"),
        structure_caches=_figures(
            made.structure_caches, "structure_caches", table.get("structure_caches", {}), "entries"
        ),
    )


def _foundation(table: Table, name: str) -> Geometry:
    """What holds unless the file says otherwise: the preset it is based on, or nothing but defaults."""
    if "base" in table:
        base = _text("base", table["base"])
        if base not in PRESETS:
            raise GeometryError(f"base {base!r} is no preset; try {', '.join(_near(base))}")
        preset = PRESETS[base]
        return replace(preset, name=name, source=f"{base}, changed: {preset.source}", confidence="assumed")
    if not isinstance(table.get("array"), list) or not table["array"]:
        raise GeometryError("no [[array]]; give at least one, or a base")
    return Geometry(name, "", "assumed", ())


def _arrays(rows: object) -> tuple[ArrayGeometry, ...]:
    if not isinstance(rows, list) or not rows:
        raise GeometryError(
            "no [[array]]; give at least one, or leave the key out and take those of the base"
        )
    arrays: list[ArrayGeometry] = []
    for number, row in enumerate(cast("list[object]", rows), 1):
        try:
            made = _array(row)
            if made.name in [other.name for other in arrays]:
                first = 1 + [other.name for other in arrays].index(made.name)
                raise GeometryError(f"a second {made.name} beside array {first}; make one array of both")
        except GeometryError as error:
            raise GeometryError(f"array {number}: {error}") from None
        arrays.append(made)
    if all(array.level == 2 for array in arrays):
        raise GeometryError("array 1: level 2 with no level 1 in the file; write level = 1")
    return tuple(arrays)


def _array(row: object) -> ArrayGeometry:
    if not isinstance(row, dict):
        raise GeometryError("not a table; write it as [[array]]")
    fields = cast(Table, row)
    _known("key", fields, _ARRAY_KEYS)
    for key in _ARRAY_NEEDS:
        if key not in fields:
            raise GeometryError(f"{key} is missing; add it")
    ways, sizes, splits = fields["ways"], fields["page_sizes"], fields.get("splits", {})
    if not isinstance(sizes, list) or any(not isinstance(size, str) for size in cast("list[object]", sizes)):
        raise GeometryError(f'page_sizes {sizes!r}; give a list such as ["4K", "2M"]')
    if not isinstance(splits, dict) or any(
        not isinstance(piece, str) for piece in cast(Table, splits).values()
    ):
        raise GeometryError(f'splits {splits!r}; write it as {{ "1G" = "2M" }}')
    return ArrayGeometry(
        level=_whole("level", fields["level"], "use 1 or 2"),
        serves=_text("serves", fields["serves"]),
        page_sizes=tuple(cast("list[str]", sizes)),
        entries=_whole("entries", fields["entries"], "give a number"),
        ways=ways if isinstance(ways, str) else _whole("ways", ways, 'give a number, or "full"'),
        policy=_text("policy", fields.get("policy", "lru")),
        splits=tuple(cast("dict[str, str]", splits).items()),
    )


def _figures(old: Figures, name: str, row: object, unit: str) -> Figures:
    """`old` with what the table [name] of the file says."""
    if not isinstance(row, dict):
        raise GeometryError(f"[{name}] is no table; write keys and {unit} below it")
    figures = cast(Table, row)
    _known(name, figures, tuple(old.__dataclass_fields__))
    for key, value in figures.items():
        _whole(f"{name} {key} =", value, f"give whole {unit}")
    return replace(old, **figures)


def _known(what: str, table: Mapping[str, object], known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            near = get_close_matches(key, known, 1)
            mend = f"did you mean {near[0]}? " if near else ""
            raise GeometryError(f"unknown {what} {key!r}; {mend}known are {', '.join(known)}")


def _text(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise GeometryError(f'{key} {value!r}; give text, such as {key} = "..."')
    return value


def _whole(what: str, value: object, mend: str) -> int:
    """`value` if it is a whole number; TOML's true and false are none."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise GeometryError(f"{what} {value!r}; {mend}")
    return value


def _near(name: str) -> list[str]:
    return get_close_matches(name, PRESETS, 3) or list(PRESETS)


# -- writing ------------------------------------------------------------------------------------------------------


def to_table(geometry: Geometry) -> Table:
    """`geometry` in the words of its file, nothing left out; `from_table` makes the same of it again."""
    arrays = [
        {**asdict(array), "page_sizes": list(array.page_sizes), "splits": dict(array.splits)}
        for array in geometry.arrays
    ]
    words = {key: getattr(geometry, key) for key in _WORDS}
    return {
        **words,
        "array": arrays,
        "structure_caches": asdict(geometry.structure_caches),
        "cost": asdict(geometry.cost),
    }


def to_toml(geometry: Geometry) -> str:
    """`geometry` as a file to edit."""
    return "\n".join(_lines(to_table(geometry))) + "\n"


def _lines(table: Table) -> Iterator[str]:
    for key in _WORDS:
        yield f"{key} = {_value(table[key])}"
    for array in table["array"]:
        yield from ("", "[[array]]")
        yield from (f"{key} = {_value(value)}" for key, value in array.items() if value != {})
    yield from ("", "[structure_caches]  # entries of each, 0 = off")
    yield from (f"{key} = {value}" for key, value in table["structure_caches"].items())
    yield from ("", "[cost]  # cycles of the cost model: a model, no measurement")
    yield from (f"{key} = {value}" for key, value in table["cost"].items())


def _value(value: object) -> str:
    match value:
        case dict():
            pairs = cast("dict[str, str]", value).items()
            return "{ " + ", ".join(f"{_value(key)} = {_value(piece)}" for key, piece in pairs) + " }"
        case _:
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
