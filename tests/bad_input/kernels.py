# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels of a few bytes, for a PVH loader: 32-bit code at 1 MiB, paging off."""

import struct

ENTRY = 0x100000
TRIPLE_FAULT = bytes.fromhex("0f011d20001000 0f0b") + bytes(23)
"""lidt of a table without room (limit 0 at ENTRY + 0x20), then ud2."""
HALT_FOR_EVER = bytes.fromhex("fa f4 ebfd")
"""cli, hlt, again."""
LOOP_FOR_EVER = bytes.fromhex("ebfe")
ORDERLY_END = bytes.fromhex("b810000000 e7f4 ebfe")
"""mov eax, 0x10; out 0xf4, eax."""
PANIC = bytes.fromhex("b811000000 e7f4 ebfe")


def kernel(code: bytes) -> bytes:
    """An ELF64 file that loads `code` at ENTRY and names it in a PVH note."""
    note = struct.pack("<III4sI", 4, 4, 18, b"Xen\0", ENTRY)
    headers = 64 + 2 * 56
    code_at = headers + len(note)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01" + bytes(9), 2, 62, 1, ENTRY, 64, 0, 0, 64, 56, 2, 64, 0, 0,
    )  # fmt: skip
    load = struct.pack("<IIQQQQQQ", 1, 7, code_at, ENTRY, ENTRY, len(code), len(code), 1)
    notes = struct.pack("<IIQQQQQQ", 4, 4, headers, 0, 0, len(note), len(note), 4)
    return header + load + notes + note + code
