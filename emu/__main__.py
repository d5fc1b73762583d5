# SPDX-License-Identifier: GPL-2.0-or-later
"""`pagewalk` and `python -m emu`: starts the command line, and hands it the screen."""

from __future__ import annotations  # so that nothing need be imported before Ctrl-C is heeded

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

_INTERRUPTED = 130


class _Screen:
    """The screen, imported when somebody looks."""

    def run_lesson(self, lesson: Any, **options: Any) -> int:
        from emu.tui.app import run_lesson

        return run_lesson(lesson, **options)

    def run_course(self) -> int:
        from emu.tui.app import run_course

        return run_course()

    def svg_pictures(self, lesson: Any, folder: Path) -> list[Path]:
        from emu.tui.app import svg_pictures

        return svg_pictures(lesson, folder)


def main(arguments: list[str] | None = None) -> int:
    """Run one command: `arguments` without the program's name (those of the process if None). Returns its exit code."""
    try:
        from emu.cli.app import main as run

        code = run(sys.argv[1:] if arguments is None else arguments, _Screen())
    except KeyboardInterrupt:  # before anything was under way
        code = _INTERRUPTED
    if arguments is None:
        _heed_no_more()
        if code == _INTERRUPTED:
            _leave(code)
    return code


def _heed_no_more() -> None:
    """What is done is done: Ctrl-C may not spoil the way out."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _leave(code: int) -> None:
    """End with `code` for certain: Python ends by the signal itself if Ctrl-C came while a dataclass was being made."""
    import os
    from contextlib import suppress

    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
