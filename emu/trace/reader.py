# SPDX-License-Identifier: GPL-2.0-or-later
"""Read a trace back, one line at a time."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from emu.events import AnyEvent, Kind
from emu.trace.header import FORMAT_VERSION, TraceError, TraceHeader

LINE_LIMIT_BYTES: Final = 1 << 24
GZIP_MAGIC: Final = b"\x1f\x8b"
DAMAGE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_decode_event = msgspec.json.Decoder(AnyEvent)
_decode_header = msgspec.json.Decoder(TraceHeader)
_decode_any = msgspec.json.Decoder(dict[str, Any])


class Events(Iterator[AnyEvent]):
    """The events of a trace, read as they are asked for. TraceError where the file breaks off or makes no
    sense."""

    def __init__(self, path: Path) -> None:
        """Open `path` and read its header, which is then `header`."""
        self._path = path
        self._line = 0
        self._file: Any = None
        try:
            raw = path.open("rb")
            self._file = raw
            if raw.peek(2)[:2] == GZIP_MAGIC:
                self._file = _Unzipped(raw)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise TraceError(f"trace {path}: cannot be read ({reason}); check the path") from None
        try:
            self.header = self._read_header()
        except BaseException:
            self.close()
            raise

    def _error(self, what: str, mend: str) -> TraceError:
        return TraceError(f"trace {self._path}: line {self._line}: {what}; {mend}")

    def _next_line(self) -> bytes:
        """The next line with its newline, empty at the end."""
        self._line += 1
        try:
            line: bytes = self._file.readline(LINE_LIMIT_BYTES)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise self._cut() from None
        except OSError as error:
            raise self._error(f"cannot be read ({error.strerror})", "check the disk") from None
        if line and not line.endswith(b"\n"):
            if self._line == 1 and not line.startswith(b'{"kind"'):
                raise self._no_trace()
            raise self._cut()
        return line

    def _cut(self) -> TraceError:
        return self._error("the trace is cut short here", "what is before it is good; record it again")

    def _no_trace(self) -> TraceError:
        return self._error("this is no trace", "give a file that --trace wrote")

    def _read_header(self) -> TraceHeader:
        line = self._next_line()
        try:
            first = _decode_any.decode(line)
        except DAMAGE:
            raise self._no_trace() from None
        if first.get("kind") != "header" or not isinstance(first.get("format_version"), int):
            raise self._no_trace()
        if first["format_version"] != FORMAT_VERSION:
            raise self._error(
                f"format version {first['format_version']}, this Pagewalk reads version {FORMAT_VERSION}",
                "record the trace again",
            )
        try:
            return _decode_header.decode(line)
        except DAMAGE as error:
            raise self._error(f"a damaged header ({_plain(error)})", "record the trace again") from None

    def __next__(self) -> AnyEvent:
        if self._file is None:
            raise StopIteration
        try:
            line = self._next_line()
            if not line:
                raise StopIteration
            return self._decode(line)
        except BaseException:
            self.close()
            raise

    def _decode(self, line: bytes) -> AnyEvent:
        try:
            return cast("AnyEvent", _decode_event.decode(line))
        except DAMAGE as error:
            raise self._misread(line, error) from None

    def _misread(self, line: bytes, error: Exception) -> TraceError:
        try:
            kind = _decode_any.decode(line).get("kind")
        except DAMAGE:
            return self._error("not an event", "the file is damaged: record the trace again")
        if kind not in [known.value for known in Kind]:
            name = _plain(str(kind))
            return self._error(f"unknown kind of event {name}", "read it with the Pagewalk that wrote it")
        return self._error(f"a damaged {kind} event ({_plain(error)})", "record the trace again")

    def close(self) -> None:
        """Close the file. Harmless when done twice."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            self.close()


class _Unzipped(gzip.GzipFile):
    """A gzip file that closes what it reads from."""

    def __init__(self, raw: Any) -> None:
        super().__init__(fileobj=raw, mode="rb")
        self._raw_file = raw

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._raw_file.close()


def _plain(words: object) -> str:
    """One short printable line."""
    return "".join(c if c.isprintable() else "?" for c in str(words)[:100])


def read_trace(path: Path) -> tuple[TraceHeader, Iterator[AnyEvent]]:
    """The header of the trace at `path` and its events, read as they are asked for.

    TraceError, at once or while reading: not a trace, another format version, an unknown kind, cut short,
    damaged.
    """
    events = Events(Path(path))
    return events.header, events
