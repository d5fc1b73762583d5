# SPDX-License-Identifier: GPL-2.0-or-later
"""Names for addresses and addresses for names: symbols, source lines, types, tracepoints.

The symbol table is read first and is enough for most questions; debug information is opened when a line or
a type is asked for (see emu.guest.dwarf).
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from emu.bits import LinearAddress, hexadecimal
from emu.guest.c_types import CType, Enumeration, Function, Label, Pointer, Scalar, Structure
from emu.guest.dwarf import DebugInfo
from emu.guest.elf import SHN_ABS, STT_FUNC, Elf
from emu.guest.near import did_you_mean, near_names, plus, shown

TRACEPOINT_PREFIX: Final = "trace_"
ARGUMENT_REGISTERS: Final = ("rdi", "rsi", "rdx", "rcx", "r8", "r9")


class SymbolError(Exception):
    """A name or a source line that the guest does not have. One line, with the near names."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A named place: `size` in bytes (0 if unknown), `file` the source file of a static one."""

    name: str
    address: LinearAddress
    size: int
    is_function: bool
    file: str = ""

    @property
    def end(self) -> LinearAddress:
        """The first address behind it."""
        return LinearAddress(self.address + self.size)


class SourceLine(NamedTuple):
    """A line of a source file: the path as the build recorded it, and the number from 1."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a tracepoint and its C type (`type.kind`: int, unsigned, string, enum, pointer, ...)."""

    name: str
    type: CType


@dataclass(frozen=True, slots=True)
class Tracepoint:
    """A function `trace_NAME` that the machine stops at; `name` is without the prefix.

    At most six parameters: those that arrive in registers (System V ABI for AMD64, "Parameter Passing",
    3.2.3).
    """

    name: str
    address: LinearAddress
    parameters: tuple[Parameter, ...]

    def arguments(
        self, registers: Sequence[int], read_string: Callable[[LinearAddress], str]
    ) -> dict[str, int | str]:
        """The arguments by name, from the values of rdi, rsi, rdx, rcx, r8, r9.

        Enumerators by name, text for `char *` (read_string gets the address), signed numbers where the
        type is.
        """
        values: dict[str, int | str] = {}
        for parameter, register in zip(self.parameters, registers, strict=False):
            kind, size = parameter.type, parameter.type.size
            if isinstance(kind, Pointer) and kind.is_string:
                values[parameter.name] = read_string(LinearAddress(register)) if register else "(null)"
            else:
                raw = (register & ((1 << 8 * size) - 1)).to_bytes(size, "little")
                decoded = kind.decode(raw)
                values[parameter.name] = decoded if not isinstance(decoded, bytes) else register
        return values


