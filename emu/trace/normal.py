# SPDX-License-Identifier: GPL-2.0-or-later
"""The normal form of a trace: what a golden trace compares, and what an edit of the kernel does not
change.

Kept are the kinds mark, syscall, upcall, ack, fault and invalidate, and tlb_fill and tlb_evict of named
areas. Linear addresses stand as symbol+offset or area+offset, frames as owner#n. Dropped are the header,
seq, insn, cpu, rip, times, ways and sets, and the numbers of entries.
"""

import gzip
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from emu.bits import MASK64, parse_number
from emu.events import (
    Acknowledged,
    Event,
    Faulted,
    Invalidated,
    Marked,
    SyscallEntered,
    TlbEvicted,
    TlbFilled,
    UpcallMade,
)
from emu.trace.header import TraceError

NameAddress = Callable[[int, Event], str | None]
"""(linear address, the event that has it) -> "symbol+0x10" or "area+0x10"; None where nothing is named."""
NameFrame = Callable[[int, Event], str]
"""(4 KiB frame number, the event that has it) -> "owner#n"."""

ELSEWHERE: Final = "elsewhere"
PAGE_SHIFT: Final = 12
FRAME_ARGUMENTS: Final = frozenset({"frame", "frame_number", "from_frame", "to_frame"})
LINEAR_ARGUMENTS: Final = frozenset({"linear", "address", "handler", "stack"})
PHYSICAL_ARGUMENTS: Final = frozenset({"physical", "root"})
TIME_ARGUMENTS: Final = frozenset({"time"})


class FrameNumbers:
    """Names frames owner#n, n counting each owner's frames from 0 in the order in which they are met."""

    def __init__(self, owner_of: Callable[[int, Event], str]) -> None:
        """`owner_of`: (frame number, event) -> the owner's name at that moment."""
        self._owner_of = owner_of
        self._known: dict[tuple[str, int], int] = {}
        self._counts: dict[str, int] = {}

    def __call__(self, frame: int, event: Event) -> str:
        """The frame's name; the same frame under another owner is another."""
        owner = self._owner_of(frame, event)
        if (owner, frame) not in self._known:
            self._known[owner, frame] = self._counts.get(owner, 0)
            self._counts[owner] = self._known[owner, frame] + 1
        return f"{owner}#{self._known[owner, frame]}"


