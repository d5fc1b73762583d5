# SPDX-License-Identifier: GPL-2.0-or-later
"""Debug information, read a compile unit at a time and only when somebody asks.

A name is found without an index: its offset in .debug_str is searched for in .debug_info as four bytes,
and only the compile units where they occur are parsed. A chance match costs a little time and never a
wrong answer. A line table is decoded when an address of its unit is asked for.
"""

from __future__ import annotations

import io
import struct
from bisect import bisect_right
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from emu.guest.c_types import VOID, Array, CType, Enumeration, Function, Member, Pointer, Scalar, Structure
from emu.guest.die import (
    file_names,
    high_pc,
    location_of,
    name_of,
    number_of,
    positions,
    renamed,
    scalar_kind,
)
from emu.guest.elf import Elf, GuestImageError

if TYPE_CHECKING:
    from elftools.dwarf.compileunit import CompileUnit
    from elftools.dwarf.die import DIE
    from elftools.dwarf.dwarfinfo import DebugSectionDescriptor, DWARFInfo

LINE_PROGRAM_LIMIT_BYTES: Final = 1 << 20
SECTIONS: Final = (
    "debug_info", "debug_abbrev", "debug_str", "debug_line", "debug_ranges",
    "debug_addr", "debug_str_offsets", "debug_line_str", "debug_rnglists",
)  # fmt: skip
OTHER_SECTIONS: Final = (
    "debug_aranges", "debug_frame", "eh_frame", "debug_loc", "debug_pubtypes", "debug_pubnames",
    "debug_loclists", "debug_sup", "debug_types",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """Addresses `start` to `end` - 1 come from `line` of `file` (0: from no line); `is_stmt`: a good stop."""

    start: int
    end: int
    file: str
    line: int
    is_stmt: bool


@dataclass(eq=False, slots=True)
class Unit:
    """A compile unit: the address ranges of its code and, once indexed, its global names."""

    cu: CompileUnit
    ranges: list[tuple[int, int]]
    named: dict[str, list[DIE]] | None = None
    locals: dict[str, str] = field(default_factory=dict[str, str])
    rows: list[Row] | None = None
    files: list[str] | None = None


class DebugInfo:
    """The debug information of one ELF file; empty if it has none. Damage raises GuestImageError."""

    def __init__(self, elf: Elf) -> None:
        """Nothing is read yet."""
        self._elf = elf
        self._types: dict[int, CType] = {}
        self._pending: set[int] = set()

    @contextmanager
    def _reading(self) -> Generator[None]:
        """Turns whatever the parser trips over in a damaged file into the one-line error."""
        try:
            yield
        except GuestImageError:
            raise
        except Exception as error:
            raise self._elf.error(
                f"its debug information is damaged ({type(error).__name__})", "build it again with -gdwarf-4"
            ) from None

    @cached_property
    def _sections(self) -> dict[str, bytes]:
        found = {name: self._elf.section_bytes("." + name) for name in SECTIONS}
        return {name: data for name, data in found.items() if data is not None}

    @property
    def present(self) -> bool:
        """Whether the file has debug information at all."""
        return "debug_info" in self._sections and "debug_abbrev" in self._sections

    @cached_property
    def _dwarf(self) -> DWARFInfo:
        from elftools.dwarf.dwarfinfo import DebugSectionDescriptor, DwarfConfig, DWARFInfo

        sections: dict[str, DebugSectionDescriptor | None] = {
            name + "_sec": None for name in (*SECTIONS, *OTHER_SECTIONS)
        }
        for name, data in self._sections.items():
            sections[name + "_sec"] = DebugSectionDescriptor(io.BytesIO(data), "." + name, None, len(data), 0)
        config = DwarfConfig(True, "x64" if self._elf.bits == 64 else "x86", self._elf.bits // 8)
        return DWARFInfo(config, gnu_debugaltlink_sec=None, **sections)

    @cached_property
    def units(self) -> list[Unit]:
        """The compile units, in file order."""
        if not self.present:
            return []
        with self._reading():
            return [Unit(cu, self._ranges(cu)) for cu in self._dwarf.iter_CUs()]

    def _ranges(self, cu: CompileUnit) -> list[tuple[int, int]]:
        from elftools.dwarf.ranges import BaseAddressEntry

        top = cu.get_top_DIE()
        low = number_of(top, "DW_AT_low_pc") or 0
        if "DW_AT_ranges" in top.attributes:
            lists = self._dwarf.range_lists()
            found: list[tuple[int, int]] = []
            for entry in (
                lists.get_range_list_at_offset(top.attributes["DW_AT_ranges"].value, cu) if lists else []
            ):
                if isinstance(entry, BaseAddressEntry):
                    low = entry.base_address
                else:
                    base = 0 if entry.is_absolute else low
                    found.append((base + entry.begin_offset, base + entry.end_offset))
            return found
        high = high_pc(top, low)
        return [(low, high)] if high > low else []

    def unit_at(self, address: int) -> Unit | None:
        """The unit whose code holds `address`."""
        for unit in self.units:
            if any(low <= address < high for low, high in unit.ranges):
                return unit
        return None

    def _units_naming(self, name: str) -> Iterator[Unit]:
        """Units that mention `name`, then all others."""
        info, strings = self._sections["debug_info"], self._sections.get("debug_str", b"")
        needle = name.encode() + b"\0"
        patterns = [needle]
        for at in positions(strings, needle):
            if at == 0 or strings[at - 1] == 0:
                patterns.append(struct.pack("<I", at))
        starts = [unit.cu.cu_offset for unit in self.units]
        likely = {bisect_right(starts, at) - 1 for pattern in patterns for at in positions(info, pattern)}
        yield from (unit for i, unit in enumerate(self.units) if i in likely)
        yield from (unit for i, unit in enumerate(self.units) if i not in likely)

    def _index(self, unit: Unit) -> dict[str, list[DIE]]:
        if unit.named is None:
            named: dict[str, list[DIE]] = {}
            depth, function = 0, ""
            for die in unit.cu.iter_DIEs():
                if die.tag is None:
                    depth -= 1
                    continue
                name = name_of(die)
                if depth == 1:
                    function = name
                    if name:
                        named.setdefault(name, []).append(die)
                elif name and die.tag in ("DW_TAG_variable", "DW_TAG_formal_parameter"):
                    unit.locals.setdefault(name, function)
                depth += die.has_children or 0
            unit.named = named
        return unit.named

    def _find(self, name: str, tags: tuple[str, ...]) -> Iterator[tuple[Unit, DIE]]:
        if not self.present:
            return
        for unit in self._units_naming(name):
            for die in self._index(unit).get(name, []):
                if die.tag in tags and "DW_AT_declaration" not in die.attributes:
                    yield unit, die

    def variable_type(self, name: str, address: int) -> CType | None:
        """The type of the global or static variable `name` at `address`, None if nothing describes it."""
        with self._reading():
            for _, die in self._find(name, ("DW_TAG_variable",)):
                if location_of(die) == address:
                    return self._type_of(die)
        return None

    def parameters(self, name: str, address: int) -> list[tuple[str, CType]] | None:
        """Names and types of the parameters of the function `name` at `address`; None: not described."""
        with self._reading():
            unit = self.unit_at(address)
            for die in self._index(unit).get(name, []) if unit else []:
                if die.tag == "DW_TAG_subprogram" and number_of(die, "DW_AT_low_pc") == address:
                    children = [c for c in die.iter_children() if c.tag == "DW_TAG_formal_parameter"]
                    return [(name_of(c), self._type_of(c)) for c in children]
        return None

    def enumeration(self, name: str) -> Enumeration | None:
        """`enum name`, None if no unit has it."""
        found = self._complete(name, "DW_TAG_enumeration_type")
        return found if isinstance(found, Enumeration) else None

    def structure(self, name: str) -> Structure | None:
        """`struct name` or `union name`, None if no unit has it."""
        found = self._complete(name, "DW_TAG_structure_type") or self._complete(name, "DW_TAG_union_type")
        return found if isinstance(found, Structure) else None

    def _complete(self, name: str, tag: str) -> CType | None:
        with self._reading():
            for _, die in self._find(name, (tag,)):
                return self._type(die)
        return None

    def function_of_local(self, name: str) -> str | None:
        """The name of a function that has a local variable or parameter `name`, None if none has."""
        if not self.present:
            return None
        with self._reading():
            for unit in self._units_naming(name):
                self._index(unit)
                if name in unit.locals:
                    return unit.locals[name]
        return None

    def _type_of(self, die: DIE) -> CType:
        """The type that `die`'s DW_AT_type names; void without one."""
        return (
            self._type(die.get_DIE_from_attribute("DW_AT_type")) if "DW_AT_type" in die.attributes else VOID
        )

    def _type(self, die: DIE) -> CType:
        known = self._types.get(die.offset)
        if known is not None:
            return known
        if die.offset in self._pending:
            raise self._elf.error("a type contains itself", "build it again")
        self._pending.add(die.offset)
        try:
            made = self._make_type(die)
        finally:
            self._pending.discard(die.offset)
        self._types[die.offset] = made
        return made

    def _make_type(self, die: DIE) -> CType:
        name, size = name_of(die), number_of(die, "DW_AT_byte_size") or 0
        match die.tag:
            case "DW_TAG_base_type":
                return Scalar(name, size, scalar_kind(name, number_of(die, "DW_AT_encoding")))
            case "DW_TAG_pointer_type":
                return self._pointer(die)
            case "DW_TAG_typedef":
                return renamed(self._type_of(die), name)
            case "DW_TAG_const_type" | "DW_TAG_volatile_type" | "DW_TAG_restrict_type" | "DW_TAG_atomic_type":
                return self._type_of(die)
            case "DW_TAG_enumeration_type":
                return self._enumeration(die, name, size)
            case "DW_TAG_array_type":
                return self._array(die)
            case "DW_TAG_structure_type" | "DW_TAG_union_type":
                return self._structure(die, name, size)
            case "DW_TAG_subroutine_type":
                return Function("function", 0)
            case _:
                return CType(name or str(die.tag), size)

    def _pointer(self, die: DIE) -> Pointer:
        at = die
        while "DW_AT_type" in at.attributes and at.tag != "DW_TAG_base_type":
            at = at.get_DIE_from_attribute("DW_AT_type")
            if at.tag not in ("DW_TAG_const_type", "DW_TAG_volatile_type"):
                break
        named = name_of(at) or ("void" if at is die else "")
        keyword = {
            "DW_TAG_structure_type": "struct ",
            "DW_TAG_union_type": "union ",
            "DW_TAG_enumeration_type": "enum ",
        }
        text = keyword.get(str(at.tag), "") + (named or "function")
        if at.tag == "DW_TAG_pointer_type" and at is not die:
            text = "void *"
        is_string = at.tag == "DW_TAG_base_type" and named == "char"

        def resolve() -> CType:
            with self._reading():
                return self._type_of(die)

        return Pointer(f"{text} *".replace("* *", "**"), self._elf.bits // 8, resolve, is_string)

    def _enumeration(self, die: DIE, name: str, size: int) -> Enumeration:
        values: dict[int, str] = {}
        for child in die.iter_children():
            if child.tag == "DW_TAG_enumerator":
                values.setdefault(number_of(child, "DW_AT_const_value") or 0, name_of(child))
        return Enumeration(f"enum {name}".strip(), size, min(values, default=0) < 0, values)

    def _array(self, die: DIE) -> CType:
        counts: list[int | None] = []
        for child in die.iter_children():
            if child.tag == "DW_TAG_subrange_type":
                count, upper = number_of(child, "DW_AT_count"), number_of(child, "DW_AT_upper_bound")
                counts.append(count if count is not None else None if upper is None else upper + 1)
        made = self._type_of(die)
        for count in reversed(counts):
            base, bracket, tail = made.name.partition("[")
            made = Array(
                f"{base}[{'' if count is None else count}]{bracket}{tail}",
                made.size * (count or 0),
                made,
                count,
            )
        return made

    def _structure(self, die: DIE, name: str, size: int) -> Structure:
        keyword = "union" if die.tag == "DW_TAG_union_type" else "struct"
        label = f"{keyword} {name}".strip()
        if "DW_AT_declaration" in die.attributes:
            return Structure(label, 0, keyword, (), complete=False)
        members: list[Member] = []
        for child in die.iter_children():
            if child.tag != "DW_TAG_member":
                continue
            bits = number_of(child, "DW_AT_bit_size")
            offset = number_of(child, "DW_AT_data_member_location") or 0
            members.append(Member(name_of(child), offset, self._type_of(child), bits))
        return Structure(label, size, keyword, tuple(members))

    def row_at(self, address: int) -> Row | None:
        """The row of the line table that holds `address`."""
        unit = self.unit_at(address)
        if unit is None:
            return None
        rows = self.rows(unit)
        i = bisect_right(rows, address, key=lambda row: row.start) - 1
        return rows[i] if i >= 0 and rows[i].start <= address < rows[i].end else None

    def files(self, unit: Unit) -> list[str]:
        """The source files that `unit`'s line table names, without decoding its rows."""
        if unit.files is None:
            with self._reading():
                program: Any = self._dwarf.line_program_for_CU(unit.cu)
                unit.files = [] if program is None else file_names(program, unit.cu)
        return unit.files

    def rows(self, unit: Unit) -> list[Row]:
        """The rows of `unit`'s line table in ascending order of address."""
        if unit.rows is None:
            with self._reading():
                unit.rows = self._decode_rows(unit)
        return unit.rows

    def _decode_rows(self, unit: Unit) -> list[Row]:
        program: Any = self._dwarf.line_program_for_CU(unit.cu)
        if program is None:
            return []
        if program.program_end_offset - program.program_start_offset > LINE_PROGRAM_LIMIT_BYTES:
            raise self._elf.error("a line table is larger than 1 MiB", "build it in smaller files")
        names = self.files(unit)
        rows: list[Row] = []
        before: Any = None
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            if before is not None and not before.end_sequence and before.address < state.address:
                file = names[int(before.file)] if before.file < len(names) else ""
                rows.append(Row(before.address, state.address, file, before.line, bool(before.is_stmt)))
            before = state
        rows.sort(key=lambda row: row.start)
        return rows
