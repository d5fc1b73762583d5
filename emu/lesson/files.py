# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of the host that a guest finds in its archive: a rule file, for example. They are read before the run."""

import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MOST_FILE_BYTES: Final = 1 << 20


class FileError(Exception):
    """No file for the guest can be made of what was named: one line with what, where, and the mend."""


@dataclass(frozen=True, slots=True)
class GuestFile:
    """A file of the guest's archive: its name there, and its bytes."""

    name: str
    data: bytes = field(repr=False)


def guest_files(paths: Sequence[str]) -> tuple[GuestFile, ...]:
    """The files at `paths`, under their base names. FileError for one that cannot be had, or a name given twice."""
    files: dict[str, GuestFile] = {}
    for text in paths:
        file = _read(text)
        if file.name in files:
            raise FileError(
                f"file {text}: another one is called {file.name} too; give one of them another name"
            )
        files[file.name] = file
    return tuple(files.values())


def _read(text: str) -> GuestFile:
    path = Path(text)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise FileError(f"file {text}: not a regular file; give one file at a time")
        if status.st_size > MOST_FILE_BYTES:
            raise FileError(
                f"file {text}: more than {MOST_FILE_BYTES >> 10} KiB; the guest's archive is in its RAM"
            )
        return GuestFile(path.name, path.read_bytes())
    except FileNotFoundError:
        raise FileError(f"file {text}: no such file; check the path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FileError(f"file {text}: cannot be read ({reason}); give a file you may read") from None
