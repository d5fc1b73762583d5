# SPDX-License-Identifier: GPL-2.0-or-later
"""What if one thing were otherwise? Two runs from one moment, one of them changed, and where they part.

A flipped bit of an entry changes the machine at the moment; a switch of the kernel changes it from the boot on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Final

from emu.bits import PhysicalAddress
from emu.events import (
    Acknowledged,
    ConsoleWritten,
    Event,
    Faulted,
    InputApplied,
    Marked,
    SyscallEntered,
    UpcallMade,
)
from emu.guest.near import did_you_mean, shown
from emu.guest.switches import read_switches
from emu.lesson.boot import Booted, BootRequest
from emu.lesson.lab import FLAG_BITS
from emu.lesson.registers import registers_of
from emu.lesson.views import tlb_view
from emu.lesson.what_if import Comparison, compare_runs, replayed
from emu.machine import Input
from emu.view.explain import explain
from emu.view.scene import Scene
from emu.view.timeline import glyph_of
from emu.view.walk import WalkRow

MOST_INSTRUCTIONS: Final = 5_000_000
"""What "until the end" means at the most."""
_CONTEXT: Final = 2
_AFTER: Final = 4
_SLICE: Final = 20_000
_ENTRY_BITS: Final = 64
_USER: Final = 3
Watch = Callable[[int], None]
"""Called now and then with the instruction reached; may raise to stop."""


class WhatIfError(Exception):
    """No such change can be made: one line."""


@dataclass(frozen=True, slots=True)
class Flip:
    """One bit of the paging-structure entry at a physical address turned over. `name` says which entry."""

    address: int
    bit: int
    name: str


@dataclass(frozen=True, slots=True)
class Set:
    """A switch of the kernel at another value, from the boot on."""

    switch: str
    value: str


Change = Flip | Set


@dataclass(frozen=True, slots=True)
class Fork:
    """Where the two runs begin to be compared: what it takes to be there."""

    request: BootRequest
    inputs: tuple[Input, ...]
    insn: int
    seq: int


@dataclass(frozen=True, slots=True)
class Told:
    """An event as a student reads it."""

    glyph: str
    insn: int
    ring: int
    kind: str
    sentence: str


@dataclass(frozen=True)
class Parting:
    """The answer: `same` events were alike, `before` are the last of those; `a` as it was, `b` with the change.

    `ends` say where each run stood at last, `comparison` how the machines differ there.
    """

    question: str
    same: int
    before: tuple[Told, ...]
    a: tuple[Told, ...]
    b: tuple[Told, ...]
    ends: tuple[str, str]
    comparison: Comparison


def parse_change(text: str, row: WalkRow | None, booted: Booted) -> Change:
    """`text` as a change: a flag's letters or a bit's number of the entry `row`, or SWITCH=VALUE.

    WhatIfError or SwitchError if it is none.
    """
    word = text.strip()
    name, equals, value = word.partition("=")
    if equals:
        if booted.request.kernel is not None:
            raise WhatIfError("this kernel's switches are not known; flip a bit of an entry instead")
        read_switches(booted.kernel).validate({name: value})
        return Set(name, value)
    number = (
        int(word) if word.isascii() and word.isdigit() and len(word) < 4 else FLAG_BITS.get(word.upper(), -1)
    )
    if not 0 <= number < _ENTRY_BITS:
        raise WhatIfError(
            f"{shown(word)!r} is no bit and no SWITCH=VALUE; {did_you_mean(word.upper(), FLAG_BITS)}"
        )
    if row is None:
        raise WhatIfError("no walk is in view whose entry could be flipped; choose SWITCH=VALUE")
    return Flip(row.address, number, f"{row.level}[{row.index:03x}]")


class _Run:
    """One of the two runs, and what it tells from the moment on."""

    def __init__(self, fork: Fork, change: Change | None, watch: Watch) -> None:
        self.events: list[Event] = []
        request, begin = fork.request, fork
        if isinstance(change, Set):
            kept = [pair for pair in request.switches if pair[0] != change.switch]
            request = replace(request, switches=tuple(sorted([*kept, (change.switch, change.value)])))
        if _from_boot(change):
            begin = replace(fork, insn=0, seq=0)
        self.booted = replayed(request, fork.inputs, begin.insn, begin.seq, keep_history=True)
        self.machine = self.booted.machine
        if isinstance(change, Flip):
            at = PhysicalAddress(change.address + change.bit // 8)
            old = self.machine.memory.read(at, 1)[0]
            self.machine.input("poke", at, bytes([old ^ 1 << change.bit % 8]))
        self.machine.journal.observers.append(self.events.append)
        self._watch = watch

    def run(self, until: int) -> None:
        """Run on to instruction `until`, or to the guest's end."""
        machine = self.machine
        while machine.ended is None and machine.journal.insn < until:
            self._watch(machine.journal.insn)
            machine.run(min(_SLICE, until - machine.journal.insn))
        machine.journal.observers.remove(self.events.append)

    @property
    def end(self) -> str:
        """Where it stands."""
        ended = self.machine.ended
        return (
            ended.text if ended is not None else f"still running, instruction {self.machine.journal.insn:,}"
        )

    def told(self, events: Sequence[Event]) -> tuple[Told, ...]:
        """Events in words, with the names and tables of the first one's moment."""
        if events:
            self.machine.seek(min(max(0, events[0].insn - 1), self.machine.journal.insn))
        return tuple(self._told(event) for event in events)

    def _told(self, event: Event) -> Told:
        step = [other for other in self.events if other.insn == event.insn]
        scene = Scene(self.booted.inspector.name, step, self.machine.mmu)
        return Told(glyph_of(event), event.insn, event.cpl, event.kind.value, explain(event, scene))


