# SPDX-License-Identifier: GPL-2.0-or-later
"""As stub.py, in 32-bit code: with 32-bit or PAE paging, the same addresses, and handlers that are one HLT each.

RAM is not mapped as a whole, but the tables are, at TABLES_AT, for the supervisor.
"""

import struct
from collections.abc import Mapping

from emu.bits import PAGE_BYTES, PhysicalAddress
from emu.mem import PhysicalMemory
from emu.paging.modes import TWO_LEVEL, PagingMode
from emu.tlb.geometry import Geometry
from tests.helpers.stub import (
    BOOT,
    CODE,
    CODE0,
    CODE_FRAME,
    DATA0,
    DATA3,
    GDT,
    HANDLERS,
    IDT,
    STACK,
    STACK0,
    TABLES,
    TASK,
    TSS,
    Guest,
    Pages,
    assemble,
    make_tables,
    segment_descriptor,
)

CODE3_32 = 0x1B
CODE_AT_10000 = 0x38
"""A ring-0 code segment whose base is 0x10000."""
DATA_AT_20000 = 0x40
"""A data segment whose base is 0x20000."""
TABLES_AT = 0x70_0000
WITH_ERROR_CODE = (8, 10, 11, 12, 13, 14, 17)

_START = """
    lgdt [{gdtr}]
    mov eax, {cr4}
    mov cr4, eax
    mov eax, {root}
    mov cr3, eax
    {wrmsr}
    mov eax, 0x80010011
    mov cr0, eax
    .byte 0xea
    .long {boot} + flat - start
    .word 8
flat:
    lidt [{idtr}]
    mov eax, 0x23
    mov ds, ax
    mov es, ax
    mov eax, 0x10
    mov ss, ax
    mov esp, {stack0}
    mov eax, {task}
    ltr ax
    xor eax, eax
    xor ecx, ecx
    xor edx, edx
    push {ss}
    push {esp}
    push {flags}
    push {cs}
    push {code}
    iretd
"""


def assemble32(source: str) -> bytes:
    """The machine code of Intel-syntax `source` for a 32-bit code segment."""
    return assemble(f".intel_syntax noprefix\n.code32\n{source}\n")


def gate32(offset: int, kind: int = 0x8E, selector: int = CODE0) -> bytes:
    """An interrupt (or trap) gate of 8 bytes."""
    return struct.pack("<HHBBH", offset & 0xFFFF, selector, 0, kind, offset >> 16)


class Guest32(Guest):
    """A machine that is about to execute the first instruction of 32-bit code under test."""

    def __init__(
        self,
        code: str | bytes,
        ring: int = 0,
        *,
        mode: PagingMode = TWO_LEVEL,
        tlb: Geometry | str = "haswell",
        flags: int = 2,
        cr4: int = 0,
        efer: int = 0,
        pages: Pages | None = None,
        handlers: Mapping[int, str] | None = None,
        gates: Mapping[int, bytes] | None = None,
        data: Mapping[int, bytes] | None = None,
        rip: int = CODE,
        keep_history: bool = False,
        start: bool = True,
        model: str = "full",
    ) -> None:
        """`pages`: linear -> (physical, flags[, size]), or None for not mapped. `data`: physical -> bytes."""
        machine_code = code if isinstance(code, bytes) else assemble32(code)
        self.code_bytes = len(machine_code)
        memory = PhysicalMemory(8 << 20)
        put = lambda address, content: memory.write(PhysicalAddress(address), content)  # noqa: E731
        tables: Pages = {TABLES_AT + at: (TABLES + at, 3) for at in range(0, 0x8000, PAGE_BYTES)}
        self.tables = make_tables(memory, mode, {**tables, **(pages or {})}, None)
        put(CODE_FRAME, machine_code)
        put(GDT, _descriptors())
        put(GDT + 0x100, struct.pack("<HI", 9 * 8 - 1, GDT))
        put(GDT + 0x110, struct.pack("<HI", 256 * 8 - 1, IDT))
        put(TSS, struct.pack("<III", 0, STACK0, DATA0).ljust(0x66, b"\0") + struct.pack("<H", 0x68))
        place = HANDLERS + PAGE_BYTES
        for vector in range(256):
            put(IDT + 8 * vector, gate32(HANDLERS + 16 * vector, 0xEE if vector == 3 else 0x8E))
            put(HANDLERS + 16 * vector, b"\xf4")
        for vector, text in (handlers or {}).items():
            body = assemble32(text)
            put(place, body)
            put(IDT + 8 * vector, gate32(place, 0xEE if vector in (3, 0x80) else 0x8E))
            place += len(body) + 15 & ~15
        for vector, content in (gates or {}).items():
            put(IDT + 8 * vector, content)
        for address, content in (data or {}).items():
            put(address, content)
        source = _START.format(
            gdtr=GDT + 0x100,
            idtr=GDT + 0x110,
            cr4=(0x600 | 0x10 if mode is TWO_LEVEL else 0x620) | cr4,
            root=TABLES,
            wrmsr=f"mov ecx, 0xC0000080; mov eax, {efer}; xor edx, edx; wrmsr" if efer else "",
            boot=BOOT,
            stack0=STACK0,
            task=TASK,
            ss=DATA3 if ring else DATA0,
            esp=STACK,
            flags=flags,
            cs=CODE3_32 if ring else CODE0,
            code=rip,
        )
        put(BOOT, assemble32(source))
        self._boot(memory, rip, tlb=tlb, keep_history=keep_history, start=start, model=model)

    @property
    def frame(self) -> tuple[int, ...]:
        """What was pushed for the handler: [error code,] EIP, CS, EFLAGS and, from ring 3, ESP, SS."""
        with_error = self.vector in WITH_ERROR_CODE
        words = 3 + with_error
        pushed = struct.unpack("<6I", self.machine.cpu.code_bytes(self.reg("rsp"), 24))
        return pushed[: words + 2 if pushed[words - 2] & 3 else words]


def _descriptors() -> bytes:
    task = 0x67 | (TSS & 0xFFFFFF) << 16 | 0x89 << 40
    return struct.pack(
        "<9Q",
        0,
        segment_descriptor(0x9B, 0xC),
        segment_descriptor(0x93, 0xC),
        segment_descriptor(0xFB, 0xC),
        segment_descriptor(0xF3, 0xC),
        0,
        task,
        segment_descriptor(0x9B, 0xC) | 1 << 32,
        segment_descriptor(0x93, 0xC) | 2 << 32,
    )
