# SPDX-License-Identifier: GPL-2.0-or-later
"""A swap disk that fails: what cannot be written stays where it is, what cannot be read costs its owner's life."""

from collections.abc import Callable
from pathlib import Path

import pytest

from emu.devices.disk import Disk, DiskImage
from emu.devices.virtio_block import VirtioBlock
from emu.events import Marked
from emu.lesson import Lab

from .memory import balance_is_equal, said, scarce, watch

LETGO = Path(__file__).parent / "guests" / "letgo.c"
DISK_BYTES, PAGE_SECTORS = 8 << 20, 8
BAD_PAGE = 40
"""The one slot that cannot be read: not one of the first, which are init's pages, and init must not die."""
Refuses = Callable[["BadDisk", int], bool]


class BadDisk(Disk):
    """A blank disk with an error of its own for each request that `refuses` picks."""

    def __init__(self, refuses: Refuses) -> None:
        super().__init__(DiskImage("bad", DISK_BYTES))
        self.refuses = refuses
        self.written: set[int] = set()
        self.asked = 0

    def holds(self, sector: int, size: int) -> bool:
        """Refuse as if the sectors were beyond the end."""
        self.asked += 1
        return super().holds(sector, size) and not self.refuses(self, sector)

    def write(self, sector: int, data: bytes) -> None:
        """Note what was written: a request for any other sector can only be a write."""
        self.written.add(sector)
        super().write(sector, data)


def run(refuses: Refuses, program: str, *arguments: str) -> tuple[Lab, list[Marked]]:
    lab = scarce(program, *arguments)
    slot = lab.machine.virtio.slots[0]
    assert slot is not None
    assert isinstance(slot.device, VirtioBlock)
    slot.device.disk = BadDisk(refuses)
    marks = watch(lab, Marked)
    lab.run_to_exit()
    return lab, marks


def errors(marks: list[Marked], write: int) -> int:
    """How many requests failed."""
    done = [mark.arguments for mark in marks if mark.name == "disk_done"]
    return sum(mark["error"] != 0 and mark["write"] == write for mark in done)


def every_second_new_sector(disk: BadDisk, sector: int) -> bool:
    return sector > 0 and sector not in disk.written and disk.asked % 2 == 0


def next_about_frames_that_failed(marks: list[Marked]) -> list[Marked]:
    """For each failed write what was said next about its frame."""
    found: list[Marked] = []
    failed: set[object] = set()
    for mark in marks:
        number = mark.arguments.get("frame_number")
        if number in failed:
            found.append(mark)
            failed.remove(number)
        if mark.name == "disk_done" and mark.arguments["write"] and mark.arguments["error"]:
            failed.add(number)
    return found


def test_a_page_that_cannot_be_written_stays_with_its_owner_and_is_tried_again() -> None:
    lab, marks = run(every_second_new_sector, "pressure", "400", "2")
    assert said(lab) == [f"2: round {n}: 0 of 400 pages are not what they were" for n in (0, 1)]
    assert errors(marks, write=1) > 20
    fates = {mark.name for mark in next_about_frames_that_failed(marks)}
    assert "swap_out" in fates
    assert fates <= {"swap_out", "frame_owner"}
    assert balance_is_equal(marks)


def test_processes_that_share_fork_and_end_meanwhile_lose_neither_a_byte_nor_a_frame() -> None:
    lab, marks = run(every_second_new_sector, "stress", "2", "4", "12", "400")
    assert errors(marks, write=1) > 20
    assert said(lab)[-1].endswith(" 0 wrong")
    assert said(lab).count("2: self-check: 0 findings") == 4
    assert balance_is_equal(marks)


@pytest.mark.long
def test_shared_memory_that_is_let_go_of_during_a_failing_write_is_freed_once() -> None:
    pytest.importorskip("ziglang", reason="compiling the guest needs pagewalk[guest]")
    lab, marks = run(every_second_new_sector, str(LETGO), "340", "20")
    assert said(lab) == ["2: 0 wrong, the child's status 0"]
    assert errors(marks, write=1) > 20
    assert balance_is_equal(marks)


def test_a_page_that_cannot_be_read_back_kills_its_process_and_nobody_else() -> None:
    def refuses(disk: BadDisk, sector: int) -> bool:
        return sector in disk.written and sector // PAGE_SECTORS == BAD_PAGE

    lab, marks = run(refuses, "pressure", "400", "2")
    (line,) = [line for line in said(lab) if "killed" in line]
    assert line.startswith("2: killed: page fault at ")
    assert "the swap area cannot be read" in line
    assert errors(marks, write=0) == 1
    assert balance_is_equal(marks)
