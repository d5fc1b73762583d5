# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest of a few dozen instructions: it enters long mode and jumps to the code under test, in ring 0 or 3.

Every vector's handler is one HLT with interrupts off, unless a test gives its own: the machine ends there, and RIP
tells which vector it was.

    linear              physical   what
    0x0000-0x1f_ffff    the same   supervisor: GDT 0x1000, IDT 0x2000, TSS 0x3000, boot 0x7000, stacks, handlers
    0x40_0000           0x10_0000  four pages of code under test, user
    0x50_0000           0x11_0000  two pages of stack, user
    0x60_0000           0x12_0000  four pages of data, user; nothing mapped behind them
    0xffff_8000_...     0          all of RAM, supervisor
"""

import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from emu.bits import PAGE_BYTES, LinearAddress, PhysicalAddress
from emu.cpu.engine import CR2
from emu.cpu.model import parse
from emu.events import Accessed, Event, Faulted
from emu.machine import Boot, Ended, Machine, Stop
from emu.mem import PhysicalMemory
from emu.paging.build import TableBuilder
from emu.paging.modes import FIVE_LEVEL, FOUR_LEVEL, PagingMode
from emu.tlb.geometry import Geometry
from emu.tlb.geometry_file import geometry

GDT, IDT, TSS, BOOT, STACK0, IST1, HANDLERS = 0x1000, 0x2000, 0x3000, 0x7000, 0xA000, 0xC000, 0xE000
CODE, STACK, DATA, DATA_END, DIRECT = 0x40_0000, 0x50_2000, 0x60_0000, 0x60_4000, 0xFFFF_8000_0000_0000
CODE_FRAME, STACK_FRAME, DATA_FRAME, TABLES = 0x10_0000, 0x11_0000, 0x12_0000, 0x40_0000
CODE_TABLE, DATA_TABLE = TABLES + 0x4000, TABLES + 0x5000
"""The page tables that map code and stack, and data."""
USER_PAGE, SUPERVISOR_PAGE = 7, 3
LA57 = 1 << 12
CODE0, DATA0, DATA3, CODE3, TASK = 0x08, 0x10, 0x23, 0x2B, 0x30
REGISTERS = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split()
MEMORY_MIB = 8

_START = """
.intel_syntax noprefix
.code32
    lgdt [{gdtr}]
    mov eax, {cr4}
    mov cr4, eax
    mov eax, {root}
    mov cr3, eax
    mov ecx, 0xC0000080
    mov eax, {efer}
    xor edx, edx
    wrmsr
    mov eax, 0x80010011
    mov cr0, eax
    .byte 0xea
    .long {boot} + long_mode - start
    .word 8
.code64
long_mode:
    lidt [{idtr}]
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov ax, {task}
    ltr ax
    mov ecx, 0xC0000081
    xor eax, eax
    mov edx, 0x00180008
    wrmsr
    mov ecx, 0xC0000082
    mov eax, {syscall}
    xor edx, edx
    wrmsr
    mov ecx, 0xC0000084
    mov eax, 0x47700
    wrmsr
    mov rsp, {stack0}
    xor eax, eax
    xor ecx, ecx
    xor edx, edx
    push {ss}
    push {rsp}
    push {flags}
    push {cs}
    push {code}
    iretq
