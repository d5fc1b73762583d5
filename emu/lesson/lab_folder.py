# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab: the folder in which a student edits guest C. Making one from a lesson's starter, and reading it.

A lesson with a lab has the folders starter/ and solution/, with the same files; each takes the place of the guest's
file of that name, `kernel/ukshm_unmap.c` for example. A student's folder holds the same names.
"""

import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from emu.guest.near import shown
from emu.guest.overlay import ROOMS
from emu.lesson.model import Lesson, LessonError, course

STARTER: Final = "starter"
SOLUTION: Final = "solution"
README: Final = "README.txt"
_SUFFIXES: Final = (".c", ".h", ".S")
_MOST_BYTES: Final = 1 << 20
_MOST_ENTRIES: Final = 500
_MOST_NOTES: Final = 8


class LabFolderError(Exception):
    """A lab cannot be made or used: one line with what, where, and the mend."""


@dataclass(frozen=True, slots=True)
class LabFiles:
    """What a student's folder holds: the lab's files by their place in the guest; a line on each that is not one."""

    files: dict[str, bytes]
    notes: tuple[str, ...]


def lab_names(lesson: Lesson) -> tuple[str, ...]:
    """The files that the lesson's lab is about, by their place in the guest; none if it has no lab. LessonError."""
    folder = lesson.folder / STARTER
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    for name in found:
        place = PurePosixPath(name)
        if place.parts[0] not in ROOMS or place.suffix not in _SUFFIXES:
            raise LessonError(
                f"{folder / name}: a lab replaces .c, .h and .S files of {', '.join(ROOMS)}; move it there"
            )
    return tuple(found)


def is_lab(lesson: Lesson, folder: Path) -> bool:
    """Whether `folder` is one of this lesson's labs: at least one of its files lies there."""
    return any((folder / name).is_file() for name in lab_names(lesson))


def check_lab(lesson: Lesson, folder: Path) -> None:
    """LabFolderError if the lesson has no lab, or `folder` is none of it."""
    names = _names(lesson)
    if not is_lab(lesson, folder):
        there = os.path.lexists(folder)
        word = f"no lab of this lesson: it has no {names[0]}" if there else "no such folder"
        make = f"pagewalk lab {lesson.id} {'NEW_FOLDER' if there else folder}"
        raise LabFolderError(f"{folder}: {word}; make one with: {make}")


def make_lab(lesson: Lesson, folder: Path) -> None:
    """Copy the lesson's starter to `folder`, which must not be there yet, whole or not at all. LabFolderError."""
    names = _names(lesson)
    if os.path.lexists(folder):
        raise LabFolderError(f"{folder} is there already, and is not overwritten; name another folder")
    if not folder.absolute().parent.is_dir():
        raise LabFolderError(f"{folder}: no folder {folder.absolute().parent}; make that first")
    try:
        half = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.absolute().parent))
        try:
            for name in names:
                (half / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(lesson.folder / STARTER / name, half / name)
            (half / README).write_text(_readme(lesson, folder, names), encoding="utf-8")
            half.chmod(0o777 & ~_umask())
            half.rename(folder)
        finally:
            shutil.rmtree(half, ignore_errors=True)
    except OSError as error:
        raise LabFolderError(f"{folder}: cannot be made ({error.strerror}); name another folder") from None


def read_lab(lesson: Lesson, folder: Path) -> LabFiles:
    """The lab in `folder`. LabFolderError for a file that is missing, leads elsewhere, or cannot be read."""
    names = _names(lesson)
    files = {name: _read(folder, name) for name in names}
    return LabFiles(files, _notes(folder, names))


def _names(lesson: Lesson) -> tuple[str, ...]:
    names = lab_names(lesson)
    if not names:
        having = ", ".join(one.id for one in course() if lab_names(one))
        raise LabFolderError(f"lesson {lesson.id} has no lab; these have one: {having}")
    return names


def _read(folder: Path, name: str) -> bytes:
    path = folder / name
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise LabFolderError(f"{path}: leads out of the lab's folder; put the file itself there")
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise LabFolderError(f"{path}: not a file; put the lab's file there")
        if status.st_size > _MOST_BYTES:
            raise LabFolderError(f"{path}: more than 1 MiB; this is not the lab's file")
        return path.read_bytes()
    except FileNotFoundError:
        raise LabFolderError(f"{path}: missing; copy it from a new folder of `pagewalk lab`") from None
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise LabFolderError(f"{path}: cannot be read ({shown(reason)}); make it readable") from None


def _notes(folder: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    """A line on each file that has no part in the lab. What editors leave beside a file is passed over."""
    notes: list[str] = []
    seen = 0
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        seen += len(files) + len(folders)
        if seen > _MOST_ENTRIES:
            return (*notes, f"{folder}: more than {_MOST_ENTRIES} files; the rest was not looked at")
        for file in sorted(files):
            name = (Path(root) / file).relative_to(folder).as_posix()
            if name not in names and name != README and not file.startswith((".", "#")) and file[-1] != "~":
                notes.append(f"{shown(name)}: no file of this lab; it is not compiled")
    more = len(notes) - _MOST_NOTES
    return (*notes[:_MOST_NOTES], f"and {more} more") if more > 0 else tuple(notes)


def _umask() -> int:
    old = os.umask(0o022)
    os.umask(old)
    return old


def _readme(lesson: Lesson, folder: Path, names: tuple[str, ...]) -> str:
    where = "" if folder == Path(lesson.id) else f" --lab {folder}"
    files = "\n".join(f"    {name}" for name in names)
    return f"""\
Lab of the lesson "{lesson.id}": {lesson.title}

To edit:
{files}
A comment there says what is missing. The file takes the place of the kernel's
own file of that name; the other files of the kernel are those of guest/kernel.

To try it, in the folder where you made this one:
    pagewalk learn {lesson.id}{where}
or as text:
    pagewalk learn {lesson.id}{where} --plain
The lesson's last step compiles the kernel with your file, runs it, and checks
what it did; and again after each save, as long as it waits there.

Compiling needs a compiler, which comes with: pip install 'pagewalk[guest]'
"""
