# SPDX-License-Identifier: GPL-2.0-or-later
import pytest

from emu.bits import hexadecimal
from emu.view.inspector import Area, Process
from emu.view.names import DIRECT_MAP, name_of, page_name

AREAS = (
    Area(0x400000, 0x401000, "image", "rx"),
    Area(0x7000_0000_1000, 0x7000_0000_3000, "mmap", "rw"),
    Area(0x7000_0000_3000, 0x7000_0000_4000, "ukshm", "rw"),
    Area(0x7000_0000_4000, 0x7000_0000_5000, "guard", "none"),
    Area(0x7FFF_FFFF_7000, 0x7FFF_FFFF_F000, "stack", "rw"),
)
PROCESS = Process(2, "overrun", "running", 0x168000, AREAS)
POINTERS = {"mine": 0x7000_0000_1000, "window": 0x7000_0000_3000}


def name(linear: int) -> str:
    return name_of(linear, hexadecimal, PROCESS, POINTERS, 32 << 20)


@pytest.mark.parametrize(
    ("linear", "expected"),
    [
        (0x7000_0000_3FFF, "window+0xfff"),
        (0x7000_0000_4000, "window+0x1000"),
        (0x7000_0000_1008, "mine+0x8"),
        (0x7FFF_FFFF_E000, "stack+0x7000"),
        (DIRECT_MAP + 0x17C123, "direct map of frame 0x17c+0x123"),
        (0xFFFF_C900_0000_8FD0, "kernel stack+0x8fd0"),
        (0xFFFF_FFFF_8010_5000, "kernel image+0x105000"),
        (0x1234, hexadecimal(0x1234)),
    ],
)
def test_an_address_has_the_nearest_name(linear: int, expected: str) -> None:
    assert name(linear) == expected


@pytest.mark.parametrize(
    ("linear", "expected"),
    [
        (0x7000_0000_3000, "window"),
        (0x400000, "text"),
        (0x7FFF_FFFF_E000, "stack+7"),
        (DIRECT_MAP + 0x17C000, "dm 17c"),
    ],
)
def test_a_page_has_a_name_that_fits_a_cell(linear: int, expected: str) -> None:
    assert page_name(linear, PROCESS, POINTERS, 32 << 20) == expected
    assert len(expected) <= 8


def test_before_there_are_processes_only_the_kernel_has_names() -> None:
    assert name_of(0x7000_0000_3000, hexadecimal, None, POINTERS, 32 << 20).startswith("0x")
