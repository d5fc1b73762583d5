# SPDX-License-Identifier: GPL-2.0-or-later
"""Keep events, in memory or in a file of JSON Lines that is readable whatever ends the run."""

import gzip
import io
import signal
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final, Self

import msgspec

from emu.events import Accessed, Event, Kind
from emu.trace.header import FROM_FIRST_USER_INSTRUCTION, FROM_RESET, TraceError, TraceHeader

ALL_KINDS: Final = frozenset(Kind)
FLUSH_BYTES: Final = 1 << 16
USER_LEVEL: Final = 3


class Recorder:
    """An observer that keeps the events of `kinds`, from reset or from the first user instruction on.

    Plain level-1 hits (an access that the first level answered with a translation that memory still holds)
    are left out unless `plain_hits`. Without a `path` the events are kept in `events`; with one they are
    written there behind `header`, compressed if it ends in .gz, and not kept. Only whole lines reach the
    file.
    """

    def __init__(
        self,
        header: TraceHeader | None = None,
        path: Path | None = None,
        *,
        kinds: frozenset[Kind] | None = None,
        plain_hits: bool = False,
        from_reset: bool = False,
    ) -> None:
        """TraceError if `path` cannot be written. `kinds` None: all of them."""
        self.kinds = ALL_KINDS if kinds is None else kinds
        self.plain_hits = plain_hits
        self.header = _completed(header or TraceHeader(), self.kinds, plain_hits, from_reset)
        self.events: list[Event] = []
        self._started = from_reset
        self._tags = frozenset(kind.value for kind in self.kinds)
        self._encoder = msgspec.json.Encoder()
        self._pending = bytearray()
        self._file: _TraceFile | None = None
        if path is not None:
            with _interrupt_afterwards():
                self._file = _TraceFile(Path(path))
                self._begin()

    def _begin(self) -> None:
        self._append(self.header)
        try:
            self.flush()
        except TraceError:
            self.close()
            raise

    def __call__(self, event: Event) -> None:
        """Keep `event` if it belongs to this trace."""
        if not self._started:
            if event.cpl != USER_LEVEL:
                return
            self._started = True
        if event.__struct_config__.tag not in self._tags:
            return
        if type(event) is Accessed and event.tlb == "l1_hit" and not event.stale and not self.plain_hits:
            return
        if self._file is None:
            self.events.append(event)
            return
        self._append(event)
        if len(self._pending) >= FLUSH_BYTES:
            self.flush()

    def _append(self, line: Event | TraceHeader) -> None:
        end = len(self._pending)
        try:
            self._encoder.encode_into(line, self._pending, end)
            self._pending += b"\n"
        except BaseException:
            del self._pending[end:]
            raise

    def flush(self) -> None:
        """Hand everything so far to the file. TraceError if the disk refuses."""
        if self._file and self._pending:
            lines, self._pending = self._pending, bytearray()
            self._file.write(lines)

    def close(self) -> None:
        """Write what is left and close the file. Harmless when done twice."""
        if self._file:
            try:
                self.flush()
            finally:
                self._file.close()

    def __del__(self) -> None:
        file: _TraceFile | None = getattr(self, "_file", None)
        if file and not file.closed:
            with suppress(TraceError):
                self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _completed(
    header: TraceHeader, kinds: frozenset[Kind], plain_hits: bool, from_reset: bool
) -> TraceHeader:
    names = ["all"] if kinds == ALL_KINDS and plain_hits else [kind.value for kind in Kind if kind in kinds]
    window = FROM_RESET if from_reset else FROM_FIRST_USER_INSTRUCTION
    return msgspec.structs.replace(header, kinds=names, window=window).without_folders()


class _TraceFile:
    """A file that grows by whole lines: what a full disk takes only in part is cut off again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._good_bytes = 0
        try:
            self._raw = path.open("wb", buffering=0)
        except (OSError, ValueError) as error:
            raise _refused(path, error) from None
        self._zip: gzip.GzipFile | None = None
        if path.suffix == ".gz":
            buffered = io.BufferedWriter(self._raw)
            self._zip = gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=buffered, mtime=0)
            self._buffered = buffered

    @property
    def closed(self) -> bool:
        return self._raw.closed

    def write(self, lines: bytearray) -> None:
        with _interrupt_afterwards():
            try:
                if self._zip:
                    self._zip.write(lines)
                    return
                view = memoryview(lines)
                while view:
                    view = view[self._raw.write(view) or 0 :]
                self._good_bytes += len(lines)
            except OSError as error:
                if not self._zip:
                    with suppress(OSError):
                        self._raw.truncate(self._good_bytes)
                raise _refused(self.path, error) from None

    def close(self) -> None:
        with _interrupt_afterwards():
            try:
                if self._zip and not self._raw.closed:
                    self._zip.close()
                    self._buffered.close()
            except OSError as error:
                raise _refused(self.path, error) from None
            finally:
                self._raw.close()


@contextmanager
def _interrupt_afterwards() -> Generator[None]:
    """Holds back Ctrl-C until the block is done, so that it cannot leave half a line."""
    deferrable = threading.current_thread() is threading.main_thread()
    if not deferrable or signal.getsignal(signal.SIGINT) is None:
        yield
        return
    noted: list[tuple[int, FrameType | None]] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: noted.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if noted and callable(before):
            before(*noted[0])


def _refused(path: Path, error: Exception) -> TraceError:
    reason = getattr(error, "strerror", None) or str(error)
    return TraceError(
        f"trace {path}: cannot be written ({reason}); choose a file you may write to, on a disk with room"
    )


def parse_kinds(text: str) -> tuple[frozenset[Kind], bool]:
    """What `--kinds` says: ("a,b,c" or "all") -> the kinds, and whether plain level-1 hits belong to them.

    TraceError, with the near names, for a kind that does not exist.
    """
    from difflib import get_close_matches

    known = [kind.value for kind in Kind]
    chosen: set[Kind] = set()
    for word in text.split(","):
        word = word.strip()
        if word == "all":
            return ALL_KINDS, True
        if word not in known:
            near = get_close_matches(word[:40], [*known, "all"], 3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join([*known, 'all'])}"
            raise TraceError(f"no kind of event is called {word[:40]!r}: {hint}")
        chosen.add(Kind(word))
    return frozenset(chosen), False


def write_trace(path: Path, header: TraceHeader, events: Iterable[Event]) -> None:
    """Write `events` behind `header` as it stands, all of them. TraceError if `path` cannot be written."""
    recorder = Recorder(header, path, plain_hits=True, from_reset=True)
    with recorder:
        for event in events:
            recorder(event)
