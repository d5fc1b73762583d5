# SPDX-License-Identifier: GPL-2.0-or-later
"""The real command, in a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    errors: str

    @property
    def lines(self) -> list[str]:
        """stderr, line by line."""
        return self.errors.splitlines()

    def is_one_line(self, *words: str) -> None:
        """Exit 2, nothing on stdout, one line on stderr with `words` in it."""
        assert self.code == 2, self
        assert len(self.lines) == 1, self.errors
        assert self.out == ""
        for word in words:
            assert word in self.errors, self.errors
        assert "Traceback" not in self.errors and "internal error" not in self.errors


class Command:
    """Runs `pagewalk` in `folder`; `paths` go before the checkout on the module path."""

    def __init__(self, folder: Path, paths: Sequence[Path] = ()) -> None:
        self.folder = folder
        self.environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(map(str, [*paths, ROOT])),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.environment.pop("PAGEWALK_DEBUG", None)

    def __call__(self, *arguments: str | Path) -> Said:
        done = subprocess.run(
            self._words(arguments),
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def start(
        self, *arguments: str | Path, stdout: "int | IO[str]" = subprocess.PIPE
    ) -> "subprocess.Popen[str]":
        """Start it and go on; stdout and stderr are pipes, and Ctrl-C reaches it wherever the tests run."""
        return subprocess.Popen(
            self._words(arguments),
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_heed_interrupts,
        )

    @staticmethod
    def _words(arguments: Sequence[str | Path]) -> list[str]:
        return [sys.executable, "-m", "emu", *map(str, arguments)]


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def wait_for(stream: IO[str] | None, words: str) -> str:
    """The first line of `stream` that holds `words`."""
    assert stream is not None
    for line in stream:
        if words in line:
            return line
    raise AssertionError(f"{words!r} never came")


def press_ctrl_c(process: "subprocess.Popen[Any]") -> Said:
    """Send what Ctrl-C sends, and wait for the end."""
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=PATIENCE_SECONDS)
    return Said(process.returncode, out, errors)
