# SPDX-License-Identifier: GPL-2.0-or-later
"""Questions to a machine, answered in the guest's own names. Asking changes nothing and leaves no trace.

The guest's tables (processes, frames, areas) are read through its debug information. A kernel without them (one of
the user's own) answers None or an empty list, and the panels say so.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from emu.bits import OFFSET_MASK, PAGE_BYTES, LinearAddress, PhysicalAddress, hexadecimal
from emu.guest.c_types import Array, Pointer, Structure
from emu.guest.disasm import Line, disassemble
from emu.guest.expression import ExpressionError, Value, evaluate, resolve_address
from emu.guest.symbols import SourceLine, SymbolError, Symbols, SymbolTable
from emu.machine import Machine
from emu.mem import PhysicalMemory
from emu.paging.rights import Controls
from emu.paging.walk import Walk, load_pdptes, walk
from emu.view.names import DIRECT_MAP, area_of, name_of
from emu.view.scene import linear_text

_TABLE_OWNERS: Final = {
    "FRAME_FREE": "free",
    "FRAME_RESERVED": "reserved",
    "FRAME_KERNEL": "kernel",
    "FRAME_TABLE": "table",
    "FRAME_SLAB": "slab",
    "FRAME_USER": "user",
    "FRAME_UKSHM": "shared",
    "FRAME_MODULE": "module",
    "FRAME_FILE": "file",
}
SWAP_EXEMPT: Final = 2
FORKED: Final = 32
"""Flags of a frame as the kernel numbers them: reclaim passes it by; a fork has made it its whole family's."""


@dataclass(frozen=True, slots=True)
class Area:
    """A range of a process's address space: [start, end), what it is, and its rights as "r", "rw" or "rx"."""

    start: int
    end: int
    kind: str
    rights: str


@dataclass(frozen=True, slots=True)
class Process:
    """A process as the guest kernel's table has it. `root` is the physical address of its root table."""

    pid: int
    name: str
    state: str
    root: int
    areas: tuple[Area, ...]

    def __str__(self) -> str:
        return f"{self.name}({self.pid})"


@dataclass(frozen=True, slots=True)
class Frame:
    """A 4 KiB frame: owner is "free", "reserved", "kernel", "table", "slab", "user", "shared", "module", "file"."""

    number: int
    owner: str
    pid: int
    swap_exempt: bool


@dataclass(frozen=True, slots=True)
class FrameTable:
    """The guest's frame table as columns, an item for each frame; `names` gives the owner of an owner's number."""

    owners: bytes
    flags: bytes
    pids: tuple[int, ...]
    names: dict[int, str]


