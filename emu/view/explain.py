# SPDX-License-Identifier: GPL-2.0-or-later
"""Why: one sentence, with the actual bits and the manual's section, for every hit, miss, eviction, drop and fault."""

from typing import Final

from emu.bits import PAGE_SHIFT, hexadecimal
from emu.events import (
    Accessed,
    Acknowledged,
    ConsoleWritten,
    DmaDone,
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
    UpcallMade,
)
from emu.paging.manual import Section
from emu.view.explain_fault import fault_sentence
from emu.view.explain_tlb import access_sentence, eviction_sentence, fill_sentence, invalidation_sentence
from emu.view.scene import Scene, physical_text, value_text

_ADDRESSES: Final = ("linear", "root", "caller")
_BITS: Final = ("gfp", "verdict")
"""Arguments of tracepoints, by their nature."""


def explain(event: Event, scene: Scene) -> str:
    """The sentence for `event`, from what the scene around it lets one know."""
    match event:
        case Faulted():
            return fault_sentence(event, scene)
        case Accessed():
            return access_sentence(event, scene)
        case TlbFilled():
            return fill_sentence(event, scene)
        case TlbEvicted():
            return eviction_sentence(event, scene)
        case Invalidated():
            return invalidation_sentence(event, scene)
        case EntryRead():
            return f"the walk read {_entry(event)}: {value_text(event.before)}"
        case EntryWritten():
            return f"the walk set {event.why} in {_entry(event)} ({Section.ACCESSED_AND_DIRTY})."
        case _:
            return _other(event, scene)


def _entry(event: EntryRead | EntryWritten) -> str:
    return f"{event.level}[{event.index:03x}] at {physical_text(event.address)}"


def _other(event: Event, scene: Scene) -> str:
    match event:
        case Interrupted():
            return f"interrupt {event.vector} ({event.source}) was delivered"
        case Returned():
            return f"{event.instruction} back to {scene.place(event.to_rip)}, ring {event.to_cpl}"
        case SyscallEntered():
            call = event.name.removeprefix("SYS_")
            return f"system call {call}" + ("" if event.result is None else f" gave {_result(event.result)}")
        case UpcallMade():
            return _upcall(event)
        case Acknowledged():
            return _acknowledgement(event)
        case Marked():
            said = ", ".join(f"{k.replace('_', ' ')} {_value(k, v)}" for k, v in event.arguments.items())
            return f"{event.name.replace('_', ' ')}" + (f": {said}" if said else "")
        case ConsoleWritten():
            return f"printed: {event.text}"
        case PortAccessed():
            return f"{event.device} port {event.address:#x} {'←' if event.write else '→'} {event.data:#x}"
        case DmaDone():
            return _transfer(event)
        case InputApplied():
            return f"from outside: {event.actor}"
        case _:
            return str(event.kind)


def _value(name: str, value: int | str) -> str:
    """A tracepoint's argument: addresses, frames and bits in hexadecimal, what counts in decimal."""
    if isinstance(value, str):
        return value
    if name in _ADDRESSES:
        return hexadecimal(value)
    return f"{value:#x}" if "frame" in name or name in _BITS else str(value)


def _result(value: int) -> str:
    """What a system call gave: an error, a count, or an address."""
    return hexadecimal(value) if value > 0xFFFF_FFFF else str(value)


def _upcall(event: UpcallMade) -> str:
    """From (pid, id, role, operation, linear, length)."""
    who = event.name.removeprefix("ROLE_").lower()
    if len(event.arguments) != 6:
        return f"the kernel called the handler of {who}"
    pid, number, _, operation, linear, length = event.arguments
    what = f"{length} bytes at {hexadecimal(linear)}" if linear else "no page"
    return (
        f"reverse syscall {number}: the kernel calls the handler that process {pid} registered for {who}, in ring 3, "
        f"for operation {operation} with {what}"
    )


def _acknowledgement(event: Acknowledged) -> str:
    """From (pid, id, length, verdict, result)."""
    if len(event.arguments) != 5:
        return "a program answered a reverse syscall"
    pid, number, length, verdict, result = event.arguments
    taken = "the kernel took it" if result == 0 else f"the kernel refused it with {result}"
    return f"process {pid} answers reverse syscall {number}: {length} bytes, verdict {verdict:#x}; {taken}"


def _transfer(event: DmaDone) -> str:
    verb, way = ("wrote", "into") if event.write else ("read", "from")
    unit = "byte" if event.size == 1 else "bytes"
    frame = event.address >> PAGE_SHIFT
    return (
        f"the device {event.device} {verb} {event.size} {unit} {way} frame {frame:#x} at "
        f"{physical_text(event.address)}, by its physical address: no TLB and no page table was asked"
    )
