# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of a folder of the host, read once, for a server that must not look at the host again."""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

MOST_FILES: Final = 256
MOST_FILE_BYTES: Final = 4 << 20
MOST_BYTES: Final = 16 << 20


class FolderError(Exception):
    """A folder that cannot be served: one line with what, where, and the mend."""


def read_folder(folder: Path) -> Mapping[bytes, bytes | None]:
    """From name ("a.txt", "sub/b.txt") to contents, sorted by name; None for what is there but is not to be given
    away: a link that leads out of the folder, a file that may not be read.

    FolderError if it is no folder, or holds more than 256 files, a file of more than 4 MiB, or more than 16 MiB.
    """
    try:
        root = folder.resolve(strict=True)
        if not root.is_dir():
            raise FolderError(
                f"{folder} is a file, not a folder; give the folder whose files are to be served"
            )
        files: dict[bytes, bytes | None] = {}
        total = 0
        for path in _files(root):
            if len(files) == MOST_FILES:
                raise FolderError(f"{folder} holds more than {MOST_FILES} files; serve a smaller folder")
            contents = _read(path, root)
            files[os.fsencode(path.relative_to(root).as_posix())] = contents
            total += len(contents or b"")
            if total > MOST_BYTES:
                raise FolderError(
                    f"{folder} holds more than {MOST_BYTES >> 20} MiB in all; serve a smaller folder"
                )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise FolderError(f"cannot read the folder {folder}: {reason}; check the path") from None
    return dict(sorted(files.items()))


def _files(root: Path) -> Iterator[Path]:
    """Files and links to files below `root`, folder by folder; links to folders are not followed."""

    def give_up(error: OSError) -> None:
        raise error

    for folder, folders, names in os.walk(root, onerror=give_up):
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            if path.is_symlink() or stat.S_ISREG(path.lstat().st_mode):
                yield path


def _read(path: Path, root: Path) -> bytes | None:
    if path.is_symlink():
        target = path.resolve()
        if not target.is_relative_to(root) or not target.is_file():
            return None
    size = path.stat().st_size
    if size > MOST_FILE_BYTES:
        raise FolderError(f"{path} has more than {MOST_FILE_BYTES >> 20} MiB; take it out of the folder")
    try:
        return path.read_bytes()
    except PermissionError:
        return None