class SymbolTable:
    """The symbols of one ELF file, called `name` in messages. GuestImageError if the file is damaged."""

    def __init__(self, elf: Elf, name: str) -> None:
        """Nothing is read yet."""
        self.name = name
        self.bits = elf.bits
        self.debug = DebugInfo(elf)
        self._elf = elf

    @cached_property
    def _by_name(self) -> dict[str, list[Symbol]]:
        table: dict[str, list[Symbol]] = {}
        for raw in self._elf.raw_symbols():
            symbol = Symbol(raw.name, LinearAddress(raw.address), raw.size, raw.type == STT_FUNC, raw.file)
            table.setdefault(raw.name, []).append(symbol)
        return table

    @cached_property
    def _by_address(self) -> tuple[list[int], list[tuple[Symbol, int]]]:
        """Ascending addresses, and for each its best symbol and where that symbol's reach ends."""
        best: dict[int, tuple[tuple[int, int, str], Symbol, int]] = {}
        sections = self._elf.sections
        for raw in self._elf.raw_symbols():
            if raw.section == SHN_ABS or raw.section >= len(sections):
                continue
            section_end = sections[raw.section].address + sections[raw.section].size
            symbol = Symbol(raw.name, LinearAddress(raw.address), raw.size, raw.type == STT_FUNC, raw.file)
            rank = (raw.size == 0, not raw.is_global, raw.name)
            if raw.address not in best or rank < best[raw.address][0]:
                best[raw.address] = (rank, symbol, symbol.end if raw.size else section_end)
        addresses = sorted(best)
        return addresses, [(best[a][1], best[a][2]) for a in addresses]

    def names(self) -> Iterable[str]:
        """Every symbol's name."""
        return self._by_name.keys()

    def near(self, name: str) -> list[str]:
        """The names closest to `name`, best first."""
        return near_names(name, self.names())

    def get(self, name: str) -> Symbol | None:
        """The symbol `name`, or `file.c:name` for one of several static ones; None if there is none.

        Raises SymbolError if `name` alone could mean several.
        """
        file, _, plain = name.rpartition(":")
        found = self._by_name.get(plain, [])
        if file:
            found = [s for s in found if s.file == file or s.file.endswith("/" + file)]
        elif any(not s.file for s in found):
            found = [s for s in found if not s.file]
        if len(found) > 1 and len({s.address for s in found}) > 1:
            choices = " or ".join(sorted(f"{s.file}:{s.name}" for s in found))
            raise SymbolError(f"{self.name} has {len(found)} symbols {plain}: write {shown(choices)}")
        return found[0] if found else None

    def symbol(self, name: str) -> Symbol:
        """The symbol `name`; SymbolError with the near names if there is none."""
        found = self.get(name)
        if found is None:
            raise SymbolError(f"no symbol {shown(name)} in {self.name}: {did_you_mean(name, self.names())}")
        return found

    def address_of(self, name: str) -> LinearAddress:
        """The linear address of the symbol `name`; SymbolError if there is none."""
        return self.symbol(name).address

    def find(self, address: int) -> tuple[Symbol, int] | None:
        """The symbol that holds `address` and the offset in it; None between symbols."""
        addresses, symbols = self._by_address
        i = bisect_right(addresses, address) - 1
        for at in range(i, max(i - 8, -1), -1):
            symbol, end = symbols[at]
            if address < end:
                return symbol, address - symbol.address
        return None

    def name_address(self, address: int) -> str | None:
        """ "symbol" or "symbol+0x10"; None between symbols."""
        found = self.find(address)
        return plus(found[0].name, found[1]) if found else None

    def functions(self) -> list[Symbol]:
        """Every function with its size, in ascending order of address."""
        found = {s for symbols in self._by_name.values() for s in symbols if s.is_function and s.size}
        return sorted(found, key=lambda s: (s.address, s.name))

    def line_at(self, address: int) -> SourceLine | None:
        """The source line that the instruction at `address` comes from; None where there is none."""
        row = self.debug.row_at(address)
        return SourceLine(row.file, row.line) if row and row.line else None

    @cached_property
    def code_by_line(self) -> dict[SourceLine, set[int]]:
        """Every address whose instruction comes from a line, by line. Reads the whole debug information."""
        found: dict[SourceLine, set[int]] = {}
        for unit in self.debug.units:
            for row in self.debug.rows(unit):
                if row.line:
                    found.setdefault(SourceLine(row.file, row.line), set()).update(range(row.start, row.end))
        return found

    def _files_matching(self, file: str) -> set[str]:
        return {
            known
            for unit in self.debug.units
            for known in self.debug.files(unit)
            if known == file or known.endswith("/" + file)
        }

    def _file(self, file: str) -> str:
        """The recorded path of `file`, which may lack leading folders; SymbolError if none or several fit."""
        matching = self._files_matching(file)
        if len(matching) > 1:
            raise SymbolError(
                f"{shown(file)} could be {shown(' or '.join(sorted(matching)))}: write more of the path"
            )
        if not matching:
            known = {name for unit in self.debug.units for name in self.debug.files(unit) if name}
            near = did_you_mean(file, known | {k.rpartition("/")[2] for k in known})
            raise SymbolError(f"no source file {shown(file)} in {self.name}: {near}")
        return matching.pop()

    def lines_with_code(self, file: str) -> list[int]:
        """The lines of `file` that instructions come from, ascending."""
        path = self._file(file)
        units = [u for u in self.debug.units if path in self.debug.files(u)]
        return sorted({r.line for u in units for r in self.debug.rows(u) if r.file == path and r.line})

    def addresses_of(self, file: str, line: int) -> list[LinearAddress]:
        """Where the code of `line` begins, each stretch of it once, ascending.

        SymbolError, with the near lines, if no code comes from it.
        """
        path = self._file(file)
        starts: list[int] = []
        for unit in self.debug.units:
            if path not in self.debug.files(unit):
                continue
            before = None
            for row in self.debug.rows(unit):
                here = row.file == path and row.line == line
                if here and row.is_stmt and not (before and before.end == row.start):
                    starts.append(row.start)
                before = row if here else None
        if not starts:
            near = sorted(sorted(self.lines_with_code(path), key=lambda n: abs(n - line))[:3])
            there = f"near it: {', '.join(map(str, near))}" if near else "the file has none"
            raise SymbolError(f"no code comes from {shown(path)}:{line}; {there}")
        return [LinearAddress(a) for a in sorted(set(starts))]

    def type_of(self, name: str) -> CType:
        """The type of the global `name`; a Label where nothing describes it. Raises SymbolError."""
        symbol = self.symbol(name)
        if symbol.is_function:
            return Function("function", 0)
        found = self.debug.variable_type(symbol.name, symbol.address)
        return found if found is not None else Label("label", 0)

    def structure(self, name: str) -> Structure:
        """The layout of `struct name` (or union); SymbolError if the debug information has none."""
        found = self.debug.structure(name)
        if found is None:
            raise SymbolError(
                f"no struct {shown(name)} in {self.name}: check the name and build with -gdwarf-4"
            )
        return found

    def enumeration(self, name: str) -> dict[int, str]:
        """Number -> enumerator of `enum name`; empty if the debug information has none."""
        found = self.debug.enumeration(name)
        return dict(found.values) if found else {}

    def tracepoints(self) -> list[Tracepoint]:
        """The functions `trace_NAME` in order of address; none in a 32-bit kernel (arguments on the stack)."""
        if self.bits != 64:
            return []
        return [
            Tracepoint(f.name.removeprefix(TRACEPOINT_PREFIX), f.address, self._register_parameters(f))
            for f in self.functions()
            if f.name.startswith(TRACEPOINT_PREFIX) and f.name != TRACEPOINT_PREFIX
        ]

    def _register_parameters(self, function: Symbol) -> tuple[Parameter, ...]:
        """The parameters up to the first that is not in a general register."""
        taken: list[Parameter] = []
        for name, kind in (self.debug.parameters(function.name, function.address) or [])[
            : len(ARGUMENT_REGISTERS)
        ]:
            if not isinstance(kind, Scalar | Enumeration | Pointer) or not 0 < kind.size <= 8:
                break
            taken.append(Parameter(name or f"argument{len(taken)}", kind))
        return tuple(taken)


