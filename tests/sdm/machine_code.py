# SPDX-License-Identifier: GPL-2.0-or-later
"""A few instructions as bytes, the same in 32-bit and in 64-bit code unless their name says otherwise.

RAX (EAX) holds the operand of each.
"""

from typing import Final

TO_CR0: Final = bytes.fromhex("0f 22 c0")
TO_CR3: Final = bytes.fromhex("0f 22 d8")
TO_CR4: Final = bytes.fromhex("0f 22 e0")
TOUCH: Final = bytes.fromhex("8b 18")  # mov ebx, [rax]
INVLPG: Final = bytes.fromhex("0f 01 38")  # invlpg [rax]
INVPCID: Final = bytes.fromhex("66 0f 38 82 08")  # invpcid rcx, [rax]
WRMSR: Final = bytes.fromhex("0f 30")
END: Final = bytes.fromhex("cc")  # int3: its handler stops the machine


def load32(value: int) -> bytes:
    """mov eax, value"""
    return b"\xb8" + value.to_bytes(4, "little")


def load64(value: int) -> bytes:
    """mov rax, value"""
    return b"\x48\xb8" + value.to_bytes(8, "little")


def count32(value: int) -> bytes:
    """mov ecx, value"""
    return b"\xb9" + value.to_bytes(4, "little")


def store32(address: int, value: int) -> bytes:
    """mov dword ptr [address], value: in 32-bit code"""
    return b"\xc7\x05" + address.to_bytes(4, "little") + value.to_bytes(4, "little")
