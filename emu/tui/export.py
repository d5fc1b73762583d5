# SPDX-License-Identifier: GPL-2.0-or-later
"""The screen as files: a picture and its text, under names that nothing has yet."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from emu.lesson.progress import data_folder

FOLDER: Final = "pagewalk-screens"


def save_screen(name: str, svg: str, rows: Sequence[str], folders: Sequence[Path] | None = None) -> Path:
    """Write NAME-n.svg and NAME-n.txt into the first folder that can be written, and give the picture's path.

    The folders are `pagewalk-screens` where one works, else in the user's data folder. OSError if neither can be.
    """
    tried = folders if folders is not None else (Path.cwd() / FOLDER, data_folder() / FOLDER)
    trouble: OSError | None = None
    for folder in tried:
        try:
            return _save(folder, name, svg, rows)
        except OSError as error:
            trouble = error
    raise trouble or OSError("no folder to write to")


def _save(folder: Path, name: str, svg: str, rows: Sequence[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        picture = folder / f"{name}-{number:02}.svg"
        try:
            with picture.open("x", encoding="utf-8") as file:
                file.write(svg)
            break
        except FileExistsError:
            number += 1
    text = "".join(f"{row.rstrip()}\n" for row in rows)
    picture.with_suffix(".txt").write_text(text, "utf-8")
    return picture