class Normaliser:
    """Turns events into their normal form. `areas` are the names, without offset, whose TLB entries count."""

    def __init__(self, name_address: NameAddress, name_frame: NameFrame, areas: Collection[str] = ()) -> None:
        """Keeps no state of its own; the naming functions may."""
        self._name_address = name_address
        self._name_frame = name_frame
        self._areas = frozenset(areas)

    def __call__(self, events: Iterable[Event]) -> Iterator[dict[str, Any]]:
        """The normal form of each event that has one, in order."""
        for event in events:
            normal = self._normal(event)
            if normal is not None:
                yield {"kind": event.kind.value, "cpl": event.cpl, **normal}

    def _normal(self, event: Event) -> dict[str, Any] | None:
        match event:
            case Marked():
                return {"name": event.name, "arguments": self._arguments(event)}
            case SyscallEntered():
                result = None if event.result is None else self._value(event.result, event)
                return {
                    "name": event.name,
                    "arguments": self._values(event.arguments, event),
                    "result": result,
                }
            case UpcallMade() | Acknowledged():
                return {"name": event.name, "arguments": self._values(event.arguments, event)}
            case Faulted():
                cr2 = None if event.cr2 is None else self._address(event.cr2, event)
                words = {"vector": event.vector, "error_bits": event.error_bits, "reason": event.reason}
                return {**words, "level": event.level, "cr2": cr2}
            case Invalidated():
                return self._invalidated(event)
            case TlbFilled() | TlbEvicted():
                return self._entry(event)
            case _:
                return None

    def _entry(self, event: TlbFilled | TlbEvicted) -> dict[str, Any] | None:
        page = self._address(event.page * event.page_bytes, event)
        if not self._in_areas(page):
            return None
        pcid = {"pcid": event.pcid} if event.pcid else {}
        return {
            "array": event.array,
            "page": page,
            "frame": self._name_frame(event.frame, event),
            "page_bytes": event.page_bytes,
            **pcid,
            "global": event.is_global,
            "rights": event.rights,
        }

    def _invalidated(self, event: Invalidated) -> dict[str, Any]:
        first, space, rest = event.scope.partition(" ")
        linear = parse_number(first) if first.startswith("0x") else None
        scope = event.scope if linear is None else self._address(linear, event) + space + rest
        places = (line.rpartition(" ") for line in event.dropped)
        found = ((place.partition(" ")[0], parse_number(page)) for place, _, page in places)
        named = ((array, self._address(page, event)) for array, page in found if page is not None)
        dropped = sorted(f"{array} {page}" for array, page in named if self._in_areas(page))
        return {"operation": event.operation, "scope": scope, "dropped": dropped}

    def _in_areas(self, name: str) -> bool:
        return name.partition("+")[0] in self._areas

    def _address(self, linear: int, event: Event) -> str:
        return self._name_address(linear & MASK64, event) or ELSEWHERE

    def _values(self, values: list[int], event: Event) -> list[int | str]:
        return [self._value(value, event) for value in values]

    def _value(self, value: int, event: Event) -> int | str:
        """A register: its name if it points at something named, a negative number as such, else the
        number."""
        if value < 0 or (value >> 63 and (1 << 64) - value < 1 << PAGE_SHIFT):
            return value - (1 << 64) if value > 0 else value
        named = self._name_address(value, event) if value >= 1 << PAGE_SHIFT else None
        if named is None and value >> 63:
            return ELSEWHERE
        return value if named is None else named

    def _arguments(self, mark: Marked) -> dict[str, int | str]:
        """Without times; and of how much memory is free, whether it is as much as it was."""
        given = {k: v for k, v in mark.arguments.items() if k not in TIME_ARGUMENTS}
        if mark.name == "balance":
            given = {"lost": int(given["free_at_start"]) - int(given["free_at_end"])}
        return {k: self._argument(k, v, mark) for k, v in given.items()}

    def _argument(self, name: str, value: int | str, event: Event) -> int | str:
        if isinstance(value, str):
            return value
        if name in FRAME_ARGUMENTS:
            return self._name_frame(value, event)
        if name in PHYSICAL_ARGUMENTS:
            return self._name_frame(value >> PAGE_SHIFT, event)
        return self._address(value, event) if name in LINEAR_ARGUMENTS else self._value(value, event)


def normal_lines(normal: Iterable[dict[str, Any]]) -> bytes:
    """The normal form as JSON Lines."""
    return b"".join(msgspec.json.encode(line) + b"\n" for line in normal)


def write_golden(path: Path, normal: Iterable[dict[str, Any]]) -> None:
    """Write a golden trace: gzip without time or name. TraceError if `path` cannot be written."""
    try:
        with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
            file.write(normal_lines(normal))
    except OSError as error:
        reason = error.strerror or str(error)
        raise TraceError(
            f"golden trace {path}: cannot be written ({reason}); choose another folder"
        ) from None


def read_golden(path: Path) -> list[dict[str, Any]]:
    """The lines of a golden trace. TraceError if it is none."""
    import zlib

    try:
        lines = gzip.decompress(path.read_bytes()).splitlines()
        return [msgspec.json.decode(line, type=dict[str, Any]) for line in lines]
    except (OSError, EOFError, zlib.error, msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not one, or cut short"
        raise TraceError(f"golden trace {path}: cannot be read ({reason}); make it anew") from None


def first_difference(expected: Iterable[dict[str, Any]], actual: Iterable[dict[str, Any]]) -> str | None:
    """In one sentence, where two normal forms part; None if they are the same."""
    from itertools import zip_longest

    for number, (one, two) in enumerate(zip_longest(expected, actual), 1):
        if one == two:
            continue
        if one is None or two is None:
            return f"line {number}: {_line(one or two)} is {'new' if one is None else 'missing'}"
        if one.get("kind") != two.get("kind"):
            return f"line {number}: expected {_line(one)}, found {_line(two)}"
        fields = [k for k in one.keys() | two.keys() if one.get(k) != two.get(k)]
        told = (f"{k} {_line(one.get(k))}, found {_line(two.get(k))}" for k in sorted(fields))
        return f"line {number} ({one['kind']}): expected {'; '.join(told)}"
    return None


def _line(value: Any) -> str:
    return msgspec.json.encode(value).decode()[:300]
