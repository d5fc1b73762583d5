# SPDX-License-Identifier: GPL-2.0-or-later
"""What single debugging information entries (DIEs) and line program headers say."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from emu.guest.c_types import CType, Enumeration, Scalar, Structure

if TYPE_CHECKING:
    from elftools.dwarf.compileunit import CompileUnit
    from elftools.dwarf.die import DIE

DW_OP_ADDR: Final = 0x03


def positions(data: bytes, needle: bytes) -> Iterator[int]:
    """Every offset of `needle` in `data`, ascending."""
    at = data.find(needle)
    while at >= 0:
        yield at
        at = data.find(needle, at + 1)


def name_of(die: DIE) -> str:
    """DW_AT_name, "" without one."""
    attribute = die.attributes.get("DW_AT_name")
    value: Any = attribute.value if attribute else b""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else ""


def number_of(die: DIE, attribute: str) -> int | None:
    """An attribute whose value is a number, else None."""
    found = die.attributes.get(attribute)
    value: Any = found.value if found else None
    return value if isinstance(value, int) else None


def high_pc(die: DIE, low: int) -> int:
    """The first address behind the code of `die`, which begins at `low`."""
    found = die.attributes.get("DW_AT_high_pc")
    if found is None or not isinstance(found.value, int):
        return low
    return found.value if found.form == "DW_FORM_addr" else low + found.value


def location_of(die: DIE) -> int | None:
    """The fixed address of a variable, None if it has none."""
    found = die.attributes.get("DW_AT_location")
    if found is None or found.form not in ("DW_FORM_exprloc", "DW_FORM_block1"):
        return None
    block = bytes(found.value)
    if block[:1] == bytes([DW_OP_ADDR]):
        return int.from_bytes(block[1:], "little")
    return None


def scalar_kind(name: str, encoding: int | None) -> str:
    """int, unsigned, char or bool, from a base type's name and DW_AT_encoding."""
    if name == "char":
        return "char"
    if encoding == 2:
        return "bool"
    return "int" if encoding in (5, 6) else "unsigned"


def renamed(made: CType, name: str) -> CType:
    """A type under the name that a typedef gives it."""
    match made:
        case Scalar():
            return Scalar(name, made.size, made.scalar)
        case Enumeration():
            return Enumeration(name, made.size, made.signed, made.values)
        case Structure():
            return Structure(name, made.size, made.keyword, made.members, made.complete)
        case _:
            return made


def file_names(program: Any, cu: CompileUnit) -> list[str]:
    """File names by the number that rows use: from 1 up to DWARF 4, from 0 in DWARF 5."""
    directories = [
        text_of(d) if not hasattr(d, "name") else text_of(d.name) for d in program["include_directory"]
    ]
    old = program["version"] < 5
    if old:
        attribute = cu.get_top_DIE().attributes.get("DW_AT_comp_dir")
        directories.insert(0, text_of(attribute.value) if attribute else "")
    names = [""] if old else []
    for entry in program["file_entry"]:
        index = int(entry.dir_index)
        directory = directories[index] if index < len(directories) else ""
        if index and directories:
            directory = posixpath.join(directories[0], directory)
        names.append(posixpath.normpath(posixpath.join(directory, text_of(entry.name))))
    return names


def text_of(raw: Any) -> str:
    """A string of the debug information as text."""
    return raw.decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else str(raw)
