# SPDX-License-Identifier: GPL-2.0-or-later
"""stdout and stderr: a closed stdout ends a command quietly, and nothing a guest says moves a cursor."""

import codecs
import io
import os
import sys
from contextlib import suppress
from typing import Any

from emu.cli.errors import UsageError, shown


class ClosedOutput(BaseException):
    """Whoever read stdout has gone. No error, so nothing that handles errors may keep it."""


def prepare() -> None:
    """Escape what the terminal's encoding has no letter for; print to nowhere what was closed from the start."""
    sys.stdout = sys.stdout or io.StringIO()  # pyright: ignore[reportUnnecessaryComparison]
    sys.stderr = sys.stderr or io.StringIO()  # pyright: ignore[reportUnnecessaryComparison]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def out(text: str, end: str = "\n") -> None:
    """Print to stdout, at once. ClosedOutput if nobody reads it any more."""
    try:
        sys.stdout.write(text + end)
        sys.stdout.flush()
    except BrokenPipeError:
        raise ClosedOutput from None
    except OSError as error:
        _discard(sys.stdout)
        raise UsageError(f"stdout cannot be written: {error.strerror}; choose a place with room") from None


def note(text: str) -> None:
    """Print to stderr; what cannot be said is not said."""
    with suppress(OSError, ValueError):
        sys.stderr.write(shown(text) + "\n")
        sys.stderr.flush()


def json_out(value: Any) -> None:
    """Print `value` as one JSON object."""
    import json

    out(json.dumps(value, indent=2))


def close_quietly() -> None:
    """Leave nothing in stdout that could fail when the interpreter ends."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        _discard(sys.stdout)


def _discard(stream: Any) -> None:
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


class SafeOutput(io.TextIOBase):
    """stdout as a text stream for whoever prints by itself: control characters are shown, a closed pipe ends it."""

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Print `text` at once. ClosedOutput if nobody reads it any more."""
        out(shown(text), end="")
        return len(text)


class GuestText:
    """Bytes from a guest as text that is safe to print, however they are cut."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def __call__(self, data: bytes, last: bool = False) -> str:
        """The text of `data`; control characters other than newline and tab are shown."""
        return shown(self._decoder.decode(data, last))


def table(rows: list[tuple[str, ...]]) -> str:
    """Columns as wide as they need to be; the first row is the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
