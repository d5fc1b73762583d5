# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's open files, seen from outside: who holds what, and that nothing is left behind."""

import pytest

from emu.lesson import Call, Lab, Return

OPEN_FILES = 64
UNUSED = "FILE_UNUSED"


def open_files(lab: Lab) -> list[tuple[str, int]]:
    """Kind and number of references of each that is in use."""
    rows = [(f"open_files[{i}].kind", f"open_files[{i}].references") for i in range(OPEN_FILES)]
    found = [(str(lab.evaluate(kind).python), lab.value(references)) for kind, references in rows]
    return [row for row in found if row[0] != UNUSED]


def test_all_processes_share_the_two_open_files_of_the_console() -> None:
    lab = Lab()
    lab.boot("hello")
    lab.run_until(Call("file_write"))
    assert open_files(lab) == [("FILE_DEVICE", 2), ("FILE_DEVICE", 4)]


def test_a_text_takes_a_frame_and_its_close_gives_it_back() -> None:
    lab = Lab()
    lab.boot("files")
    lab.run_until(Call("find_text"))
    free = lab.value("free_frames")
    lab.run_until(Return("file_open"))
    assert ("FILE_TEXT", 1) in open_files(lab)
    assert lab.value("free_frames") == free - 1
    lab.run_until(Return("file_close"))
    assert ("FILE_TEXT", 1) not in open_files(lab)
    assert lab.value("free_frames") == free


@pytest.mark.parametrize("program", ["files", "badcalls", "credentials", "careless", "guard", "null"])
def test_every_open_file_is_closed_when_all_processes_have_ended(program: str) -> None:
    lab = Lab()
    lab.boot(program)
    lab.run_to_exit()
    assert open_files(lab) == []
