# SPDX-License-Identifier: GPL-2.0-or-later
"""Just enough decoding for microcode: prefixes, opcode, ModRM, SIB (SDM vol. 2A, "Instruction Format", chapter 2)."""

from dataclasses import dataclass
from typing import Final

from emu.bits import MASK64
from emu.cpu.engine_state import SavedContext

_PREFIXES: Final = frozenset((0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3))


@dataclass(frozen=True, slots=True)
class Operand:
    """An instruction's opcode and its ModRM operand. Register numbers are encodings, 0 RAX to 15 R15; None: absent."""

    opcode: bytes
    opcode_end: int
    """Length up to and with the opcode."""
    end: int
    """Length with ModRM, SIB and displacement (not with immediates)."""
    register: int
    """The r/m register of a register operand (the source of MOV CR)."""
    base: int | None
    index: int | None
    scale: int
    displacement: int
    rip_relative: bool
    segment: int | None
    """Segment override prefix that matters in 64-bit mode: 4 FS, 5 GS."""
    address_bits: int

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
        return value & MASK64


def _signed(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


def decode_operand(code: bytes, long_mode: bool) -> Operand:
    """Decode what microcode needs of the instruction that `code` begins with. Missing bytes count as zeros."""
    code = code.ljust(16, b"\0")
    at, rex, segment, small_address = 0, 0, None, False
    while code[at] in _PREFIXES and at < 14:
        segment = {0x64: 4, 0x65: 5}.get(code[at], segment)
        small_address |= code[at] == 0x67
        at += 1
    if long_mode and code[at] & 0xF0 == 0x40:
        rex = code[at]
        at += 1
    opcode = code[at : at + 2] if code[at] == 0x0F else code[at : at + 1]
    at += len(opcode)
    opcode_end = at
    modrm = code[at] if at < len(code) else 0
    at += 1
    mod, rm = modrm >> 6, modrm & 7
    bits = (32 if small_address else 64) if long_mode else 32
    base: int | None = rm | (rex & 1) << 3
    index: int | None = None
    scale, displacement, rip_relative = 1, 0, False
    if mod == 3:
        return Operand(opcode, opcode_end, at, rm | (rex & 1) << 3, None, None, 1, 0, False, segment, bits)
    if rm == 4 and at < len(code):
        sib = code[at]
        at += 1
        scale = 1 << (sib >> 6)
        number = sib >> 3 & 7 | (rex >> 1 & 1) << 3
        index = None if number == 4 else number
        base = sib & 7 | (rex & 1) << 3
        if sib & 7 == 5 and mod == 0:
            base = None
    elif rm == 5 and mod == 0:
        base, rip_relative = None, long_mode
    width = 1 if mod == 1 else 4 if mod == 2 or base is None else 0
    displacement = _signed(code[at : at + width])
    return Operand(
        opcode, opcode_end, at + width, 0, base, index, scale, displacement, rip_relative, segment, bits
    )
