# SPDX-License-Identifier: GPL-2.0-or-later
"""What CPUID answers: what the model does, no more and no less (SDM vol. 2A, "CPUID", table 3-8)."""

from typing import Final

from emu.cpu.model import CpuModel
from emu.cpu.registers import CR4_PKE

_VENDOR: Final = b"PagewalkMMU."
_BRAND: Final = b"Pagewalk teaching CPU".ljust(48, b"\0")
_SIGNATURE: Final = 0x0006_0FB1

Bits = dict[int, str | None]
"""Bit -> the feature whose it is, None if every model has it."""
_FEATURES_EDX: Final[Bits] = {
    0: None, 2: None, 3: "pse", 4: None, 5: None, 6: "pae", 8: None, 13: "pge", 15: None, 16: None, 17: "pse36",
    23: None, 24: None, 25: None, 26: None,
}  # fmt: skip
"""FPU DE PSE TSC MSR PAE CX8 PGE CMOV PAT PSE36 MMX FXSR SSE SSE2; no local APIC."""
_FEATURES_ECX: Final[Bits] = {0: None, 13: "lm", 17: "pcid"}
"""SSE3, CMPXCHG16B, PCID."""
_LEAF7_EBX: Final[Bits] = {7: "smep", 10: "invpcid", 20: "smap"}
_LEAF7_ECX: Final[Bits] = {3: "pku", 16: "la57"}
_OSPKE: Final = 1 << 4
_EXTENDED_EDX: Final[Bits] = {11: "lm", 20: "nx", 26: "pdpe1gb", 29: "lm"}
"""SYSCALL, XD, 1-GByte pages, Intel 64."""
_EXTENDED_ECX: Final[Bits] = {0: "lm"}
"""LAHF in 64-bit mode."""


def _word(bits: Bits, model: CpuModel) -> int:
    return sum(1 << bit for bit, feature in bits.items() if feature is None or model.has(feature))


def _text(data: bytes) -> tuple[int, ...]:
    return tuple(int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4))


def cpuid(leaf: int, subleaf: int, model: CpuModel, cr4: int) -> tuple[int, int, int, int]:
    """EAX, EBX, ECX, EDX. `cr4` shows in the bits that mirror it (OSPKE)."""
    b, d, c = _text(_VENDOR)
    if leaf == 0:
        return 7, b, c, d
    if leaf == 1:
        return _SIGNATURE, 0x0000_0800, _word(_FEATURES_ECX, model), _word(_FEATURES_EDX, model)
    if leaf == 7 and subleaf == 0:
        enabled = _OSPKE if cr4 & CR4_PKE else 0
        return 0, _word(_LEAF7_EBX, model), _word(_LEAF7_ECX, model) | enabled, 0
    if leaf == 0x8000_0000:
        return 0x8000_0008, b, c, d
    if leaf == 0x8000_0001:
        return _SIGNATURE, 0, _word(_EXTENDED_ECX, model), _word(_EXTENDED_EDX, model)
    if 0x8000_0002 <= leaf <= 0x8000_0004:
        a, b, c, d = _text(_BRAND[(leaf - 0x8000_0002) * 16 :][:16])
        return a, b, c, d
    if leaf == 0x8000_0008:
        return model.maxphyaddr | model.linear_bits << 8, 0, 0, 0
    return 0, 0, 0, 0
