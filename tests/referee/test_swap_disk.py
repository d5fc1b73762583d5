# SPDX-License-Identifier: GPL-2.0-or-later
"""Referee 2, short of memory: what swaps here swaps in QEMU and prints the same; and which disks are swap areas."""

from pathlib import Path

import pytest

from emu.devices.debug_exit import exit_status
from emu.devices.virtio_block import VirtioBlock
from emu.lesson import Lab
from emu.machine import Ended
from tests.helpers.kernel import lines_by_process
from tests.helpers.qemu import run_with_disk

MEMORY_MIB = 8
PAGE, SLOTS = 4096, 2048
MARK, MARK_OFFSET = b"SWAPSPACE2", PAGE - 10
PASS = 33
NOT_USED = "0: swap: the disk is not used: it holds something (a blank disk, or mkswap's, would do)"

LONG = [
    ("pressure", ("1700", "2")),
    ("pinned", ("4", "1500", "2")),
    ("heap", ()),
    ("cow", ()),
    ("filemap", ()),
    ("shared", ()),
]


@pytest.fixture
def blank(tmp_path: Path) -> Path:
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(SLOTS * PAGE))
    return disk


def here(program: str, arguments: tuple[str, ...], disk: Path) -> tuple[Lab, bytes]:
    """The run in our machine, and its console."""
    lab = Lab()
    lab.boot(program, *arguments, memory_mib=MEMORY_MIB, disk=str(disk))
    lab.machine.journal.observers.clear()  # nobody reads the events: that is much faster
    lab.run_to_exit()
    return lab, bytes(lab.machine.console)


def in_qemu(program: str, arguments: tuple[str, ...], disk: Path) -> bytes:
    """The console of an orderly run in QEMU. It writes to the file `disk`."""
    words = " ".join((f"program={program}", *(f"arg={argument}" for argument in arguments)))
    console, status = run_with_disk(words, disk, MEMORY_MIB)
    assert status == PASS
    return console


@pytest.mark.qemu
@pytest.mark.long
@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        pytest.param(program, words, id=program, marks=pytest.mark.nightly if program == "pinned" else [])
        for program, words in LONG
    ],
)
def test_a_program_short_of_memory_prints_the_same_in_qemu_and_here(
    program: str, arguments: tuple[str, ...], blank: Path
) -> None:
    lab, ours = here(program, arguments, blank)
    theirs = in_qemu(program, arguments, blank)
    assert lines_by_process(ours) == lines_by_process(theirs)
    assert len(lines_by_process(ours)) > 1, "a kernel's line and a process's at least"
    ended = lab.ended
    assert isinstance(ended, Ended)
    assert ended.code is not None
    assert exit_status(ended.code) == PASS
    if arguments:
        assert lab.value("vm_statistics.swapped_out") > 100, "it did swap"
        assert any(blank.read_bytes()), "and so it did there"


def a_disk(path: Path, first_page: bytes) -> Path:
    path.write_bytes(first_page.ljust(PAGE, b"\0") + bytes((SLOTS - 1) * PAGE))
    return path


def marked(rest: bytes = b"") -> bytes:
    """The first page of a disk that mkswap made: perhaps something else in it, and its mark at the end."""
    return rest.ljust(MARK_OFFSET, b"\0") + MARK


FIRST_PAGES = {
    "blank": (b"", True),
    "mkswap's": (marked(), True),
    "mkswap's, with a boot sector": (marked(b"\xeb\xfe"), True),
    "a file system's": (b"\0" * 1080 + b"\x53\xef", False),
    "a mark one byte off": (marked()[1:], False),
}


@pytest.mark.parametrize("which", FIRST_PAGES)
def test_only_a_blank_disk_or_a_marked_one_is_a_swap_area(which: str, tmp_path: Path) -> None:
    first_page, is_used = FIRST_PAGES[which]
    lab, console = here("hello", (), a_disk(tmp_path / "disk", first_page))
    slots = lab.value("slot_count")
    assert (slots == SLOTS) is is_used
    assert (NOT_USED in console.decode().splitlines()) is not is_used


@pytest.mark.qemu
@pytest.mark.long
@pytest.mark.parametrize("which", FIRST_PAGES)
def test_nor_in_qemu_and_a_disk_that_holds_something_is_never_written(which: str, tmp_path: Path) -> None:
    first_page, is_used = FIRST_PAGES[which]
    disk = a_disk(tmp_path / "disk", first_page)
    before = disk.read_bytes()
    console = in_qemu("pressure", ("1400", "1"), disk)
    assert (NOT_USED in console.decode().splitlines()) is not is_used
    assert (b"out of memory" in console) is not is_used
    after = disk.read_bytes()
    assert after[:PAGE] == before[:PAGE], "the first page is only looked at"
    assert (after == before) is not is_used


def test_without_a_swap_area_nothing_is_written_to_a_disk_that_holds_something(tmp_path: Path) -> None:
    disk = a_disk(tmp_path / "disk", FIRST_PAGES["a file system's"][0])
    lab, console = here("pressure", ("1400", "1"), disk)
    assert b"2: killed: out of memory" in console
    slot = lab.machine.virtio.slots[0]
    assert slot is not None
    assert isinstance(slot.device, VirtioBlock)
    assert not any(slot.device.disk.overlay), "no block was written"
