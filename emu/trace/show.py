# SPDX-License-Identifier: GPL-2.0-or-later
"""Events as lines of text: names before numbers."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from emu.bits import PAGE_BYTES, PAGE_SHIFT, hexadecimal, parse_number, size_name
from emu.events import (
    Accessed,
    Acknowledged,
    ConsoleWritten,
    DmaDone,
    EntryRead,
    EntryWritten,
    Event,
    Faulted,
    Invalidated,
    Kind,
    Marked,
    PortAccessed,
    Returned,
    SyscallEntered,
    TlbEvicted,
    TlbFilled,
    UpcallMade,
    fields_of,
)
from emu.trace.header import TraceError

Name = Callable[[int], str | None]
"""From a linear address to its name, None if it has none."""

PHYSICAL_DIGITS: Final = 8
TLB_WORDS: Final = {"l1_hit": "level-1 hit", "l2_hit": "level-2 hit", "miss": "miss"}
ADDRESS_FIELDS: Final = frozenset({"cr2", "to_rip", "linear", "rip"})


def shown(text: str) -> str:
    """`text` with control characters shown, not sent: a newline as \\n, ESC as \\x1b."""
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def format_event(event: Event, name: Name | None = None) -> str:
    """One line: number, instruction, ring, where, kind, what. `name` gives names to linear addresses."""
    where = _linear(event.rip, name)
    head = f"{event.seq:>8} insn {event.insn:<10} ring {event.cpl}  {where}  {event.kind}"
    return f"{head}: {describe(event, name)}"


def describe(event: Event, name: Name | None = None) -> str:
    """What happened, in words, without where."""
    match event:
        case Accessed():
            how = f"{'implicit ' if event.implicit else ''}{shown(event.type)}"
            what = f"{how} of {event.size} at {_linear(event.linear, name)}"
            stale = ", stale" if event.stale else ""
            return (
                f"{what} -> {_physical(event.physical)}, {TLB_WORDS.get(event.tlb, shown(event.tlb))}{stale}"
            )
        case EntryRead() | EntryWritten():
            entry = f"{shown(event.level)} {event.index} at {_physical(event.address)}"
            change = _number(event.before)
            if event.before != event.after:
                change += f" -> {_number(event.after)}"
            return f"{entry}: {change} ({shown(event.why)})"
        case TlbFilled() | TlbEvicted():
            page = _linear(event.page * event.page_bytes, name)
            flags = f", {size_name(event.page_bytes)}" if event.page_bytes != PAGE_BYTES else ""
            flags += f", PCID {event.pcid}" if event.pcid else ""
            flags += ", global" if event.is_global else ""
            frame = _physical(event.frame << 12)
            place = f"{shown(event.array)} set {event.set} way {event.way}"
            return f"{place}: {page} -> {frame}, {shown(event.rights)}{flags} ({shown(event.cause)})"
        case Invalidated():
            dropped = ", ".join(map(shown, event.dropped)) or "nothing"
            return f"{shown(event.operation)} {shown(event.scope)}: dropped {dropped}"
        case Faulted():
            return _fault(event, name)
        case SyscallEntered():
            call = f"{shown(event.name)}({', '.join(_word(a, name) for a in event.arguments)})"
            return call if event.result is None else f"{call} = {_signed(event.result)}"
        case Returned():
            return f"{shown(event.instruction)} to {_linear(event.to_rip, name)}, ring {event.to_cpl}"
        case PortAccessed():
            verb = "write" if event.write else "read"
            return f"{verb} {shown(event.device)} {hexadecimal(event.address, 4)}: {_number(event.data)}"
        case DmaDone():
            return dma(event)
        case ConsoleWritten():
            return shown(event.text)
        case UpcallMade() | Acknowledged():
            return f"{shown(event.name)}({', '.join(_word(a, name) for a in event.arguments)})"
        case Marked():
            pairs = (f"{shown(key)}={_any(key, value, name)}" for key, value in event.arguments.items())
            return f"{shown(event.name)}({', '.join(pairs)})"
        case _:
            return ", ".join(f"{key}={_any(key, value, name)}" for key, value in fields_of(event).items())


def _fault(event: Faulted, name: Name | None) -> str:
    text = f"vector {event.vector}"
    if event.error is not None:
        text += f", error {hexadecimal(event.error, 1)}"
        text += f" ({shown(event.error_bits)})" if event.error_bits else ""
    if event.cr2 is not None:
        text += f", CR2 {_linear(event.cr2, name)}"
    text += f": {shown(event.reason)}"
    if event.entry is not None:
        text += f", {shown(event.level or 'entry')} at {_physical(event.entry)}"
        text += "" if event.entry_value is None else f" = {_number(event.entry_value)}"
    return text


def dma(event: DmaDone) -> str:
    """A device's transfer: where, which way, how much, and how it begins."""
    verb = "wrote to" if event.write else "read from"
    more = f"..., sha256 {shown(event.digest)}..." if event.digest else ""
    where = f"{_physical(event.address)} (frame {_number(event.address >> PAGE_SHIFT)})"
    return f"{shown(event.device)} {verb} {where}, {event.size} bytes: {shown(event.data)}{more}"


def _linear(address: int, name: Name | None) -> str:
    known = name(address) if name else None
    number = hexadecimal(address)
    return f"{shown(known)} ({number})" if known and known != number else number


def _physical(address: int) -> str:
    return hexadecimal(address, PHYSICAL_DIGITS)


def _number(value: int) -> str:
    return hexadecimal(value, 1)


def _word(value: int, name: Name | None) -> str:
    """A register's value: small ones in decimal, addresses by name."""
    if abs(value) < 1 << 12:
        return str(value)
    known = name(value) if name and value >= 0 else None
    return shown(known) if known else _number(value) if value >= 0 else str(value)


def _signed(value: int) -> str:
    """A result as the program sees it: -4095 to -1 are errors."""
    signed = value - (1 << 64) if value >> 63 else value
    return str(signed) if abs(signed) < 1 << 12 else _number(value)


def _any(key: str, value: Any, name: Name | None) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        return shown(str(value)) if not isinstance(value, list) else _list(value, name)  # pyright: ignore[reportUnknownArgumentType]
    return _linear(value, name) if key in ADDRESS_FIELDS else _word(value, name)


def _list(values: list[Any], name: Name | None) -> str:
    return "[" + ", ".join(_word(v, name) if isinstance(v, int) else shown(str(v)) for v in values) + "]"


def parse_range(text: str) -> tuple[int, int | None]:
    """What `--range A:B` says: event numbers from A up to B - 1; either may be left out. TraceError
    otherwise."""
    first, colon, last = text.partition(":")
    low = parse_number(first) if first else 0
    high = parse_number(last) if last else None
    wrong = not colon or low is None or low < 0 or (last and high is None) or (high is not None and high < 0)
    if wrong or low is None:
        raise TraceError(
            f"range {shown(text[:40])}: not two event numbers; write it as 100:200, 100: or :200"
        )
    return low, high


def select(
    events: Iterable[Event], kinds: frozenset[Kind] | None = None, numbers: tuple[int, int | None] = (0, None)
) -> Iterator[Event]:
    """The events of `kinds` (None: all) with `seq` from numbers[0] up to numbers[1] - 1 (None: the end)."""
    low, high = numbers
    for event in events:
        if high is not None and event.seq >= high:
            return
        if event.seq >= low and (kinds is None or event.kind in kinds):
            yield event
