# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the data lies at run time: guest sources, guest images, lessons.

An installed wheel carries them in `emu/_data`; in a checkout (an editable install) they are the top-level folders.
"""

from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).resolve().parent
_INSTALLED: Final = _PACKAGE / "_data"
_CHECKOUT: Final = _PACKAGE.parent


class ResourceMissing(Exception):
    """Data that should be there is not; as text, one line: what, where, the mend."""

    def __init__(self, what: str, where: Path, mend: str) -> None:
        """`what` is missing in `where`; `mend` says what to do about it."""
        super().__init__(f"{what} not found in {where}: {mend}")
        self.what = what
        self.where = where
        self.mend = mend


def is_installed() -> bool:
    """Whether the data comes from a wheel; if not, it is the checkout's own."""
    return _INSTALLED.is_dir()


def _folder(name: str) -> Path:
    return (_INSTALLED if is_installed() else _CHECKOUT) / name


def _require(folder: Path, what: str, witness: str, mend: str) -> Path:
    if not (folder / witness).exists():
        raise ResourceMissing(what, folder, mend)
    return folder


def _reinstall(otherwise: str) -> str:
    return "the installation is damaged, install pagewalk again" if is_installed() else otherwise


def guest_sources() -> Path:
    """The folder of the guest's C sources: `kernel/`, `user/`, `include/`."""
    return _require(
        _folder("guest"), "the guest's sources", "kernel", _reinstall("check out the whole repository")
    )


def guest_images() -> Path:
    """The folder of `kernel.elf`, the programs by name and `programs.cpio`, as compiled."""
    mend = _reinstall("run `pagewalk guest build` (it needs the extra pagewalk[guest])")
    return _require(_folder("guest") / "out", "the guest's images", "kernel.elf", mend)


def lessons() -> Path:
    """The folder that holds one folder for each lesson of the course."""
    return _require(_folder("lessons"), "the lessons", ".", _reinstall("check out the whole repository"))
