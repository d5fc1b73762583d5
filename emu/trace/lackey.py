# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory traces of real programs, as `valgrind --tool=lackey --trace-mem=yes` writes them.

    ==4711== Command: /bin/true          valgrind's own talk: not an access
    I  0401ab70,3                        an instruction: address in hexadecimal, length in bytes
     L 1fff000778,8                      a load
     S 1fff000778,8                      a store
     M 0482e418,4                        a load and a store by one instruction

The file is read in blocks, whatever its size, and no line is ever held that is longer than a block.
"""

import gzip
import os
import re
import zlib
from collections.abc import Iterator
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import Final

from emu.bits import OFFSET_MASK, PAGE_BYTES, PAGE_SHIFT
from emu.tlb.counters import FETCH, READ, WRITE
from emu.trace.demand import Touch
from emu.trace.header import TraceError
from emu.trace.reader import GZIP_MAGIC

RECORD: Final = "valgrind --tool=lackey --trace-mem=yes --log-file=FILE PROGRAM"
"""The command that makes such a file."""
BLOCK_BYTES: Final = 1 << 16
LINE_BYTES: Final = 1 << 10
"""What is kept of a line that does not end: enough to say what it looks like, too much for an access."""
MEMO_LINES: Final = 1 << 15
USER_SPACE_END: Final = (1 << 47) - PAGE_BYTES
"""Where Linux ends user space: a program under valgrind has nothing above."""
MOST_BYTES: Final = 1024
"""More than any operand that valgrind knows: FXSAVE's is 512 bytes."""

_KINDS: Final = {"I": (FETCH,), "L": (READ,), "S": (WRITE,), "M": (READ, WRITE)}
_LINE: Final = re.compile(r" ?([ILSM]) {1,4}([0-9A-Fa-f]{1,16}),([0-9]{1,16})\r?")
_TALK: Final = re.compile(r"(==|--|\*\*)[0-9]+\1")
_COMMAND: Final = re.compile(r"==[0-9]+== Command: (.*)")
_SHOWN_CHARACTERS: Final = 40


class LackeyError(TraceError):
    """A file that is no trace of lackey's, or not only: one line with file, line number and the mend."""


class _Malformed(Exception):
    """A line that is no access, and what is wrong with it."""

    def __init__(self, line: str, why: str) -> None:
        self.line = line
        self.why = why


def touches_of(line: str) -> tuple[Touch, ...]:
    """The accesses that one line stands for, each within one page; none for valgrind's talk.

    ValueError says what is wrong with any other line.
    """
    match = _LINE.fullmatch(line)
    if match is None:
        if _TALK.match(line):
            return ()
        raise ValueError("is no access")
    letter, address, size = match[1], int(match[2], 16), int(match[3])
    if not 0 < size <= MOST_BYTES:
        raise ValueError(f"has a size that is not from 1 to {MOST_BYTES}")
    if address + size > USER_SPACE_END:
        raise ValueError(f"lies outside user space, which ends at {USER_SPACE_END:x}")
    return tuple(touch for kind in _KINDS[letter] for touch in _within_pages(kind, address, size))


def _within_pages(kind: int, address: int, size: int) -> Iterator[Touch]:
    """One access, or two across a page; an instruction begins with the first."""
    page, offset = address >> PAGE_SHIFT, address & OFFSET_MASK
    first = min(size, PAGE_BYTES - offset)
    yield kind, page, offset, first, int(kind == FETCH)
    if first < size:
        yield kind, page + 1, 0, size - first, 0


class _Memo(dict[str, tuple[Touch, ...]]):
    """Lines understood before: programs loop, so most lines of a trace are old acquaintances."""

    def __init__(self, skip: bool) -> None:
        super().__init__()
        self.skip = skip
        self.skipped = 0

    def __missing__(self, line: str) -> tuple[Touch, ...]:
        try:
            touches = touches_of(line)
        except ValueError as error:
            self.refuse(line, str(error))
            return ()
        if len(self) >= MEMO_LINES:
            self.clear()
        self[line] = touches
        return touches

    def refuse(self, line: str, why: str) -> None:
        """Count a malformed line, or raise."""
        if not self.skip:
            raise _Malformed(line, why)
        self.skipped += 1


