# SPDX-License-Identifier: GPL-2.0-or-later
"""How far a student has come: one JSON file in the user's data folder, written whole or not at all.

Each change reads the file anew under a lock, so that two copies of Pagewalk lose nothing of each other's. A file that
cannot be used is kept aside under another name. Where nothing can be written, progress lasts as long as the process.
"""

import fcntl
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from platformdirs import user_data_path

from emu.lesson.progress_file import Progress, ProgressError, from_json, to_json

FOLDER_VARIABLE: Final = "PAGEWALK_DATA"
"""Names another folder for what Pagewalk remembers."""
NAME: Final = "progress.json"
_MOST_BYTES: Final = 4 << 20
_PATIENCE_SECONDS: Final = 2.0
_OLD_TEMPORARY_SECONDS: Final = 3600


def data_folder() -> Path:
    """Where Pagewalk keeps what it remembers of this user."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else user_data_path("pagewalk", appauthor=False)


class ProgressStore:
    """The progress file of one folder. `note` is one line about what is wrong with it, "" if nothing is."""

    def __init__(self, folder: Path | None = None) -> None:
        """`folder`: the user's own if None. It need not exist."""
        self.folder = folder or data_folder()
        self.note = ""
        self._lock = threading.Lock()
        self._saves = True
        self._progress = Progress()
        self._load()

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / NAME

    @property
    def progress(self) -> Progress:
        """As last read or written by this process."""
        return self._progress

    def reload(self) -> Progress:
        """As it is now, if the file can be used."""
        with self._lock:
            if self._saves:
                self._load()
        return self._progress

    def update(self, change: Callable[[Progress], None]) -> None:
        """Let `change` alter the progress as it is now, and write it. Never raises for the file's sake."""
        with self._lock:
            if self._saves:
                try:
                    self._update_file(change)
                    return
                except OSError as error:
                    self._saves = False
                    self.note = f"progress is not saved: {self.folder}: {error.strerror or error}"
            change(self._progress)

    # -- the file -------------------------------------------------------------------------------------------------

    def _load(self) -> None:
        try:
            self._progress = _read(self.path)
        except ProgressError as error:
            self._keep_aside(error)
        except OSError as error:
            self._saves = False
            self.note = f"progress is not saved: {self.path}: {error.strerror or error}"

    def _update_file(self, change: Callable[[Progress], None]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with _locked(self.folder / f"{NAME}.lock"):
            try:
                progress = _read(self.path)
            except ProgressError as error:
                self.note = f"{error}; kept as {_set_aside(self.path, error).name}"
                progress = Progress()
            change(progress)
            _write(self.path, to_json(progress))
            self._progress = progress

    def _keep_aside(self, error: ProgressError) -> None:
        """Move a file that cannot be used out of the way, unless somebody else has just done so."""
        try:
            with _locked(self.folder / f"{NAME}.lock"):
                try:
                    self._progress = _read(self.path)
                except ProgressError as again:
                    self.note = f"{again}; kept as {_set_aside(self.path, again).name}, progress begins anew"
        except OSError as trouble:
            self._saves = False
            self.note = f"{error}; progress is not saved: {trouble.strerror or trouble}"


def _read(path: Path) -> Progress:
    """The progress in a file; none if there is no file. ProgressError if it cannot be used."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return Progress()
    if len(data) > _MOST_BYTES:
        raise ProgressError(path, "larger than 4 MiB")
    try:
        return from_json(json.loads(data.decode("utf-8")), path)
    except (ValueError, RecursionError):  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise ProgressError(path, "damaged, not JSON") from None


def _write(path: Path, value: object) -> None:
    """Replace the file in one stroke: whoever reads it finds the old one or the new one, whole."""
    handle, name = tempfile.mkstemp(prefix=f"{NAME}.", suffix=".new", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(value, file, indent=1, sort_keys=True)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
    _sweep(path.parent)


def _sweep(folder: Path) -> None:
    """Remove what killed processes left behind."""
    for path in folder.glob(f"{NAME}.*.new"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _OLD_TEMPORARY_SECONDS:
                path.unlink()


def _set_aside(path: Path, error: ProgressError) -> Path:
    """Give the file a name that nothing has yet."""
    number = 1
    while (aside := path.with_name(f"progress.{error.word}-{number}.json")).exists():
        number += 1
    path.rename(aside)
    return aside


@contextmanager
def _locked(path: Path) -> Generator[None]:
    """Hold a file's lock, which ends with the process. OSError if another holds it for too long."""
    with path.open("ab") as file:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        yield
