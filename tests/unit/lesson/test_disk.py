# SPDX-License-Identifier: GPL-2.0-or-later
"""What --disk and disk= take, and that what the guest writes stays in the machine."""

from pathlib import Path

import pytest

from emu.devices.disk import DiskImage
from emu.lesson import Lab
from emu.lesson.disk import DiskError, disk_image


@pytest.mark.parametrize(
    ("text", "size"),
    [("blank:8M", 8 << 20), ("blank:256M", 256 << 20), ("blank:1K", 1024), ("blank:007K", 7168)],
)
def test_a_blank_disk_has_the_size_that_was_asked_for(text: str, size: int) -> None:
    assert disk_image(text) == DiskImage(text, size)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "blank:",
            "blank:8",
            "blank:M",
            "blank:-1M",
            "blank:8G",
            "blank:8m",
            "blank:1.5M",
            "blank:0K",
            "blank:257M",
        ),
        *("blank:999999999999M", "blank:9999999999999M", "", "\0", "nothing", "x" * 5000),
    ],
)
def test_what_names_no_disk_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(DiskError) as caught:
        disk_image(text)
    assert str(caught.value).startswith("disk")
    assert "\n" not in str(caught.value)


def test_a_file_is_read_once_and_goes_by_its_base_name(tmp_path: Path) -> None:
    path = tmp_path / "d.img"
    path.write_bytes(b"x" * 1024)
    assert disk_image(str(path)) == DiskImage("d.img", 1024, b"x" * 1024)


@pytest.mark.parametrize(
    ("size", "word"), [(0, "empty"), (511, "multiple of 512"), ((256 << 20) + 512, "256 MiB")]
)
def test_a_file_of_a_wrong_size_is_refused(tmp_path: Path, size: int, word: str) -> None:
    path = tmp_path / "d.img"
    with path.open("wb") as file:
        file.truncate(size)
    with pytest.raises(DiskError, match=word):
        disk_image(str(path))


def test_a_lab_boots_with_a_disk_and_the_kernel_finds_it(tmp_path: Path) -> None:
    lab = Lab()
    lab.boot("hello", disk="blank:8M")
    lab.run_to_exit()
    assert lab.value("sectors") == 16384
    lab.boot("hello")
    lab.run_to_exit()
    assert lab.value("sectors") == 0