class LackeyTrace:
    """A trace, read once from front to back. `skip`: count malformed lines instead of refusing the first."""

    def __init__(self, file: BufferedReader, name: str, skip: bool = False) -> None:
        """Read from `file`, plain or gzip; `name` is what errors call it. LackeyError if it cannot be read."""
        self.name: Final = name
        self.lines = 0
        """Lines read so far."""
        self.command: str | None = None
        """The program's command line, once valgrind's talk has given it."""
        self._memo: Final = _Memo(skip)
        self._raw: Final = file
        try:
            zipped = file.peek(2)[:2] == GZIP_MAGIC
        except OSError as error:
            raise _unreadable(self.name, error) from None
        self._file: Final = gzip.GzipFile(fileobj=file, mode="rb") if zipped else file

    @property
    def skipped(self) -> int:
        """Malformed lines so far."""
        return self._memo.skipped

    @property
    def done(self) -> float | None:
        """The share of the file that has been read, from 0 to 1; None for a pipe."""
        try:
            size = os.fstat(self._raw.fileno()).st_size
            return min(1.0, self._raw.tell() / size) if size else None
        except (OSError, ValueError):
            return None

    def __iter__(self) -> Iterator[Iterator[Touch]]:
        """The accesses in the order of the file, a block at a time. LackeyError where it makes no sense."""
        any_access = False
        with self._raw, self._file:
            for lines in self._blocks():
                touches = self._understand(lines)
                any_access = any_access or any(touches)
                yield chain.from_iterable(touches)
        if not any_access:
            raise LackeyError(
                f"lackey trace {self.name}: no access in its {self.lines:,} lines; record it with {RECORD}"
            )

    def _understand(self, lines: list[str]) -> list[tuple[Touch, ...]]:
        if self.command is None:
            self._look_for_command(lines)
        try:
            touches = [self._memo[line] for line in lines]
        except _Malformed as malformed:
            self.lines += lines.index(malformed.line) + 1
            raise self._malformed(malformed) from None
        self.lines += len(lines)
        return touches

    def _blocks(self) -> Iterator[list[str]]:
        """Whole lines. A last line without its end is malformed, whatever it says: more of it is missing."""
        rest = b""
        while data := self._read():
            data = rest + data
            end = data.rfind(b"\n") + 1
            rest = data[end : end + LINE_BYTES]
            if end:
                yield data[: end - 1].decode("latin-1").split("\n")
        if rest:
            self.lines += 1
            try:
                self._memo.refuse(rest.decode("latin-1"), "is cut short: the file ends in the middle of it")
            except _Malformed as malformed:
                raise self._malformed(malformed) from None

    def _read(self) -> bytes:
        try:
            return self._file.read1(BLOCK_BYTES)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise LackeyError(
                f"lackey trace {self.name}: the compressed data break off or are damaged after line {self.lines}; "
                "record it again"
            ) from None
        except OSError as error:
            raise _unreadable(self.name, error) from None

    def _look_for_command(self, lines: list[str]) -> None:
        for line in lines:
            match = _COMMAND.match(line)
            if match is not None:
                self.command = match[1].rstrip("\r").encode("latin-1").decode("utf-8", "backslashreplace")
                return

    def _malformed(self, malformed: _Malformed) -> LackeyError:
        line = malformed.line
        shown = repr(line[:_SHOWN_CHARACTERS]) + ("..." if len(line) > _SHOWN_CHARACTERS else "")
        return LackeyError(
            f"lackey trace {self.name}: line {self.lines}: {shown} {malformed.why}; expected I, L, S or M, then "
            "address,size as in ' L 1fff000778,8'; --malformed skip leaves such lines out"
        )


def open_lackey(path: Path | None, skip: bool = False) -> LackeyTrace:
    """The trace at `path`, or on stdin for None, plain or gzip. LackeyError if it cannot be read."""
    name = "on stdin" if path is None else str(path)
    try:
        file = os.fdopen(0, "rb", closefd=False) if path is None else path.open("rb")
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from None
    try:
        return LackeyTrace(file, name, skip)
    except BaseException:
        file.close()
        raise


def _unreadable(name: str, error: Exception) -> LackeyError:
    reason = getattr(error, "strerror", None) or str(error)
    return LackeyError(f"lackey trace {name}: cannot be read ({reason}); check the path")