class Symbols:
    """The kernel's table and one for each program, by the program's name."""

    def __init__(self, kernel: SymbolTable | None, programs: Mapping[str, SymbolTable] | None = None) -> None:
        """From the kernel\'s table (None: unknown) and program name -> table."""
        self.kernel = kernel
        self.programs = dict(programs or {})

    def is_kernel_address(self, linear: int) -> bool:
        """Whether `linear` is in the high half, which belongs to the kernel in every address space."""
        return bool(linear >> 63) or (
            self.kernel is not None and self.kernel.bits == 32 and linear >> 31 == 1
        )

    def scope(self, process: str | None = None) -> list[SymbolTable]:
        """The tables in which a name is looked up: of the program in `process`, then the kernel's."""
        tables = [self.programs[process]] if process in self.programs else []
        return [*tables, self.kernel] if self.kernel else tables

    def table_at(self, linear: int, process: str | None = None) -> SymbolTable | None:
        """The table that knows `linear` in `process` (None: before there are processes)."""
        if self.is_kernel_address(linear) or process is None:
            return self.kernel
        return self.programs.get(process)

    def name_address(self, linear: LinearAddress, process: str | None = None) -> str:
        """ "symbol+0x10" where something is named, else the number."""
        table = self.table_at(linear, process)
        return (table.name_address(linear) if table else None) or hexadecimal(linear)

    def line_at(self, linear: LinearAddress, process: str | None = None) -> SourceLine | None:
        """The source line that the instruction at `linear` in `process` comes from."""
        table = self.table_at(linear, process)
        return table.line_at(linear) if table else None

    def address_of(self, name: str, process: str | None = None) -> LinearAddress:
        """The address of `name`, in the program first; SymbolError with the near names if nobody has it."""
        tables = self.scope(process)
        for table in tables:
            found = table.get(name)
            if found:
                return found.address
        where = " or ".join(t.name for t in tables) or "the guest"
        near = did_you_mean(name, [n for t in tables for n in t.names()])
        raise SymbolError(f"no symbol {shown(name)} in {where}: {near}")
