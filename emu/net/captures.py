# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures that come in: pcap and pcapng files of Ethernet frames, read whole before the run.

A frame's time counts from the first of its file, or where two captures overlap, from the first of both: they were
taken at one time, and stay in step. One that is earlier than the frame before it counts as of the same time. A frame
that the capture holds only in part (a small snapshot length) comes in as far as it is held.
"""

import logging
import stat
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from emu.devices.virtio_net import CLOCKS_PER_US, MOST_FRAME_BYTES, Arrival
from emu.net.errors import NetError

ETHERNET: Final = 1
MOST_CAPTURE_BYTES: Final = 64 << 20
_GZIP: Final = b"\x1f\x8b"
_WARNINGS: Final = "scapy.runtime"
_MEND: Final = "give a pcap or pcapng file of Ethernet frames"


@dataclass(frozen=True, slots=True)
class Capture:
    """The frames of a file, in its order; `name` is the file's base name, `start_us` the epoch time of the first."""

    name: str
    arrivals: tuple[Arrival, ...] = field(repr=False)
    start_us: int = 0

    @property
    def end_us(self) -> int:
        """The epoch time of the last frame."""
        return self.start_us + (self.arrivals[-1].stamp_us if self.arrivals else 0)


def in_step(captures: Mapping[str, Capture]) -> dict[str, tuple[Arrival, ...]]:
    """The arrivals of each capture. Of two that overlap the later one begins so much later."""
    full = [capture for capture in captures.values() if capture.arrivals]
    start = min((capture.start_us for capture in full), default=0)
    together = max((capture.start_us for capture in full), default=0) <= min(
        (c.end_us for c in full), default=0
    )
    return {
        key: tuple(_later(capture.arrivals, capture.start_us - start)) if together else capture.arrivals
        for key, capture in captures.items()
    }


def _later(arrivals: Iterable[Arrival], microseconds: int) -> Iterator[Arrival]:
    for arrival in arrivals:
        stamp = arrival.stamp_us + microseconds
        yield Arrival(stamp * CLOCKS_PER_US, stamp, arrival.frame)


def read_capture(path: Path) -> Capture:
    """The capture at `path`. NetError, one line, for whatever is none."""
    data = _content(path)
    if data.startswith(_GZIP):
        raise NetError(f"capture {path}: it is compressed; unpack it first (gunzip)")
    times: list[tuple[int, bytes]] = []
    for number, (nanoseconds, frame) in enumerate(_records(path, data), 1):
        if not 0 < len(frame) <= MOST_FRAME_BYTES:
            raise NetError(
                f"capture {path}: frame {number} has {len(frame):,} bytes, and a card takes 1 to {MOST_FRAME_BYTES:,}; "
                "capture without offloads, or cut it (editcap -s 1514)"
            )
        times.append((nanoseconds, frame))
    return Capture(path.name, tuple(_arrivals(times)), times[0][0] // 1000 if times else 0)


def _arrivals(times: list[tuple[int, bytes]]) -> Iterator[Arrival]:
    latest = first = times[0][0] if times else 0
    for nanoseconds, frame in times:
        latest = max(latest, nanoseconds)
        microseconds = (latest - first) // 1000
        yield Arrival(microseconds * CLOCKS_PER_US, microseconds, frame)


def _content(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise NetError(f"capture {path}: not a regular file; {_MEND}")
        if status.st_size > MOST_CAPTURE_BYTES:
            most = f"{MOST_CAPTURE_BYTES >> 20} MiB"
            raise NetError(
                f"capture {path}: {status.st_size:,} bytes are more than {most}; cut it (editcap -c)"
            )
        data = path.read_bytes()
    except FileNotFoundError:
        raise NetError(f"capture {path}: no such file; check the path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NetError(f"capture {path}: cannot be read ({reason}); give a file you may read") from None
    if not data:
        raise NetError(f"capture {path}: it is empty; {_MEND}")
    return data


def _records(path: Path, data: bytes) -> Iterator[tuple[int, bytes]]:
    """(time in ns, frame) of each record."""
    with _complaints() as complaints:
        from scapy.error import Scapy_Exception
        from scapy.utils import RawPcapReader

        source = _Source(data)
        done = 0
        try:
            reader: Any = RawPcapReader(source)
            if hasattr(reader, "snaplen"):
                _check_link(path, reader.linktype)
            while True:
                try:
                    frame, about = reader._read_packet()
                except EOFError as end:
                    if end.args or complaints or source.cut or source.tell() != len(data):
                        raise
                    return
                if complaints or len(frame) < getattr(about, "caplen", 0):
                    raise EOFError
                done += 1
                yield _time(path, reader, about), frame
        except NetError:
            raise
        except Scapy_Exception:
            raise NetError(f"capture {path}: no capture that can be read; {_MEND}") from None
        except (EOFError, ValueError, ArithmeticError, LookupError, MemoryError):
            raise NetError(
                f"capture {path}: it is cut short or damaged behind frame {done}; capture it again, "
                "or keep what is good (editcap)"
            ) from None


def _time(path: Path, reader: Any, about: Any) -> int:
    if hasattr(about, "sec"):
        return about.sec * 1_000_000_000 + about.usec * (1 if reader.nano else 1000)
    _check_link(path, about.linktype)
    if about.tshigh is None:
        return 0  # a simple packet block has no time
    return ((about.tshigh << 32) + about.tslow) * 1_000_000_000 // about.tsresol


def _check_link(path: Path, link: int) -> None:
    if link != ETHERNET:
        raise NetError(
            f"capture {path}: frames of link type {link}, and a card takes Ethernet ({ETHERNET}); "
            "capture on an Ethernet interface (not on any)"
        )


class _Source(BytesIO):
    """Notes whether it ended in the middle of what was asked for."""

    cut = False

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.cut |= size is not None and 0 < len(data) < size
        return data


class _Complaints(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@contextmanager
def _complaints() -> Generator[list[str]]:
    """What scapy warns of meanwhile, which is then not printed."""
    logger, handler = logging.getLogger(_WARNINGS), _Complaints()
    kept = logger.handlers[:], logger.propagate
    logger.handlers[:], logger.propagate = [handler], False
    try:
        yield handler.texts
    finally:
        logger.handlers[:], logger.propagate = kept
