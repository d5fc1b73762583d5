# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a student waits for the first words on the screen: the real command on a terminal of its own."""

import os
import re
import sys
from contextlib import suppress
from time import perf_counter
from typing import Final

FIRST_SCREEN_SECONDS: Final = 20.0
_CONTROL_SEQUENCE: Final = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]")


def measure_first_screen(
    command: tuple[str, ...] = (sys.executable, "-m", "emu", "learn", "overrun"),
    wanted: bytes = b"",
    limit_seconds: float = FIRST_SCREEN_SECONDS,
) -> float | None:
    """Seconds from the start of the command to its first text on a terminal; None if none came, or can be made.

    `wanted` is what counts as the first text; the first words of the lesson if it is empty.
    """
    try:
        import pty
    except ImportError:
        return None
    wanted = wanted or _first_words("overrun")
    if not wanted:
        return None
    before = perf_counter()
    process, terminal = pty.fork()
    if process == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS="120", LINES="36")
        os.execv(command[0], command)
    try:
        return _wait_for(terminal, wanted, before, limit_seconds)
    finally:
        _end(process, terminal)


def _first_words(lesson: str) -> bytes:
    """What the lesson's text begins with; empty if there is no such lesson."""
    from emu.lesson.model import LessonError, find_lesson
    from emu.resources import ResourceMissing

    try:
        text = next(section.text for section in find_lesson(lesson).sections if section.text)
    except (LessonError, ResourceMissing, StopIteration):
        return b""
    return " ".join(text.split()[:2]).encode()


def _wait_for(terminal: int, wanted: bytes, before: float, limit_seconds: float) -> float | None:
    import select

    seen = b""
    while perf_counter() - before < limit_seconds:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:
            return None
        seen += data
        if not data:
            return None
        if wanted in _CONTROL_SEQUENCE.sub(b"", seen):
            return perf_counter() - before
    return None


def _end(process: int, terminal: int) -> None:
    import signal

    with suppress(OSError):
        os.kill(process, signal.SIGKILL)
    with suppress(OSError):
        os.waitpid(process, 0)
    os.close(terminal)
