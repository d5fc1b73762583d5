# SPDX-License-Identifier: GPL-2.0-or-later
"""Instructions that the engine must not execute as it stands: found before they run, refused or done here.

RDRAND, RDSEED and RDPID are not offered and the engine has them. INS is looked at because the engine stores to memory
before it asks for the port. INVPCID, RDPKRU and WRPKRU steer the MMU, and the engine either lacks them or does not
stop at them.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from emu.cpu import paging_instructions as paging
from emu.cpu.decode import Operand, decode_operand, skip_prefixes
from emu.cpu.instruction import LONGEST

if TYPE_CHECKING:
    from emu.cpu.core import Cpu

_INSB, _INS = b"\x6c", b"\x6d"
_INVPCID: Final = b"\x0f\x38\x82"
_PKRU: Final = {b"\x0f\x01\xee": paging.rdpkru, b"\x0f\x01\xef": paging.wrpkru}
_NO_PREFIX: Final = frozenset((0x66, 0xF0, 0xF2, 0xF3))
"""Prefixes that make another instruction of this one, or none."""


class Instead(NamedTuple):
    """What happens in place of the instruction: `execute` is called between two runs of the engine."""

    execute: "Callable[[Cpu, Operand], None]"
    operand: Operand


def refused_at(cpu: "Cpu", rip: int) -> int | None:
    """The vector that the instruction at linear `rip` must raise and the engine would not, or None."""
    code = cpu.code_bytes(rip, LONGEST)
    at = skip_prefixes(code, cpu.in_64_bit_code())
    opcode = code[at : at + 1]
    if code[at : at + 2] == b"\x0f\xc7" and code[at + 2 : at + 3] >= b"\xf0":
        return 6
    if code[at : at + 3] in _PKRU and _NO_PREFIX & set(code[:at]):
        return 6
    if opcode in (_INSB, _INS):
        size = 1 if opcode == _INSB else 2 if 0x66 in code[:at] else 4
        port = cpu.engine.context.gpr(2) & 0xFFFF
        return None if cpu.may_reach_port(port, size) else 13
    return None


def instead_of(cpu: "Cpu", rip: int) -> Instead | None:
    """What is done here in place of the instruction at linear `rip`; None if it is the engine's turn."""
    code = cpu.code_bytes(rip, LONGEST)
    if (
        _INVPCID not in code and b"\x0f\x01" not in code
    ):  # nearly always: what was marked is a byte of something else
        return None
    operand = decode_operand(code, cpu.in_64_bit_code())
    mandatory = set(operand.prefixes) & _NO_PREFIX
    if operand.opcode == _INVPCID and cpu.model.has("invpcid"):
        if mandatory == {0x66} and operand.in_memory:
            return Instead(paging.invpcid, operand)
    elif operand.opcode == b"\x0f\x01" and cpu.model.has("pku"):
        modrm = cpu.code_bytes(rip + operand.opcode_end, 1)
        execute = _PKRU.get(operand.opcode + modrm)
        if execute is not None and not mandatory:
            return Instead(execute, operand)
    return None