class Inspector:
    """Looks at one machine with the symbols of its guest."""

    def __init__(self, machine: Machine, symbols: Symbols) -> None:
        self.machine = machine
        self.symbols = symbols
        self.own_sources: Path | None = None
        """A folder with files of the guest's that this machine has in another version; None for none."""
        self._pointers: dict[str, list[tuple[str, LinearAddress]]] = {}

    # -- memory ---------------------------------------------------------------------------------------------------

    def read(self, linear: LinearAddress, count: int, root: int | None = None) -> bytes:
        """`count` bytes at `linear` as memory maps them now, rights aside. ExpressionError where nothing is mapped."""
        data = b""
        while len(data) < count:
            at = LinearAddress(linear + len(data))
            found = self.walk(at, root)
            physical = PhysicalAddress(at) if found is None else self._physical(found)
            data += self.machine.memory.read(
                physical, min(count - len(data), PAGE_BYTES - (at & OFFSET_MASK))
            )
        return data

    @staticmethod
    def _physical(found: Walk) -> PhysicalAddress:
        if not found.complete:
            raise ExpressionError(f"nothing is mapped at {hexadecimal(found.linear)}")
        return found.physical

    def walk(self, linear: LinearAddress, root: int | None = None) -> Walk | None:
        """The walk of `linear` in the current address space, or under `root`; None while paging is off."""
        controls = self.machine.mmu.controls
        if controls is None:
            return None
        if root is not None and root != controls.root:
            controls = _under(self.machine.memory, controls, PhysicalAddress(root))
        return walk(self.machine.memory.read_entry, linear, controls)

    # -- the guest's tables ---------------------------------------------------------------------------------------

    @cached_property
    def _kernel(self) -> SymbolTable | None:
        kernel = self.symbols.kernel
        return kernel if kernel is not None and kernel.bits == 64 else None

    def _kernel_read(self, linear: LinearAddress, count: int) -> bytes:
        return self.read(linear, count)

    @cached_property
    def _proc_table(self) -> tuple[LinearAddress, Structure, int] | None:
        return self._array("procs")

    def _array(self, name: str) -> tuple[LinearAddress, Structure, int] | None:
        """(address, element layout, count) of a global array of structures."""
        kernel = self._kernel
        if kernel is None or kernel.get(name) is None:
            return None
        kind = kernel.type_of(name)
        if not isinstance(kind, Array) or not isinstance(kind.element, Structure):
            return None
        return kernel.address_of(name), kind.element, kind.size // kind.element.size

    def processes(self) -> list[Process]:
        """Every process that lives, by slot; empty before the kernel has any."""
        table = self._proc_table
        if table is None or self.machine.mmu.controls is None:
            return []
        address, layout, count = table
        try:
            raw = self._kernel_read(address, layout.size * count)
        except ExpressionError:
            return []
        processes = (
            self._process(layout, raw[i * layout.size : (i + 1) * layout.size]) for i in range(count)
        )
        return [p for p in processes if p is not None]

    def _process(self, layout: Structure, raw: bytes) -> Process | None:
        fields = {name: _field(layout, raw, name) for name in ("pid", "name", "state", "root", "area_count")}
        state = str(fields["state"]).removeprefix("PROC_").lower()
        root = fields["root"]
        if state == "unused" or not isinstance(root, int) or not root:
            return None
        count = fields["area_count"]
        areas = tuple(_areas(layout, raw, count)) if isinstance(count, int) else ()
        name = fields["name"]
        return Process(int(fields["pid"]), name if isinstance(name, str) else "?", state, root, areas)

    def process(self) -> Process | None:
        """The process whose address space is loaded; None before the first and while the idle process runs."""
        controls = self.machine.mmu.controls
        if controls is None:
            return None
        found = [p for p in self.processes() if p.root == controls.root and p.pid > 0]
        return found[0] if found else None

    def process_named(self, name: str) -> Process | None:
        """A process by name or pid in digits."""
        return next((p for p in self.processes() if name in (p.name, str(p.pid))), None)

    @cached_property
    def _frame_layout(self) -> tuple[int, int, int, int, dict[int, str]] | None:
        """(record size, offsets of owner, flags, pid, number -> owner) of the guest's frame table."""
        kernel = self._kernel
        if kernel is None or kernel.get("frames") is None:
            return None
        try:
            layout = kernel.structure("frame")
        except SymbolError:
            return None
        owner_at, flags_at, pid_at = (_offset(layout, name) for name in ("owner", "flags", "pid"))
        owners = {
            number: _TABLE_OWNERS.get(name, name)
            for number, name in kernel.enumeration("frame_owner").items()
        }
        return layout.size, owner_at, flags_at, pid_at, owners

    def frame_table(self) -> "FrameTable | None":
        """The guest's frame table, column by column; None before the kernel has one. Far cheaper than `frames`."""
        layout = self._frame_layout
        if layout is None or self.machine.mmu.controls is None:
            return None
        size, owner_at, flags_at, pid_at, owners = layout
        try:
            first, count = int(self.value("frames")), int(self.value("frame_count"))
            if not first or count > self.machine.memory.frames:
                return None
            raw = self._kernel_read(LinearAddress(first), size * count)
        except (ExpressionError, SymbolError):
            return None
        pids = memoryview(raw).cast("i")[pid_at // 4 :: size // 4].tolist()
        return FrameTable(raw[owner_at::size], raw[flags_at::size], tuple(pids), owners)

    def frames(self) -> list[Frame]:
        """Every frame of RAM by number; empty before the kernel has its frame table."""
        table = self.frame_table()
        if table is None:
            return []
        return [
            Frame(i, table.names.get(owner, "?"), pid, bool(flags & SWAP_EXEMPT))
            for i, (owner, flags, pid) in enumerate(zip(table.owners, table.flags, table.pids, strict=True))
        ]

    def frame(self, number: int) -> Frame | None:
        """One frame of the guest's table."""
        frames = self.frames()
        return frames[number] if number < len(frames) else None

    # -- names ----------------------------------------------------------------------------------------------------

    @property
    def scope(self) -> list[SymbolTable]:
        """The symbol tables in which names are looked up now: the running program's, then the kernel's."""
        process = self.process()
        return self.symbols.scope(process.name if process else None)

    def value(self, expression: str, process: Process | None = None) -> Value:
        """The value of a C expression over globals. ExpressionError with the near names."""
        tables = self.symbols.scope(process.name) if process else self.scope
        root = process.root if process else None
        return evaluate(expression, tables, lambda at, count: self.read(at, count, root))

    def address(self, text: str, process: Process | None = None) -> LinearAddress:
        """The address that a number, `symbol[+n]` or `*expression` names. ExpressionError with the near names."""
        tables = self.symbols.scope(process.name) if process else self.scope
        root = process.root if process else None
        return resolve_address(text, tables, lambda at, count: self.read(at, count, root))

    def name(self, linear: int, process: Process | None = None) -> str:
        """What lies at `linear`, in words where there are any: a symbol, an area, the direct map; else the number."""
        process = process or self.process()
        program = process.name if process else None
        return name_of(
            linear,
            lambda at: self.symbol_at(at, program),
            process,
            self.pointers(process),
            self.machine.memory.size_bytes,
        )

    def symbol_at(self, linear: LinearAddress, program: str | None) -> str:
        """ "symbol+0x10" where something is named, else the number, as wide as linear addresses are now."""
        named = self.symbols.name_address(linear, program)
        return linear_text(linear, self.machine.mmu.controls) if named.startswith("0x") else named

    def pointers(self, process: Process | None) -> dict[str, int]:
        """The values of the global pointers of `process`'s program, by name; those that point nowhere left out."""
        if process is None:
            return {}
        found: dict[str, int] = {}
        for name, address in self._pointer_places(process.name):
            try:
                value = int.from_bytes(self.read(address, 8, process.root), "little")
            except ExpressionError:
                continue
            if value:
                found[name] = value
        return found

    def _pointer_places(self, program: str) -> list[tuple[str, LinearAddress]]:
        """(name, address) of each global pointer of `program`, found once."""
        if program not in self._pointers:
            table = self.symbols.programs.get(program)
            self._pointers[program] = _global_pointers(table) if table is not None else []
        return self._pointers[program]

    @staticmethod
    def area_of(linear: int, process: Process | None) -> Area | None:
        """The area of `process` that holds `linear`."""
        return area_of(linear, process)

    def kernel_alias(self, linear: LinearAddress) -> LinearAddress:
        """The address under which the kernel's direct map reaches the same byte. ExpressionError if nothing does."""
        found = self.walk(linear)
        if found is None:
            return linear
        return LinearAddress(DIRECT_MAP + self._physical(found))

    # -- code -----------------------------------------------------------------------------------------------------

    def rip(self) -> LinearAddress:
        """The next instruction's address."""
        return LinearAddress(self.machine.cpu.engine.context.save().rip)

    def source(self, linear: LinearAddress) -> SourceLine | None:
        """The source line of the code at `linear`."""
        process = self.process()
        return self.symbols.line_at(linear, process.name if process else None)

    def disassembly(self, linear: LinearAddress, count: int) -> list[Line]:
        """`count` instructions from `linear`; fewer where nothing is mapped."""
        code = self.machine.cpu.code_bytes(linear, 15 * count)
        bits = 64 if self.machine.cpu.in_64_bit_code() else 32
        return disassemble(code, linear, count, bits)


def _under(memory: PhysicalMemory, controls: Controls, root: PhysicalAddress) -> Controls:
    """`controls` with another root; under PAE with the PDPTEs that a load of CR3 would put into the registers."""
    pdptes = controls.pdptes
    if controls.mode.root_in_registers:
        pdptes = load_pdptes(memory.read_entry, root, controls.maxphyaddr) or ()
    return replace(controls, root=root, pdptes=pdptes)


def _global_pointers(table: SymbolTable) -> list[tuple[str, LinearAddress]]:
    places: list[tuple[str, LinearAddress]] = []
    for name in sorted(table.names()):
        try:
            symbol = table.get(name)
            if symbol is None or symbol.is_function or symbol.file or symbol.size != 8:
                continue
            if isinstance(table.type_of(name), Pointer):
                places.append((name, symbol.address))
        except SymbolError:
            continue
    return places


def _offset(layout: Structure, name: str) -> int:
    member = layout.member(name)
    return member.offset if member is not None else 0


def _field(layout: Structure, raw: bytes, name: str) -> int | str | bytes:
    member = layout.member(name)
    if member is None:
        return 0
    return member.type.decode(raw[member.offset : member.offset + member.type.size])


def _areas(layout: Structure, raw: bytes, count: int) -> Iterator[Area]:
    member = layout.member("areas")
    if member is None or not isinstance(member.type, Array) or not isinstance(member.type.element, Structure):
        return
    element = member.type.element
    for i in range(min(count, member.type.size // element.size)):
        start = member.offset + i * element.size
        part = raw[start : start + element.size]
        kind = str(_field(element, part, "kind")).removeprefix("AREA_").lower().replace("_", " ")
        rights = _rights(_field(element, part, "protection"))
        low, high = _field(element, part, "start"), _field(element, part, "end")
        if isinstance(low, int) and isinstance(high, int):
            yield Area(low, high, kind, rights)


def _rights(protection: int | str | bytes) -> str:
    if isinstance(protection, int):
        return "".join(letter for bit, letter in ((1, "r"), (2, "w"), (4, "x")) if protection & bit) or "-"
    return str(protection).removeprefix("PROT_").lower()
