# SPDX-License-Identifier: GPL-2.0-or-later
"""Bits and addresses: named bit fields, the two address types, canonical form, one hex formatter."""

from typing import Final, NewType

LinearAddress = NewType("LinearAddress", int)
"""A linear (virtual) address: 0 to 2**64 - 1, what a program names."""
PhysicalAddress = NewType("PhysicalAddress", int)
"""A physical address: what reaches memory, below 2**MAXPHYADDR."""

PAGE_SHIFT: Final = 12
PAGE_BYTES: Final = 1 << PAGE_SHIFT
OFFSET_MASK: Final = PAGE_BYTES - 1
MASK64: Final = (1 << 64) - 1

PAGE_SIZE_NAMES: Final[dict[int, str]] = {1 << 12: "4K", 1 << 21: "2M", 1 << 22: "4M", 1 << 30: "1G"}
_BINARY_UNITS: Final = ("", "K", "M", "G", "T", "P", "E")
PAGE_SIZES: Final[dict[str, int]] = {name: size for size, name in PAGE_SIZE_NAMES.items()}


def mask(low: int, high: int) -> int:
    """Ones in bits `low` to `high`, both included.

    >>> hex(mask(12, 15))
    '0xf000'
    """
    return ((1 << (high - low + 1)) - 1) << low


def extract(value: int, low: int, high: int) -> int:
    """Bits `low` to `high` of `value`, shifted down to bit 0."""
    return (value >> low) & ((1 << (high - low + 1)) - 1)


def is_canonical(linear: int, linear_bits: int = 48) -> bool:
    """Whether the bits above `linear_bits` - 1 repeat it (SDM vol. 1, "Canonical Addressing", 3.3.7.1)."""
    upper = (linear & MASK64) >> (linear_bits - 1)
    return upper in (0, (1 << (65 - linear_bits)) - 1)


def sign_extend(value: int, bits: int = 48) -> int:
    """`value`'s low `bits` bits as a canonical 64-bit number."""
    value &= (1 << bits) - 1
    return (value | (MASK64 << bits)) & MASK64 if value >> (bits - 1) else value


def hexadecimal(value: int, digits: int = 16) -> str:
    """`value` as Pagewalk writes hex everywhere: at least `digits` digits, grouped by four.

    >>> hexadecimal(0x7F123456_7ABC)
    '0x0000_7f12_3456_7abc'
    >>> hexadecimal(6, 1)
    '0x6'
    """
    text = f"{value:0{digits}x}"
    head = len(text) % 4
    groups = [text[:head]] if head else []
    groups += [text[i : i + 4] for i in range(head, len(text), 4)]
    return "0x" + "_".join(groups)


def size_name(count: int) -> str:
    """A number of bytes in short, in binary units: a page's size, or what a paging-structure entry covers.

    >>> size_name(1 << 21), size_name(1 << 39), size_name(1025)
    ('2M', '512G', '1025')
    """
    for unit in _BINARY_UNITS:
        if count % 1024 or not count:
            return f"{count}{unit}"
        count >>= 10
    return f"{count}Z"


def parse_number(text: str) -> int | None:
    """A number as a person types it (decimal, 0x hex, underscores allowed), or None if it is none."""
    try:
        return int(text.replace("_", ""), 0)
    except ValueError:
        return None
