# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest is reproducible: the same sources give the same bytes wherever they are compiled."""

import hashlib
import shutil
from pathlib import Path

from emu.guest.build import build_guest, read_programs
from emu.resources import guest_images, guest_sources


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def copy_and_build(folder: Path) -> dict[str, str]:
    shutil.copytree(guest_sources(), folder / "guest", ignore=shutil.ignore_patterns("out"))
    build_guest(folder / "guest", folder / "images")
    return digests(folder / "images")


def test_two_builds_in_two_folders_give_every_image_one_sha256(tmp_path: Path) -> None:
    first = digests(guest_images())  # of the sources as they are: see tests/conftest.py
    second = copy_and_build(tmp_path / "there" / "in a much deeper folder")
    programs = {entry.name for entry in read_programs(guest_sources())}
    assert {"kernel.elf", "programs.cpio", *programs} == set(second)
    assert {name: first[name] for name in second} == second
