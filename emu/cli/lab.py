# SPDX-License-Identifier: GPL-2.0-or-later
"""`pagewalk lab`: a folder in which a student edits guest C; and `learn`'s option that names one."""

import select
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from emu.cli.errors import Exit
from emu.cli.output import out

if TYPE_CHECKING:
    from emu.lesson.model import Lesson


def lab(lesson: str, folder: Path | None = None, /) -> int:
    """Copy what a lesson's lab begins with into a new folder; `pagewalk learn` compiles and checks it.

    Example: pagewalk lab stale

    Args:
        lesson: A lesson's name (see `pagewalk lessons`).
        folder: The folder to make; without it one with the lesson's name. It must not be there yet.
    """
    from emu.lesson.lab_folder import README, lab_names, make_lab
    from emu.lesson.model import find_lesson

    found = find_lesson(lesson)
    place = folder or Path(found.id)
    make_lab(found, place)
    option = "" if place == Path(found.id) else f" --lab {place}"
    for name in lab_names(found):
        out(f"edit {place / name}")
    out(f"{place / README} says more. Then: pagewalk learn {found.id}{option}")
    return Exit.FINE


def lab_place(lesson: "Lesson", named: Path | None) -> Path:
    """Where the student's lab of `lesson` is or will be. LabFolderError if `named` is none of it."""
    from emu.lesson.lab_folder import check_lab

    if named is None:
        return Path(lesson.id)
    check_lab(lesson, named)
    return named


def enter_was_pressed() -> bool:
    """Whether a line has been typed at the terminal, or its input has ended; the line is taken."""
    if not select.select([sys.stdin], [], [], 0)[0]:
        return False
    sys.stdin.readline()
    return True
