# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a student waits at the screen: the real command on a terminal of its own, with real keys."""

import os
import re
import signal
import statistics
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import perf_counter
from typing import Final

LESSON: Final = "overrun"
FIRST_SCREEN_SECONDS: Final = 20.0
SETTLED_SECONDS: Final = 3.0
"""Silence after which a machine has booted and the lesson stands still."""
QUIET_SECONDS: Final = 0.25
"""Silence after which a screen is drawn."""
KEYS: Final = (
    ("S", "an instruction back"),
    ("s", "an instruction"),
    ("N", "a source line back"),
    ("n", "a source line"),
    ("E", "an event back"),
    ("e", "an event"),
    ("w", "an entry of the walk"),
)
PRESSES: Final = 15
_CONTROL_SEQUENCE: Final = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]")


@dataclass(frozen=True, slots=True)
class KeyWait:
    """From the press of `key` to the last byte of the redrawn screen, in milliseconds."""

    key: str
    what: str
    typical: float
    worst: float


class _Terminal:
    """A command at work on a pseudo-terminal of 120 x 36."""

    def __init__(self, file: int) -> None:
        self._file = file

    def read(self, patience_seconds: float) -> bytes:
        """What comes next; nothing if nothing comes in time, or the command has ended."""
        import select

        if not select.select([self._file], [], [], patience_seconds)[0]:
            return b""
        with suppress(OSError):
            return os.read(self._file, 1 << 16)
        return b""

    def drain(self, first_seconds: float, quiet_seconds: float) -> float | None:
        """Read until it is quiet: when the last byte came; None if none did within `first_seconds`."""
        last, patience = None, first_seconds
        while self.read(patience):
            last, patience = perf_counter(), quiet_seconds
        return last

    def press(self, key: str) -> float | None:
        """Seconds from the press to the last byte of the redrawn screen; None if nothing was drawn."""
        before = perf_counter()
        os.write(self._file, key.encode())
        last = self.drain(SETTLED_SECONDS, QUIET_SECONDS)
        return None if last is None else last - before


@contextmanager
def _terminal(command: tuple[str, ...]) -> Generator[_Terminal | None]:
    """The command on a terminal, with progress of its own; None where no terminal can be made."""
    try:
        import pty
    except ImportError:
        yield None
        return
    with tempfile.TemporaryDirectory() as home:
        process, file = pty.fork()
        if process == 0:
            os.environ.update(TERM="xterm-256color", COLUMNS="120", LINES="36", XDG_DATA_HOME=home, HOME=home)
            os.execv(command[0], command)
        try:
            yield _Terminal(file)
        finally:
            with suppress(OSError):
                os.kill(process, signal.SIGKILL)
            with suppress(OSError):
                os.waitpid(process, 0)
            os.close(file)


def _learn() -> tuple[str, ...]:
    return sys.executable, "-m", "emu", "learn", LESSON


def measure_first_screen(
    command: tuple[str, ...] = (), wanted: bytes = b"", limit_seconds: float = FIRST_SCREEN_SECONDS
) -> float | None:
    """Seconds from the start of the command to its first text on a terminal; None if none came, or can be made.

    `wanted` is what counts as the first text; the first words of the lesson if it is empty.
    """
    wanted = wanted or _first_words(LESSON)
    if not wanted:
        return None
    before = perf_counter()
    with _terminal(command or _learn()) as terminal:
        seen = b""
        while terminal is not None and (left := before + limit_seconds - perf_counter()) > 0:
            data = terminal.read(left)
            seen += data
            if not data:
                break
            if wanted in _CONTROL_SEQUENCE.sub(b"", seen):
                return perf_counter() - before
    return None


def measure_keys(command: tuple[str, ...] = (), presses: int = PRESSES) -> list[KeyWait]:
    """What each step size takes on screen, back and forth in a lesson; empty where no terminal can be made."""
    found: list[KeyWait] = []
    with _terminal(command or _learn()) as terminal:
        if terminal is None or terminal.drain(FIRST_SCREEN_SECONDS, SETTLED_SECONDS) is None:
            return []
        for key, what in KEYS:
            waits = [seconds for _ in range(presses) if (seconds := terminal.press(key)) is not None]
            if waits:
                found.append(KeyWait(key, what, statistics.median(waits) * 1e3, max(waits) * 1e3))
    return found


def _first_words(lesson: str) -> bytes:
    """What the lesson's text begins with; empty if there is no such lesson."""
    from emu.lesson.model import LessonError, find_lesson
    from emu.resources import ResourceMissing

    try:
        text = next(section.text for section in find_lesson(lesson).sections if section.text)
    except (LessonError, ResourceMissing, StopIteration):
        return b""
    return " ".join(text.split()[:2]).encode()