def _from_boot(change: Change | None) -> bool:
    return isinstance(change, Set)


def part(fork: Fork, change: Change, instructions: int | None, watch: Watch) -> Parting:
    """Run both, `instructions` beyond the moment (None: to the end), and say where they part."""
    until = fork.insn + (MOST_INSTRUCTIONS if instructions is None else instructions)
    begin = replace(fork, insn=0, seq=0) if _from_boot(change) else fork
    one, other = _Run(begin, None, watch), _Run(fork, change, watch)
    for run in (one, other):
        run.run(until)
    comparison = compare_runs(
        (one.events, other.events),
        (registers_of(one.machine), registers_of(other.machine)),
        (one.machine, other.machine),
        (tlb_view(one.booted.inspector), tlb_view(other.booted.inspector)),
    )
    ends = one.end, other.end
    telling, but = (_told_by_name, _TIMES) if _from_boot(change) else (_apart_from_inputs, _NUMBER)
    a, b = telling(one.events), telling(other.events)
    at = _first_difference(a, b, but)
    alike = len(a) if at is None else at
    return Parting(
        _question(change, one.booted),
        alike,
        one.told(a[max(0, alike - _CONTEXT) : alike]) if at is not None else (),
        one.told(a[at : at + _AFTER]) if at is not None else (),
        other.told(b[at : at + _AFTER]) if at is not None else (),
        ends,
        comparison,
    )


def _question(change: Change, booted: Booted) -> str:
    if isinstance(change, Set):
        now = dict(booted.request.switches).get(change.switch)
        default = read_switches(booted.kernel).defaults().get(change.switch, "?")
        return f"What if {change.switch} had been {change.value}, not {now or default}?"
    letters = next((name for name, bit in FLAG_BITS.items() if bit == change.bit), f"bit {change.bit}")
    return f"What if {letters} of {change.name} were turned over now?"


def _apart_from_inputs(events: Sequence[Event]) -> list[Event]:
    """Without the change itself: what counts is what follows from it."""
    return [event for event in events if not isinstance(event, InputApplied)]


_SPOKEN: Final = (Marked, SyscallEntered, Faulted, UpcallMade, Acknowledged, ConsoleWritten)


def _told_by_name(events: Sequence[Event]) -> list[Event]:
    """What programs and kernel did from the first user instruction on: another command line shifts everything else."""
    first = next((n for n, event in enumerate(events) if event.cpl == _USER), len(events))
    return [event for event in events[first:] if isinstance(event, _SPOKEN)]


_NUMBER: Final = frozenset({"seq"})
_TIMES: Final = frozenset({"seq", "insn", "rip"})


def _first_difference(a: Sequence[Event], b: Sequence[Event], but: frozenset[str]) -> int | None:
    """The index of the first events that say something else; the fields `but` do not count."""
    for index, (one, other) in enumerate(zip_longest(a, b)):
        if one is None or other is None or not _alike(one, other, but):
            return index
    return None


def _alike(one: Event, other: Event, but: frozenset[str]) -> bool:
    if type(one) is not type(other):
        return False
    return all(getattr(one, f) == getattr(other, f) for f in one.__struct_fields__ if f not in but)
