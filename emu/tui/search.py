# SPDX-License-Identifier: GPL-2.0-or-later
"""Looking for a moment by replay: when a place in the code was next, when an address was touched, who wrote an entry.

These leave no stored event behind, so the second machine runs the stretch again. It is done slice by slice, so that a
long search shows where it is and can be stopped.
"""

from collections.abc import Callable, Iterator

from emu.events import Accessed, DmaDone, EntryWritten, Event, InputApplied
from emu.guest.symbols import SymbolError
from emu.machine import Stop as MachineStop
from emu.tui.past import Past, Stop

_SLICE = 16_000
"""Instructions between two looks at whether somebody wants to stop."""
_USER_END = 1 << 47


class Stopped(Exception):
    """Whoever asked has lost patience."""


Watch = Callable[[int], None]
"""Called with the instruction at which a search is; may raise Stopped."""


def _windows_back(past: Past, insn: int) -> Iterator[tuple[int, int]]:
    """Stretches [since, until) of the run from `insn` back to reset, each from one checkpoint to the next."""
    history = past.machine.history
    until = insn
    while until > 0:
        since = history.checkpoints[history.nearest(until - 1)].insn
        yield since, until
        until = since


# -- places -----------------------------------------------------------------------------------------------------------


def place_addresses(past: Past, text: str) -> set[int]:
    """The addresses that a place names. SymbolError with the near names, ExpressionError for a bad number."""
    booted = past.booted
    program = booted.program.name if booted.program else None
    file, colon, line = text.rpartition(":")
    if not (colon and line.isdigit()):
        if text[:1].isdigit():
            return {int(booted.inspector.address(text))}
        return {booted.inspector.symbols.address_of(text, program)}
    refused: SymbolError | None = None
    for table in booted.inspector.symbols.scope(program):
        try:
            return {table.addresses_of(file, int(line))[0]}
        except SymbolError as error:
            refused = refused or error
    raise refused or SymbolError(f"{text}: nothing describes this code; give a symbol or a number")


def _is_here(past: Past) -> bool:
    """Whether a place that was met is meant: one in ring 3 only in the process of the lesson's program."""
    inspector, program = past.booted.inspector, past.booted.program
    if program is None or inspector.rip() >= _USER_END:
        return True
    process = inspector.process()
    return process is not None and process.name == program.name


def _meetings(past: Past, addresses: set[int], until: int, watch: Watch) -> Iterator[Stop]:
    """Run on to `until`; each time an instruction at one of `addresses` is next, say when."""
    machine = past.machine
    while machine.journal.insn < until and machine.ended is None:
        watch(machine.journal.insn)
        count = min(_SLICE, until - machine.journal.insn)
        if machine.run_until(count, addresses=addresses) is MachineStop.BREAK:
            if _is_here(past):
                yield past.at
            if machine.journal.insn < until:
                machine.run(1)


def next_place(past: Past, addresses: set[int], watch: Watch) -> Stop | None:
    """When an instruction at one of `addresses` is next after the cursor; None if not before now."""
    machine = past.machine
    machine.run(1)
    return next(_meetings(past, addresses, past.head.insn, watch), None)


def previous_place(past: Past, addresses: set[int], watch: Watch) -> Stop | None:
    """When one was next last before the cursor."""
    for since, until in _windows_back(past, past.insn):
        past.seek(since)
        met = [stop for stop in _meetings(past, addresses, until, watch) if stop.insn < until]
        if met:
            return met[-1]
    return None


# -- events that are not stored ---------------------------------------------------------------------------------------


def next_match(past: Past, wants: Callable[[Event], bool], watch: Watch) -> Event | None:
    """The next event after the cursor that `wants` accepts, plain level-1 hits included; None if not before now."""
    head = past.head
    while past.insn < head.insn:
        watch(past.insn)
        for event in past.watch(min(_SLICE, head.insn - past.insn)):
            if wants(event) and event.seq < head.seq:
                return event
        if past.machine.ended is not None:
            break
    return None


def previous_match(
    past: Past, wants: Callable[[Event], bool], watch: Watch, frame: int | None = None
) -> Event | None:
    """The last event before the cursor's own instruction that `wants` accepts.

    If it can only be one that writes frame number `frame`, stretches in which that was not written are passed over.
    """
    here = past.before_step_seq
    for since, until in _windows_back(past, past.insn):
        if frame is not None and not _may_write(past, frame, since, until):
            continue
        watch(since)
        past.seek(since)
        found = [event for event in past.watch(until - since) if event.seq < here and wants(event)]
        if found:
            return found[-1]
    return None


def _may_write(past: Past, frame: int, since: int, until: int) -> bool:
    """Whether the frame was written from checkpoint `since` to `until`; only asked of whole stretches."""
    checkpoints = past.machine.history.checkpoints
    after = past.machine.history.nearest(since) + 1
    if after >= len(checkpoints) or checkpoints[after].insn != until:
        return True
    return frame in checkpoints[after].frames


def touches(past: Past, text: str) -> Callable[[Event], bool]:
    """Whether an event is an access to the byte that `text` names now. ExpressionError with the near names."""
    address = past.booted.inspector.address(text)
    mmu = past.machine.mmu
    root = mmu.controls.root if mmu.controls is not None and address < _USER_END else None

    def wants(event: Event) -> bool:
        if not isinstance(event, Accessed) or not event.linear <= address < event.linear + event.size:
            return False
        return root is None or (mmu.controls is not None and mmu.controls.root == root)

    return wants


def writes(physical: int, count: int) -> Callable[[Event], bool]:
    """Whether an event writes one of `count` bytes at a physical address: code, the walker, a device, or a hand."""
    end = physical + count

    def meets(start: int, size: int) -> bool:
        return start < end and physical < start + size

    def wants(event: Event) -> bool:
        match event:
            case Accessed():
                return event.type == "write" and meets(event.physical, event.size)
            case EntryWritten():
                return event.address == physical
            case DmaDone():
                return event.write and meets(event.address, event.size)
            case InputApplied():
                return event.actor == "poke" and meets(event.address, len(event.data) // 2)
            case _:
                return False

    return wants


def behind(event: Event) -> Stop:
    """Where `event` has just happened: the stop to go to."""
    return Stop(event.insn - 1, event.seq + 1)
