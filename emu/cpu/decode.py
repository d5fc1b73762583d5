# SPDX-License-Identifier: GPL-2.0-or-later
"""Just enough decoding for microcode: prefixes, opcode, ModRM, SIB (SDM vol. 2A, "Instruction Format", chapter 2)."""

from dataclasses import dataclass
from typing import Final

from emu.bits import MASK64
from emu.cpu.engine_state import DS, SS, SavedContext

_SEGMENTS: Final = {0x26: 0, 0x2E: 1, 0x36: 2, 0x3E: 3, 0x64: 4, 0x65: 5}
_PREFIXES: Final = frozenset((*_SEGMENTS, 0x66, 0x67, 0xF0, 0xF2, 0xF3))
_MOST_PREFIXES: Final = 14
_WITHOUT_MODRM: Final = frozenset(
    [
        *(
            bytes([b])
            for b in b"\x06\x07\x0e\x16\x17\x1e\x1f\x27\x2f\x37\x3f\x60\x61\x9a\xce\xd4\xd5\xd6\xea"
        ),
        b"\x0f\x0b",
    ]
)
"""Opcodes that are #UD in 64-bit code, or anywhere, whatever follows."""
_REX: Final = 0x40
_FS: Final = 4
_RSP, _RBP = 4, 5
_BASES_16: Final = ((3, 6), (3, 7), (5, 6), (5, 7), (6, None), (7, None), (5, None), (3, None))
"""Base and index register of 16-bit addressing, by r/m (SDM vol. 2A, table 2-1)."""


@dataclass(frozen=True, slots=True)
class Operand:
    """An instruction's opcode and its ModRM operand. Register numbers are encodings, 0 RAX to 15 R15; None: absent."""

    prefixes: bytes
    """Legacy prefixes, without REX."""
    opcode: bytes
    opcode_end: int
    """Length up to and with the opcode."""
    end: int
    """Length with ModRM, SIB and displacement (not with immediates)."""
    reg: int
    """The register of the reg field."""
    register: int
    """The register of the r/m field (the source of MOV CR, which takes a register whatever the mod field says)."""
    in_memory: bool
    """Whether the r/m field means memory."""
    base: int | None
    index: int | None
    scale: int
    displacement: int
    rip_relative: bool
    segment: int | None
    """The segment whose base counts: in 64-bit code 4 FS, 5 GS or None."""
    address_bits: int
    long_mode: bool

    def address(self, context: SavedContext) -> int:
        """The linear address of a memory operand."""
        value = self.displacement
        if self.rip_relative:
            value += context.rip + self.end
        if self.base is not None:
            value += context.gpr(self.base)
        if self.index is not None:
            value += context.gpr(self.index) * self.scale
        value &= (1 << self.address_bits) - 1
        if self.segment is not None:
            value += context.segment(self.segment)[1]
        return value & (MASK64 if self.long_mode else 0xFFFFFFFF)


def _signed(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


def skip_prefixes(code: bytes, long_mode: bool) -> int:
    """How many bytes of prefixes `code` begins with. In 64-bit code REX may stand anywhere, as the engine has it."""
    at = 0
    while at < min(len(code), _MOST_PREFIXES):
        if code[at] not in _PREFIXES and not (long_mode and code[at] & 0xF0 == _REX):
            break
        at += 1
    return at


def opcode_reaches_beyond(code: bytes, long_mode: bool) -> bool:
    """Whether `code` ends before its first instruction's opcode does, or before the ModRM byte that completes it."""
    at = skip_prefixes(code, long_mode)
    opcode = code[at : at + 1]
    if opcode == b"\x0f":
        opcode = code[at : at + (3 if code[at + 1 : at + 2] in (b"\x38", b"\x3a") else 2)]
    whole = len(opcode) == (1 if opcode[:1] != b"\x0f" else 3 if opcode[1:2] in (b"\x38", b"\x3a") else 2)
    return not whole or (at + len(opcode) == len(code) and opcode not in _WITHOUT_MODRM)


def decode_operand(code: bytes, long_mode: bool) -> Operand:
    """Decode what microcode needs of the instruction that `code` begins with. Missing bytes count as zeros."""
    code = code.ljust(24, b"\0")
    at = skip_prefixes(code, long_mode)
    prefixes = bytes(byte for byte in code[:at] if byte in _PREFIXES)
    rex = code[at - 1] if at and code[at - 1] & 0xF0 == _REX else 0
    opcode = code[at : at + 1]
    if opcode == b"\x0f":
        opcode = code[at : at + (3 if code[at + 1] in (0x38, 0x3A) else 2)]
    opcode_end = at + len(opcode)
    modrm = code[opcode_end]
    after = code[opcode_end + 1 :]
    small = 0x67 in prefixes
    if modrm >> 6 == 3:
        where, length = _Where(), 0
    elif small and not long_mode:
        where, length = _address_16(modrm, after)
    else:
        where, length = _address_32(modrm, after, rex, long_mode)
    overrides = [_SEGMENTS[prefix] for prefix in prefixes if prefix in _SEGMENTS]
    segment = overrides[-1] if overrides else None
    if long_mode:
        segment = segment if segment is not None and segment >= _FS else None
    elif segment is None:
        segment = SS if where.base in (_RSP, _RBP) else DS
    return Operand(
        prefixes,
        opcode,
        opcode_end,
        opcode_end + 1 + length,
        modrm >> 3 & 7 | (rex & 4) << 1,
        modrm & 7 | (rex & 1) << 3,
        modrm >> 6 != 3,
        where.base,
        where.index,
        where.scale,
        where.displacement,
        where.rip_relative,
        segment,
        (32 if small else 64) if long_mode else 16 if small else 32,
        long_mode,
    )


@dataclass(frozen=True, slots=True)
class _Where:
    """A memory operand's effective address."""

    base: int | None = None
    index: int | None = None
    scale: int = 1
    displacement: int = 0
    rip_relative: bool = False


def _address_16(modrm: int, after: bytes) -> tuple[_Where, int]:
    """16-bit addressing, and how many bytes it takes behind the ModRM byte."""
    mod, rm = modrm >> 6, modrm & 7
    base, index = _BASES_16[rm]
    direct = mod == 0 and rm == 6
    width = 2 if direct else mod
    return _Where(None if direct else base, index, 1, _signed(after[:width])), width


def _address_32(modrm: int, after: bytes, rex: int, long_mode: bool) -> tuple[_Where, int]:
    """32- and 64-bit addressing, and how many bytes it takes behind the ModRM byte."""
    mod, rm = modrm >> 6, modrm & 7
    base: int | None = rm | (rex & 1) << 3
    index: int | None = None
    scale, at, rip_relative = 1, 0, False
    if rm == 4:
        sib, at = after[0], 1
        scale = 1 << (sib >> 6)
        number = sib >> 3 & 7 | (rex & 2) << 2
        index = None if number == 4 else number
        base = None if sib & 7 == 5 and mod == 0 else sib & 7 | (rex & 1) << 3
    elif rm == 5 and mod == 0:
        base, rip_relative = None, long_mode
    width = 1 if mod == 1 else 4 if mod == 2 or base is None else 0
    return _Where(base, index, scale, _signed(after[at : at + width]), rip_relative), at + width
