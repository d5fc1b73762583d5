# SPDX-License-Identifier: GPL-2.0-or-later
"""Instructions in words (Intel syntax). Garbage is shown as it is, never an error."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Final

from emu.bits import MASK64, LinearAddress

BAD: Final = "(bad)"
LONGEST_INSTRUCTION_BYTES: Final = 15


@dataclass(frozen=True, slots=True)
class Line:
    """One instruction; `mnemonic` is "(bad)" for a byte that begins none."""

    address: LinearAddress
    bytes: bytes
    mnemonic: str
    operands: str

    def __str__(self) -> str:
        return f"{self.mnemonic} {self.operands}".rstrip()


@cache
def _engine(bits: int) -> Any:
    capstone: Any = import_module("capstone")  # has no types
    return capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64 if bits == 64 else capstone.CS_MODE_32)


def disassemble(data: bytes, address: LinearAddress, count: int, bits: int = 64) -> list[Line]:
    """Up to `count` instructions from the start of `data`, which lies at `address`; `bits` is 64 or 32."""
    lines: list[Line] = []
    at = 0
    while at < len(data) and len(lines) < count:
        here = (address + at) & MASK64
        chunk = bytes(data[at : at + LONGEST_INSTRUCTION_BYTES])
        for _, size, mnemonic, operands in _engine(bits).disasm_lite(chunk, here, 1):
            line = Line(LinearAddress(here), chunk[:size], mnemonic, operands)
            break
        else:
            line = Line(LinearAddress(here), chunk[:1], BAD, "")
        lines.append(line)
        at += len(line.bytes)
    return lines


def instruction_length(data: bytes, bits: int = 64) -> int:
    """Bytes of the instruction that `data` begins with; 1 for a byte that begins none, 0 for no data."""
    lines = disassemble(data, LinearAddress(0), 1, bits)
    return len(lines[0].bytes) if lines else 0
