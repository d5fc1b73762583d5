# SPDX-License-Identifier: GPL-2.0-or-later
"""`pagewalk geometries`: the named TLBs."""

from dataclasses import asdict

from emu.cli.errors import Exit
from emu.cli.output import json_out, out


def geometries(*, json: bool = False) -> int:
    """List the TLB geometries that `--tlb` knows by name, with their source and how sure it is.

    Example: pagewalk geometries --json

    Args:
        json: Print one JSON object on stdout, in the words of a geometry's TOML file.
    """
    from emu.tlb.presets import DEFAULT, PRESETS

    if json:
        rows: list[dict[str, object]] = []
        for preset in PRESETS.values():
            fields = asdict(preset)
            rows.append({**fields, "array": fields.pop("arrays"), "default": preset.name == DEFAULT})
        for row in rows:
            row.pop("arrays", None)
        json_out({"geometries": rows})
        return Exit.FINE
    for preset in PRESETS.values():
        default = ", the default" if preset.name == DEFAULT else ""
        out(f"{preset.name} ({preset.confidence}{default})")
        out(f"  {preset.source}")
        for array in preset.arrays:
            out(f"    {array}")
    return Exit.FINE
