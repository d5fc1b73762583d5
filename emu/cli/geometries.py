# SPDX-License-Identifier: GPL-2.0-or-later
"""`pagewalk geometries`: the named TLBs, and a file of one's own as it was understood."""

from dataclasses import asdict
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from emu.cli.errors import Exit, UsageError, shown
from emu.cli.output import json_out, out

if TYPE_CHECKING:
    from emu.tlb.geometry import Geometry

_WIDTH: Final = 96


def geometries(which: str | None = None, /, *, json: bool = False, toml: bool = False) -> int:
    """List the TLB geometries that `--tlb` knows by name, with their source and how sure it is.

    Behind each name: "stated" by the maker, from a "secondary" source, or "assumed".

    With a name or a TOML file show that one. To make your own, print one with --toml, edit it, and give `--tlb` its
    path. A file may also begin with `base = "haswell"` and hold no more than what differs.

    Example: pagewalk geometries haswell --toml > mine.toml

    Args:
        which: A name, or a path to a TOML file; all names without it.
        json: Print one JSON object on stdout, in the words of a geometry's TOML file.
        toml: Print the one geometry as a TOML file.
    """
    from emu.tlb.geometry_file import geometry, to_table, to_toml
    from emu.tlb.presets import DEFAULT, PRESETS

    if toml and (json or which is None):
        raise UsageError(
            "--toml prints one geometry as a file; name it, as in `pagewalk geometries haswell --toml`"
        )
    chosen = [geometry(which)] if which is not None else list(PRESETS.values())
    if toml:
        out(to_toml(chosen[0]), end="")
    elif json:
        rows = [{**to_table(one), "default": one is PRESETS[DEFAULT]} for one in chosen]
        json_out({"geometries": rows})
    else:
        out("\n\n".join(_text(one, one is PRESETS[DEFAULT]) for one in chosen))
        if which is None:
            out("\nNo maker publishes who leaves a full set: lru is an assumption throughout.")
    return Exit.FINE


def _text(geometry: "Geometry", default: bool) -> str:
    """One geometry to read."""
    lines = [f"{geometry.name} ({geometry.confidence}{', the default' if default else ''})"]
    lines += wrap(geometry.source, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    lines += [f"    {array}" for array in geometry.arrays]
    caches = asdict(geometry.structure_caches)
    if any(caches.values()):
        lines.append("  paging-structure caches: " + _figures(caches))
    else:
        lines.append("  paging-structure caches: off")
    for size, types in geometry.uncached().items():
        lines.append(f"  no array keeps {size} pages for {', '.join(types)}: each such access walks")
    costs = _figures(asdict(geometry.cost))
    lines += wrap(
        f"  cycles of the cost model (a model, no measurement): {costs}", _WIDTH, subsequent_indent="    "
    )
    lines += wrap(geometry.note, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    return shown("\n".join(lines))


def _figures(figures: dict[str, int]) -> str:
    return ", ".join(f"{name} {figure}" for name, figure in figures.items())
