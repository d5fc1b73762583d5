# SPDX-License-Identifier: GPL-2.0-or-later
"""Why: one sentence, with the actual bits, for every hit, miss, eviction, invalidation and fault."""

from collections.abc import Callable, Sequence
from typing import Final

from emu.bits import PAGE_SHIFT, hexadecimal
from emu.events import (
    Accessed,
    ConsoleWritten,
    EntryRead,
    EntryWritten,
    Event,
    Faulted,
    InputApplied,
    Interrupted,
    Invalidated,
    Marked,
    PortAccessed,
    Returned,
    SyscallEntered,
    TlbEvicted,
    TlbFilled,
)
from emu.paging.fault import Reason

NameOf = Callable[[int], str]
EXCEPTIONS: Final = {
    0: "#DE",
    1: "#DB",
    3: "#BP",
    6: "#UD",
    8: "#DF",
    10: "#TS",
    11: "#NP",
    12: "#SS",
    13: "#GP",
    14: "#PF",
}
_BIT: Final = {
    "NOT_PRESENT": "P = 0",
    "RESERVED_BIT_SET": "a reserved bit set",
    "USER_ACCESS_TO_SUPERVISOR_PAGE": "U/S = 0",
    "WRITE_TO_READ_ONLY_PAGE": "R/W = 0",
    "SUPERVISOR_WRITE_TO_READ_ONLY_PAGE": "R/W = 0 and CR0.WP = 1",
    "FETCH_FROM_XD_PAGE": "XD = 1",
    "SMEP_FETCH_FROM_USER_PAGE": "U/S = 1 and CR4.SMEP = 1",
    "SMAP_ACCESS_TO_USER_PAGE": "U/S = 1, CR4.SMAP = 1, AC = 0",
    "SMAP_IMPLICIT_ACCESS_TO_USER_PAGE": "U/S = 1 and CR4.SMAP = 1",
}


def exception(vector: int) -> str:
    """The exception's mnemonic, "vector n" where it has none."""
    return EXCEPTIONS.get(vector, f"vector {vector}")


def explain(event: Event, name: NameOf, step: Sequence[Event] = ()) -> str:
    """The sentence for `event`. `step`: the events of its instruction, for what belongs together."""
    match event:
        case Faulted():
            return _fault(event, name)
        case Accessed():
            return _access(event, name, step)
        case TlbFilled():
            what = name(event.page * event.page_bytes)
            return f"{event.array} {event.set}.{event.way} now holds {what} ({event.rights}): {event.cause}"
        case TlbEvicted():
            what = name(event.page * event.page_bytes)
            return f"{what} left {event.array} {event.set}.{event.way}: set {event.set} was full and it was the oldest"
        case Invalidated():
            return f"{event.operation} of {event.scope}: {len(event.dropped)} translations dropped"
        case EntryRead():
            return (
                f"{event.level}[{event.index:03x}] at {hexadecimal(event.address, 8)} read: {event.before:#x}"
            )
        case EntryWritten():
            return f"the walk set {event.why} in {event.level}[{event.index:03x}] at {hexadecimal(event.address, 8)}"
        case _:
            return _other(event, name)


def _other(event: Event, name: NameOf) -> str:
    match event:
        case Interrupted():
            return f"interrupt {event.vector} ({event.source}) was delivered"
        case Returned():
            return f"{event.instruction} back to {name(event.to_rip)}, ring {event.to_cpl}"
        case SyscallEntered():
            call = event.name.removeprefix("SYS_")
            return f"system call {call}" + ("" if event.result is None else f" gave {event.result:#x}")
        case Marked():
            said = ", ".join(
                f"{k} {v:#x}" if isinstance(v, int) else f"{k} {v}" for k, v in event.arguments.items()
            )
            return f"{event.name.replace('_', ' ')}: {said}"
        case ConsoleWritten():
            return f"printed: {event.text}"
        case PortAccessed():
            return f"{event.device} port {event.address:#x} {'←' if event.write else '→'} {event.data:#x}"
        case InputApplied():
            return f"from outside: {event.actor}"
        case _:
            return str(event.kind)


def _fault(event: Faulted, name: NameOf) -> str:
    if event.vector != 14:
        return f"{exception(event.vector)}: {event.reason.replace('_', ' ').lower()}"
    where = name(event.cr2 or 0)
    if event.entry is None:
        return f"{Reason[event.reason].value}: {where}"
    bit = _BIT.get(event.reason, event.reason)
    tail = {
        "NOT_PRESENT": f"nothing is mapped at {where}",
    }.get(event.reason, f"{Reason[event.reason].value} ({where})")
    return f"the {event.level} at {hexadecimal(event.entry, 8)} has {bit}: {tail}"


def _access(event: Accessed, name: NameOf, step: Sequence[Event]) -> str:
    page = name(event.linear)
    if event.stale:
        return f"the TLB still holds an old translation of {page}: memory says otherwise, and the TLB is believed"
    if event.tlb == "l1_hit":
        return f"level 1 holds the page of {page}: no walk, no memory read but the access itself"
    if event.tlb == "l2_hit":
        return f"level 1 had lost the page of {page}; level 2 still held it and gave it back"
    reads = sum(isinstance(e, EntryRead) for e in step)
    fills = [f"{e.array} set {e.set}" for e in step if isinstance(e, TlbFilled) and _same(e, event)]
    filled = f", then filled {' and '.join(fills)}" if fills else ""
    return f"no TLB held the page of {page}: the CPU walked by itself ({reads} entries read){filled}"


def _same(fill: TlbFilled, access: Accessed) -> bool:
    return access.linear >> PAGE_SHIFT == fill.page * (fill.page_bytes >> PAGE_SHIFT)
