# SPDX-License-Identifier: GPL-2.0-or-later
"""What `--disk` and `disk=` name: a file that is read and never written, or an empty disk of some size.

The bytes are read when a run is asked for and belong to the request, so every machine made from it, the one that goes
back included, begins with the same disk.
"""

import re
import stat
from pathlib import Path
from typing import Final

from emu.devices.disk import MOST_DISK_BYTES, SECTOR_BYTES, DiskImage

BLANK: Final = "blank:"
_SIZE: Final = re.compile(r"([0-9]{1,12})([KM])")
_UNITS: Final = {"K": 1 << 10, "M": 1 << 20}
_MOST: Final = f"{MOST_DISK_BYTES >> 20} MiB"


class DiskError(Exception):
    """No disk can be made of what was named: one line with what, where, and the mend."""


def disk_image(text: str) -> DiskImage:
    """The disk that `text` names: a path, or `blank:` and a size in K or M (blank:8M). DiskError if it is none."""
    if not text:
        raise DiskError("disk: an empty name; give an image file, or blank:8M for an empty disk")
    return _blank(text) if text.startswith(BLANK) else _from_file(text)


def _blank(text: str) -> DiskImage:
    match = _SIZE.fullmatch(text.removeprefix(BLANK))
    if match is None:
        raise DiskError(f"disk {text}: no size; write it in K or M, for example blank:8M")
    return DiskImage(text, _checked(text, int(match[1]) * _UNITS[match[2]]))


def _from_file(text: str) -> DiskImage:
    try:
        path = Path(text)
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DiskError(
                f"disk {text}: not a regular file; give an image file, or blank:8M for an empty disk"
            )
        _checked(text, status.st_size)
        content = path.read_bytes()
    except FileNotFoundError:
        raise DiskError(
            f"disk {text}: no such file; check the path, or take blank:8M for an empty disk"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DiskError(f"disk {text}: cannot be read ({reason}); give a file you may read") from None
    return DiskImage(path.name, _checked(text, len(content)), content)


def _checked(text: str, size: int) -> int:
    if not size:
        raise DiskError(f"disk {text}: it is empty; give it a size, {SECTOR_BYTES} bytes at least")
    if size % SECTOR_BYTES:
        raise DiskError(
            f"disk {text}: {size} bytes are no multiple of {SECTOR_BYTES}; pad the file (truncate -s)"
        )
    if size > MOST_DISK_BYTES:
        raise DiskError(f"disk {text}: {size} bytes are more than {_MOST}; take a smaller one")
    return size
