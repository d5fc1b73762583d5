# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting until a student saves a file of a lab."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from watchfiles import watch

from emu.lesson.lab_folder import lab_names
from emu.lesson.model import Lesson

_LOOK_SECONDS: Final = 0.2
_SETTLE_MS: Final = 100

State = tuple[tuple[int, int] | None, ...]
"""When each file of a lab was last written, and its size; None for one that is not there."""


def state_of(lesson: Lesson, folder: Path) -> State:
    """What the files in `folder` are like now: to be taken before they are read."""
    return tuple(_one(folder / name) for name in lab_names(lesson))


def _one(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def wait_for_save(lesson: Lesson, folder: Path, since: State, over: Callable[[], bool]) -> bool:
    """Until a file of the lab is not as it was at `since`: True; or until `over` says that nobody waits: False.

    `folder` need not be there yet. `over` is called a few times a second, in this thread.
    """
    if since != state_of(lesson, folder):
        return True
    for _ in _moments(folder):
        if since != state_of(lesson, folder):
            return True
        if over():
            return False
    return False


def _moments(folder: Path) -> Iterator[None]:
    """Now and then, and as soon as something changes in the folder."""
    while True:
        try:
            for _ in watch(
                folder,
                yield_on_timeout=True,
                watch_filter=None,
                debounce=_SETTLE_MS,
                step=_SETTLE_MS // 5,
                rust_timeout=int(_LOOK_SECONDS * 1000),
            ):
                yield
        except (OSError, RuntimeError):  # no such folder, or the system watches no more of them
            time.sleep(_LOOK_SECONDS)
            yield
