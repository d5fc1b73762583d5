# SPDX-License-Identifier: GPL-2.0-or-later
"""The physical memory of the referee's machine, and what lies where.

| bank | from | bytes | holds |
|---|---|---|---|
| low | 0 | 8 MiB | below 1 MiB the harness and its tables; to 2 MiB tables under test; then pages under test |
| high | 3 GiB + 512 MiB | 2 MiB | 64 KiB of tables, then pages: bit 31 of an address matters |
| far | 0x9d_4000_0000 | 2 MiB | the same, above 4 GiB: bits 32 to 39 matter |

Each word (8 bytes) of a page under test says where it is: it is the instruction `mov eax, n` for the word's own number
n, and a `ret`, which ends what the engine translates. As an entry it is not present. Outside the banks is no RAM:
a table there reads as zeros.
"""

import mmap
import struct
from typing import Final, NamedTuple

from emu.bits import PAGE_BYTES

MAXPHYADDR: Final = 40
MOV_EAX, RET = 0xB8, 0xC3

GDT: Final = 0x3000
SUPERVISOR_CODE: Final = 0x1000
USER_CODE: Final = 0x2000
SUPERVISOR_STACK: Final = 0x5000
OWN_TABLES: Final = (0x1_1000, 0x1_2000, 0x1_3000, 0x1_4000)


class Bank(NamedTuple):
    """A piece of RAM: tables from `tables`, pages under test from `pages`, both as physical addresses."""

    base: int
    bytes: int
    tables: int
    pages: int
    first_word: int

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.base + self.bytes


_MIB: Final = 1 << 20
LOW: Final = Bank(0, 8 * _MIB, _MIB, 2 * _MIB, 0)
HIGH: Final = Bank(0xE000_0000, 2 * _MIB, 0xE000_0000, 0xE001_0000, LOW.bytes >> 3)
FAR: Final = Bank(0x9D_4000_0000, 2 * _MIB, 0x9D_4000_0000, 0x9D_4001_0000, (LOW.bytes + HIGH.bytes) >> 3)
BANKS: Final = (LOW, HIGH, FAR)


def bank_of(address: int) -> Bank | None:
    """The bank that holds `address`, if one does."""
    for bank in BANKS:
        if bank.base <= address < bank.end:
            return bank
    return None


def word_number(address: int) -> int | None:
    """The number that the word at `address` gives itself; None if that is no page under test."""
    bank = bank_of(address)
    if bank is None or address < bank.pages:
        return None
    return bank.first_word + (address - bank.base >> 3)


def address_of_word(number: int) -> int | None:
    """Where the word of a page under test lies that gives itself this number; None if there is none."""
    for bank in BANKS:
        if bank.first_word <= number < bank.first_word + (bank.bytes >> 3):
            return bank.base + (number - bank.first_word << 3)
    return None


class Memory:
    """The banks, as the engine's RAM and as numbers for the harness to read and write.

    `seal` remembers what it is, `reset` brings a word back to that.
    """

    def __init__(self) -> None:
        self.buffers = {bank: mmap.mmap(-1, bank.bytes) for bank in BANKS}
        for bank, buffer in self.buffers.items():
            first, last = bank.pages - bank.base, bank.bytes
            words = (
                MOV_EAX | number << 8 | RET << 40
                for number in range(bank.first_word + (first >> 3), bank.first_word + (last >> 3))
            )
            buffer[first:last] = struct.pack(f"<{(last - first) >> 3}Q", *words)
        self._views = {size: self._cast(code) for size, code in ((4, "I"), (8, "Q"))}
        self._sealed: dict[Bank, memoryview] = {}

    def _cast(self, code: str) -> list[tuple[int, int, memoryview]]:
        return [(bank.base, bank.end, memoryview(self.buffers[bank]).cast(code)) for bank in BANKS]

    def seal(self) -> None:
        """Remember the banks as they are."""
        self._sealed = {bank: memoryview(bytes(buffer)).cast("Q") for bank, buffer in self.buffers.items()}

    def reset(self, address: int) -> None:
        """Make the word that holds `address` what it was when the memory was sealed."""
        bank = bank_of(address)
        if bank is not None:
            self.write(address & -8, self._sealed[bank][address - bank.base >> 3], 8)

    def read(self, address: int, size: int) -> int:
        """The number of `size` bytes (4 or 8) at an address aligned to it; 0 outside RAM."""
        for base, end, view in self._views[size]:
            if base <= address < end:
                return view[(address - base) // size]
        return 0

    def write(self, address: int, value: int, size: int) -> None:
        """Put a number of `size` bytes (4 or 8) at an address aligned to it; it vanishes outside RAM."""
        for base, end, view in self._views[size]:
            if base <= address < end:
                view[(address - base) // size] = value


def frames(first: int, last: int) -> range:
    """The frames from `first` to before `last`."""
    return range(first, last, PAGE_BYTES)
