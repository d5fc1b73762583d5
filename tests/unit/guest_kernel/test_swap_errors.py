# SPDX-License-Identifier: GPL-2.0-or-later
"""A swap disk that fails: what cannot be written stays where it is, what cannot be read costs its owner's life."""

from collections.abc import Callable

import pytest

from emu.devices.disk import Disk, DiskImage
from emu.events import Marked
from emu.lesson import Call, Lab

from .memory import marks, said

DISK_BYTES, PAGE_SECTORS = 8 << 20, 8
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


def run(refuses: Refuses, program: str, *arguments: str) -> Lab:
    lab = Lab()
    lab.boot(program, *arguments, memory_mib=8, disk="blank:8M")
    slot = lab.machine.virtio.slots[0]
    assert slot is not None
    slot.device.disk = BadDisk(refuses)
    lab.run_to_exit()
    return lab


def errors(lab: Lab, write: int) -> int:
    return sum(
        mark.arguments["error"] != 0 and mark.arguments["write"] == write for mark in marks(lab, "disk_done")
    )


def is_balanced(lab: Lab) -> bool:
    (balance,) = marks(lab, "balance")
    return balance.arguments["free_at_start"] == balance.arguments["free_at_end"]


def every_third_new_sector(disk: BadDisk, sector: int) -> bool:
    return sector > 0 and sector not in disk.written and disk.asked % 3 == 0


def test_a_page_that_cannot_be_written_stays_with_its_owner_and_keeps_its_bytes() -> None:
    lab = run(every_third_new_sector, "pressure", "1700", "2")
    assert errors(lab, write=1) > 50
    assert said(lab) == [f"2: round {n}: 0 of 1700 pages are not what they were" for n in (0, 1)]
    assert is_balanced(lab)
    freed = {
        mark.arguments["frame_number"]
        for mark in marks(lab, "frame_owner")
        if mark.arguments["owner"] == 0
    }
    assert freed, "frames were given away, and those of failed writes are told from them below"
    for failed, after in first_fate_of_failed_frames(lab):
        assert after.name != "frame_owner", f"{failed}: its frame was given away all the same, by {after}"


def first_fate_of_failed_frames(lab: Lab) -> list[tuple[Marked, Marked]]:
    """Each failed write, with what was said next about its frame."""
    told = [event for event in lab.events if isinstance(event, Marked) and "frame_number" in event.arguments]
    fates: list[tuple[Marked, Marked]] = []
    waiting: dict[object, Marked] = {}
    for mark in told:
        number = mark.arguments["frame_number"]
        if number in waiting:
            fates.append((waiting.pop(number), mark))
        if mark.name == "disk_done" and mark.arguments["write"] and mark.arguments["error"]:
            waiting[number] = mark
    return fates


def test_nor_do_processes_that_share_fork_and_end_meanwhile_lose_a_byte_or_a_frame() -> None:
    lab = run(every_third_new_sector, "stress", "5", "6", "30", "300")
    assert errors(lab, write=1) > 20
    assert said(lab)[-1].endswith(" 0 wrong")
    assert said(lab).count("2: self-check: 0 findings") == 6
    assert is_balanced(lab)


def test_a_page_that_cannot_be_read_back_kills_its_process_and_nobody_else() -> None:
    lab = run(lambda disk, sector: sector in disk.written, "pressure", "1700", "2")
    assert errors(lab, write=0) == 1
    (line,) = [line for line in said(lab) if "killed" in line]
    assert line.startswith("2: killed: page fault at ")
    assert "the swap area cannot be read" in line
    assert is_balanced(lab)


def test_an_object_lives_as_long_as_the_disk_writes_a_page_of_it() -> None:
    """The last process that maps it ends during the write, and then the disk refuses."""
    lab = run(lambda disk, sector: False, "shared")
    assert lab.value("objects") == 0


@pytest.mark.parametrize("pointer", [0, 0x40_0000, 0xFFFF_8880_0080_0000, 2**64 - 8])
def test_a_pointer_that_cannot_be_kmallocs_ends_the_kernel_in_words(pointer: int) -> None:
    lab = Lab()
    lab.boot("alloc", "kmalloc_100_KERNEL", memory_mib=8)
    lab.run_until(Call("kfree"))