"""


def assemble(source: str) -> bytes:
    """The machine code of Intel-syntax `source`; labels and jumps inside it work."""
    if ".code32" not in source:
        source = f".intel_syntax noprefix\n{source}\n"
    return _assemble(source)


@cache
def _assemble(source: str) -> bytes:
    pytest.importorskip("ziglang", reason="assembling test guests needs pagewalk[guest]")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "code.S"
        path.write_text("start:\n" + source)
        built = path.with_suffix(".o")
        command = [
            sys.executable,
            "-m",
            "ziglang",
            "cc",
            "-target",
            "x86_64-freestanding",
            "-c",
            path,
            "-o",
            built,
        ]
        subprocess.run(list(map(str, command)), check=True, cwd=folder)
        return _text_of(built.read_bytes())


def _text_of(elf: bytes) -> bytes:
    """The .text section of a relocatable ELF64 file."""
    at, _, _, _, _, size, count, names = struct.unpack_from("<QIHHHHHH", elf, 40)
    headers = [struct.unpack_from("<IIQQQQ", elf, at + size * n) for n in range(count)]
    strings = headers[names][4]
    for name, _, _, _, offset, length in headers:
        if elf[strings + name :].split(b"\0", 1)[0] == b".text":
            return elf[offset : offset + length]
    raise ValueError("no .text")


def segment_descriptor(access: int, flags: int) -> int:
    """A flat descriptor: `access` is byte 5, `flags` the high half of byte 6."""
    return 0xFFFF | access << 40 | 0xF << 48 | flags << 52


def gate(offset: int, ist: int = 0, kind: int = 0x8E, selector: int = CODE0) -> bytes:
    return struct.pack(
        "<HHBBHII", offset & 0xFFFF, selector, ist, kind, offset >> 16 & 0xFFFF, offset >> 32, 0
    )


MAP_DATA = f"""
    push rax
    push rbx
    mov rax, cr2
    shr rax, 12
    and eax, 511
    mov rbx, {DIRECT + DATA_TABLE:#x}
    lea rbx, [rbx + rax * 8]
    shl rax, 12
    add rax, {DATA_FRAME + USER_PAGE:#x}
    mov [rbx], rax
    pop rbx
    pop rax
    add rsp, 8
    iretq
"""
"""A page-fault handler that maps the data page that is missing, and goes back."""


class Guest:
    """A machine that is about to execute the first instruction of the code under test."""

    def __init__(
        self,
        code: str | bytes,
        ring: int = 0,
        *,
        tlb: Geometry | str = "haswell",
        flags: int = 2,
        cr4: int = 0,
        efer: int = 0,
        pages: "Pages | None" = None,
        handlers: Mapping[int, str] | None = None,
        gates: Mapping[int, bytes] | None = None,
        io_bitmap: bytes = b"\xff" * 32,
        data: Mapping[int, bytes] | None = None,
        rip: int = CODE,
        keep_history: bool = False,
        start: bool = True,
        mode: PagingMode = FOUR_LEVEL,
        model: str = "full",
    ) -> None:
        """`pages`: linear -> (physical, flags[, size]), or None for not mapped. `data`: physical -> bytes."""
        machine_code = code if isinstance(code, bytes) else assemble(code)
        self.code_bytes = len(machine_code)
        memory = PhysicalMemory(MEMORY_MIB << 20)
        put = lambda address, content: memory.write(PhysicalAddress(address), content)  # noqa: E731
        self.tables = make_tables(memory, mode, pages or {}, DIRECT)
        put(CODE_FRAME, machine_code)
        self._put_tables(put, ring, cr4 | (LA57 if mode is FIVE_LEVEL else 0), efer, flags, rip, io_bitmap)
        handler_code = dict(handlers or {})
        for vector in range(256):
            put(IDT + 16 * vector, gate(HANDLERS + 16 * vector, kind=0xEE if vector == 3 else 0x8E))
            put(HANDLERS + 16 * vector, b"\xf4")
        place = HANDLERS + PAGE_BYTES
        for vector, text in handler_code.items():
            body = assemble(text)
            put(place, body)
            put(IDT + 16 * vector, gate(place, kind=0xEE if vector in (3, 0x80) else 0x8E))
            place += len(body) + 15 & ~15
        for vector, content in (gates or {}).items():
            put(IDT + 16 * vector, content)
        for address, content in (data or {}).items():
            put(address, content)
        self._boot(memory, rip, tlb=tlb, keep_history=keep_history, start=start, model=model)

    def _boot(
        self,
        memory: PhysicalMemory,
        rip: int,
        *,
        tlb: Geometry | str,
        keep_history: bool,
        start: bool,
        model: str,
    ) -> None:
        """Make the machine of what `memory` holds; with `start`, run it to the code under test at `rip`."""
        segments = tuple(
            (PhysicalAddress(frame << 12), memory.frame(frame)) for frame in sorted(memory.written)
        )
        self.machine = Machine(
            Boot(segments, BOOT, 0, memory_mib=MEMORY_MIB),
            geometry(tlb) if isinstance(tlb, str) else tlb,
            keep_history=keep_history,
            model=parse(model),
        )
        self.events: list[Event] = []
        if start:
            assert self.machine.run_until(200, {rip}) is Stop.BREAK, (
                "the boot did not reach the code under test"
            )
        self.first_insn = self.machine.journal.insn
        self.machine.journal.observers.append(self.events.append)

    def _put_tables(
        self, put: object, ring: int, cr4: int, efer: int, flags: int, rip: int, io_bitmap: bytes
    ) -> None:
        assert callable(put)
        task_limit = 0x68 + len(io_bitmap)
        task = struct.pack("<QQ", task_limit & 0xFFFF | TSS << 16 | 0x89 << 40 | (TSS >> 24) << 56, TSS >> 32)
        descriptors = (
            0,
            segment_descriptor(0x9B, 0xA),
            segment_descriptor(0x93, 0xC),
            segment_descriptor(0xFB, 0xC),
            segment_descriptor(0xF3, 0xC),
            segment_descriptor(0xFB, 0xA),
        )
        put(GDT, struct.pack("<6Q", *descriptors) + task)
        put(GDT + 0x100, struct.pack("<HQ", 6 * 8 + 15, GDT))
        put(GDT + 0x110, struct.pack("<HQ", 256 * 16 - 1, IDT))
        state = bytearray(0x68)
        struct.pack_into("<Q", state, 4, STACK0)
        struct.pack_into("<Q", state, 0x24, IST1)
        struct.pack_into("<H", state, 0x66, 0x68)
        put(TSS, bytes(state) + io_bitmap + b"\xff")
        source = _START.format(
            gdtr=GDT + 0x100,
            idtr=GDT + 0x110,
            cr4=0x620 | cr4,
            root=TABLES,
            efer=0x901 | efer,
            boot=BOOT,
            task=TASK,
            syscall=HANDLERS + 16 * 255,
            stack0=STACK0,
            ss=DATA3 if ring else DATA0,
            rsp=STACK,
            flags=flags,
            cs=CODE3 if ring else CODE0,
            code=rip,
        )
        put(BOOT, assemble(source))

    # -- running

    def run(self, instructions: int = 10_000) -> Ended | None:
        """Run to the end, or for `instructions`."""
        self.machine.run(instructions)
        return self.machine.ended

    @property
    def executed(self) -> int:
        """Instructions since the code under test began."""
        return self.machine.journal.insn - self.first_insn

    @property
    def rip(self) -> int:
        return self.machine.cpu.engine.context.save().rip

    def reg(self, name: str) -> int:
        return self.machine.cpu.engine.context.save().gpr(REGISTERS.index(name))

    def read(self, physical: int, count: int = 8) -> int:
        return int.from_bytes(self.machine.memory.read(PhysicalAddress(physical), count), "little")

    @property
    def vector(self) -> int | None:
        """The vector in whose handler the machine stands, None outside all of them."""
        place = self.rip - 1
        if not HANDLERS <= place < HANDLERS + PAGE_BYTES:
            return None
        return (place - HANDLERS) // 16

    @property
    def frame(self) -> tuple[int, ...]:
        """What was pushed for the handler: [error code,] RIP, CS, RFLAGS, RSP, SS."""
        with_error = self.vector in (8, 10, 11, 12, 13, 14, 17)
        pushed = self.machine.cpu.code_bytes(self.reg("rsp"), 40 + 8 * with_error)
        return struct.unpack(f"<{5 + with_error}Q", pushed)

    @property
    def cr2(self) -> int:
        return self.machine.cpu.engine.read(CR2)

    @property
    def faults(self) -> list[Faulted]:
        return [event for event in self.events if isinstance(event, Faulted)]

    @property
    def accesses(self) -> list[Accessed]:
        return [event for event in self.events if isinstance(event, Accessed)]

    def entry(self, linear: int, level: str = "PTE") -> PhysicalAddress:
        """Where the entry of `linear` stands."""
        return self.tables.entry_address(LinearAddress(linear), level)


Pages = Mapping[int, tuple[int, int] | tuple[int, int, int] | None]
"""linear -> (physical, flags[, size]), or None for not mapped."""


def make_tables(memory: PhysicalMemory, mode: PagingMode, pages: Pages, direct: int | None) -> TableBuilder:
    """The tables of every test guest, with `pages` of its own; all of RAM at `direct`, if given."""
    frames = iter(range(TABLES, TABLES + (1 << 20), PAGE_BYTES))
    tables = TableBuilder(memory, lambda: PhysicalAddress(next(frames)), mode)
    for page in range(0, 0x20_0000, PAGE_BYTES):
        tables.map(LinearAddress(page), PhysicalAddress(page), flags=SUPERVISOR_PAGE)
    for linear, physical, count in (
        (CODE, CODE_FRAME, 4),
        (STACK - 0x2000, STACK_FRAME, 2),
        (DATA, DATA_FRAME, 4),
    ):
        for offset in range(0, count * PAGE_BYTES, PAGE_BYTES):
            tables.map(LinearAddress(linear + offset), PhysicalAddress(physical + offset), flags=USER_PAGE)
    for offset in range(0, 0 if direct is None else MEMORY_MIB << 20, 2 << 20):
        tables.map(LinearAddress((direct or 0) + offset), PhysicalAddress(offset), 2 << 20, SUPERVISOR_PAGE)
    for linear, where in pages.items():
        if where is None:
            tables.unmap(LinearAddress(linear))
        else:
            size = where[2] if len(where) > 2 else PAGE_BYTES
            tables.map(LinearAddress(linear), PhysicalAddress(where[0]), size, where[1])
    return tables
