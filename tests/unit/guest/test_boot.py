# SPDX-License-Identifier: GPL-2.0-or-later
import struct

import pytest

from emu.guest.boot import boot_layout
from emu.guest.image import GuestImageError, parse_kernel

RAM = 32 << 20


@pytest.fixture
def kernel(make_elf):
    return parse_kernel(make_elf(), "kernel image k", "k")


class Memory:
    def __init__(self, layout):
        self.bytes = bytearray(RAM)
        for segment in layout.segments:
            self.bytes[segment.physical : segment.physical + len(segment.data)] = segment.data

    def unpack(self, form, at):
        return struct.unpack_from(form, self.bytes, at)


def test_ebx_points_to_a_start_info_with_map_module_and_command_line(kernel):
    layout = boot_layout(kernel, RAM, "program=overrun arg=1", b"m" * 8088)
    memory = Memory(layout)
    assert layout.ebx == layout.start_info_address
    magic, version, flags, modules, list_at, line_at, rsdp, map_at, entries, _ = memory.unpack(
        "<IIIIQQQQII", layout.ebx
    )
    assert (magic, version, flags, modules, rsdp) == (0x336EC578, 1, 0, 1, 0)
    assert memory.bytes[line_at : line_at + 22] == b"program=overrun arg=1\0"
    assert memory.unpack("<QQQQ", list_at) == (0x1FFE000, 8088, 0, 0)
    assert memory.bytes[0x1FFE000 : 0x1FFE000 + 8088] == b"m" * 8088
    ranges = [memory.unpack("<QQII", map_at + 24 * i) for i in range(entries)]
    assert ranges == [
        (0, 0x9FC00, 1, 0),
        (0x9FC00, 0x400, 2, 0),
        (0xD0000, 0x20000, 4, 0),
        (0xF0000, 0x10000, 2, 0),
        (0x100000, RAM - 0x100000, 1, 0),
        (0, 0, 0, 0),
    ]


def test_everything_the_kernel_did_not_bring_lies_in_reserved_memory_or_at_the_end_of_ram(kernel):
    layout = boot_layout(kernel, RAM, "", b"m" * 5000)
    info, module = layout.segments[len(kernel.segments) :]
    assert 0xF0000 <= info.physical < info.end <= 0x100000
    assert module.physical == layout.module_address == (RAM - 5000) & ~4095


def test_without_an_archive_there_is_no_module(kernel):
    layout = boot_layout(kernel, RAM, "", b"")
    assert Memory(layout).unpack("<IIIIQ", layout.ebx)[3:] == (0, 0)


@pytest.mark.parametrize("place", [0x9EC00, 0x9F000, 0xA0000, 0xF0000, 0xFF000, RAM - 0x1000, RAM])
def test_a_segment_outside_ram_is_refused(make_elf, place):
    segments = ((0x10000, b"\xf4" * 16, 16), (place, b"x", 0x1001))
    note = struct.pack("<III4sI", 4, 4, 18, b"Xen\0", 0x10000)
    kernel = parse_kernel(make_elf(segments, note=note), "kernel image k", "k")
    with pytest.raises(GuestImageError, match="is not in the 32 MiB of RAM"):
        boot_layout(kernel, RAM, "", b"")


def test_a_segment_may_end_with_low_ram_and_with_ram(make_elf):
    segments = ((0x9F000, b"x", 0xC00), (0x100000, b"\xf4", 1), (RAM - 0x1000, b"x", 0x1000))
    kernel = parse_kernel(make_elf(segments), "kernel image k", "k")
    assert len(boot_layout(kernel, RAM, "", b"").segments) == 4


def test_an_archive_that_reaches_into_the_kernel_is_refused_with_the_memory_it_needs(kernel):
    assert boot_layout(kernel, RAM, "", bytes(RAM - 0x102000)).module_address == 0x102000
    with pytest.raises(GuestImageError, match="--memory 33"):
        boot_layout(kernel, RAM, "", bytes(RAM - 0x101000))


def test_a_command_line_that_does_not_fit_is_refused(kernel):
    with pytest.raises(GuestImageError, match="command line: 70000 bytes"):
        boot_layout(kernel, RAM, "x" * 70000, b"")
    with pytest.raises(GuestImageError, match="without NUL"):
        boot_layout(kernel, RAM, "a\0b", b"")
