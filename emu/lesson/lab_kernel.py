# SPDX-License-Identifier: GPL-2.0-or-later
"""From a student's lab to the kernel that a step boots, or to what is to be said instead."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from platformdirs import user_cache_path

from emu import resources
from emu.guest.build import GuestBuildError, find_ziglang
from emu.guest.overlay import build_kernel
from emu.lesson.lab_folder import STARTER, LabFiles, LabFolderError, is_lab, read_lab
from emu.lesson.model import Lesson
from emu.lesson.pages import Check, Item
from emu.lesson.views import Text, harmless

CACHE_VARIABLE: Final = "PAGEWALK_CACHE"
"""Names another folder for compiled kernels."""
_MOST_LINES: Final = 24
_WIDTH: Final = 80
COMPILES: Final = "your kernel compiles"


@dataclass(frozen=True, slots=True)
class LabKernel:
    """What became of a lab. `items` go to the step's page.

    `ready`: there is a kernel to boot: `image`, or the bundled one if the lab's files are those it was made from.
    `idle`: there was nothing to do, so that nothing failed and nothing is earned.
    """

    items: tuple[Item, ...]
    ready: bool = False
    idle: bool = False
    image: Path | None = None


def lab_kernel(lesson: Lesson, folder: Path | None) -> LabKernel:
    """The kernel with the files of the lab in `folder`, compiled if need be. LessonError for a damaged lesson."""
    if folder is None or not is_lab(lesson, folder):
        return LabKernel((_how_to_begin(lesson, folder),), idle=True)
    try:
        lab = read_lab(lesson, folder)
    except LabFolderError as error:
        return LabKernel((harmless(str(error)), Check("the lab's files are all there", False)))
    items: list[Item] = [Text(f"Your lab is {harmless(str(folder))}.", lab.notes)]
    if not _differs(lab, resources.guest_sources()):
        return LabKernel(tuple(items), ready=True)
    try:
        find_ziglang()
    except GuestBuildError:
        return LabKernel((*items, "The lab needs a compiler: `pip install 'pagewalk[guest]'`"), idle=True)
    if not _differs(lab, lesson.folder / STARTER):
        items.append("Its files are still the starter's.")
    try:
        image = _build(lab)
    except GuestBuildError as error:
        said = Text("What the compiler says:", tuple(_report(error)))
        return LabKernel((*items, said, Check(COMPILES, False)))
    return LabKernel((*items, Check(COMPILES, True)), ready=True, image=image)


def _how_to_begin(lesson: Lesson, folder: Path | None) -> str:
    if folder is not None and os.path.lexists(folder):
        make = f"`{folder}` is no lab of this lesson. `pagewalk lab {lesson.id} NEW_FOLDER` makes one, and"
        return f"{make} `pagewalk learn {lesson.id} --lab NEW_FOLDER` takes it."
    where = "" if folder is None or folder == Path(lesson.id) else f" {folder}"
    return f"This step is a lab, and there is none yet: `pagewalk lab {lesson.id}{where}` makes it."


def _differs(lab: LabFiles, sources: Path) -> bool:
    return any((sources / name).read_bytes() != data for name, data in lab.files.items())


def _build(lab: LabFiles) -> Path:
    try:
        return build_kernel(resources.guest_sources(), lab.files, cache_folder())
    except OSError:
        return build_kernel(resources.guest_sources(), lab.files, Path(_own_folder().name))


def cache_folder() -> Path:
    """Where compiled kernels are kept."""
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named) if named else user_cache_path("pagewalk", appauthor=False)


@cache
def _own_folder() -> "TemporaryDirectory[str]":
    """Where nothing can be kept: for as long as this process lives."""
    return TemporaryDirectory(prefix="pagewalk-labs-")


def _report(error: GuestBuildError) -> list[str]:
    """What the compiler said, with the lab's names of the files, in lines of at most 80 columns."""
    text = error.report or str(error)
    lines = [_shortened(row) for row in text.splitlines() if row.strip()]
    more = len(lines) - _MOST_LINES
    return [*lines[:_MOST_LINES], f"... and {more} more lines"] if more > 0 else lines


def _shortened(row: str) -> str:
    """Without the folder that the sources were laid out in."""
    if row.startswith("/"):
        _, mark, rest = row.partition("/guest/")
        row = rest if mark else row
    row = harmless(row.replace("\t", "    "))
    return row if len(row) <= _WIDTH else row[: _WIDTH - 3] + "..."
