# SPDX-License-Identifier: GPL-2.0-or-later
import pytest

from emu.bits import PAGE_BYTES, PhysicalAddress
from emu.mem import PhysicalMemory


def at(address: int) -> PhysicalAddress:
    return PhysicalAddress(address)


@pytest.fixture
def memory() -> PhysicalMemory:
    return PhysicalMemory(4 * PAGE_BYTES)


def test_memory_is_zero_at_first(memory: PhysicalMemory) -> None:
    assert memory.read(at(0), memory.size_bytes) == bytes(memory.size_bytes)


def test_what_was_written_is_read_back(memory: PhysicalMemory) -> None:
    memory.write(at(0xFFE), b"over")
    assert memory.read(at(0xFFD), 6) == b"\0over\0"


@pytest.mark.parametrize("size", [0, -4096, 4095, 4097])
def test_a_size_that_is_no_positive_number_of_frames_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="positive multiple of 4096"):
        PhysicalMemory(size)


def test_a_read_across_the_end_of_ram_is_filled_up_with_zeros(memory: PhysicalMemory) -> None:
    memory.write(at(0x3FFE), b"ab")
    assert memory.read(at(0x3FFE), 5) == b"ab\0\0\0"


def test_a_read_outside_ram_gives_zeros(memory: PhysicalMemory) -> None:
    assert memory.read(at(1 << 40), 3) == bytes(3)


def test_a_write_across_the_end_of_ram_keeps_what_fits(memory: PhysicalMemory) -> None:
    told: list[tuple[int, int]] = []
    memory.listeners.append(lambda address, size: told.append((address, size)))
    memory.write(at(0x3FFE), b"abcdef")
    assert memory.read(at(0x3FFE), 2) == b"ab"
    assert told == [(0x3FFE, 2)]
    assert memory.written == {3}


def test_a_write_outside_ram_vanishes_and_nobody_is_told(memory: PhysicalMemory) -> None:
    told: list[tuple[int, int]] = []
    memory.listeners.append(lambda address, size: told.append((address, size)))
    memory.write(at(1 << 40), b"abc")
    memory.write(at(0), b"")
    assert not told
    assert not memory.written


def test_a_write_is_told_to_every_listener_after_it_happened(memory: PhysicalMemory) -> None:
    seen: list[bytes] = []
    memory.listeners += [lambda address, size: seen.append(memory.read(address, size))] * 2
    memory.write(at(0x10), b"xy")
    assert seen == [b"xy", b"xy"]


def test_every_frame_that_a_write_reaches_counts_as_written(memory: PhysicalMemory) -> None:
    memory.write(at(0xFFF), bytes(PAGE_BYTES + 2))
    assert memory.written == {0, 1, 2}
    memory.written.clear()
    memory.write(at(0x1000), bytes(PAGE_BYTES))
    assert memory.written == {1}


@pytest.mark.parametrize("entry_bytes", [4, 8])
def test_an_entry_is_little_endian(memory: PhysicalMemory, entry_bytes: int) -> None:
    memory.write_entry(at(0x20), 0x01020304, entry_bytes)
    assert memory.read(at(0x20), entry_bytes) == bytes((4, 3, 2, 1)).ljust(entry_bytes, b"\0")
    assert memory.read_entry(at(0x20), entry_bytes) == 0x01020304


def test_an_entry_at_the_end_of_ram_is_read_and_one_across_it_is_filled_up_with_zeros(
    memory: PhysicalMemory,
) -> None:
    memory.write(at(0x3FF8), bytes(range(1, 9)))
    assert memory.read_entry(at(0x3FF8), 8) == 0x0807060504030201
    assert memory.read_entry(at(0x3FFC), 8) == 0x08070605
    assert memory.read_entry(at(1 << 40), 8) == 0


def test_a_frame_is_its_4096_bytes(memory: PhysicalMemory) -> None:
    memory.write(at(0x2000), b"start")
    assert memory.frame(2) == b"start".ljust(PAGE_BYTES, b"\0")
    assert memory.frames == 4
