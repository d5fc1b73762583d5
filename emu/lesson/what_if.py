# SPDX-License-Identifier: GPL-2.0-or-later
"""What if: a second run from the same beginning, and where two runs part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emu.bits import hexadecimal
from emu.events import Event, Observer
from emu.lesson.boot import Booted, BootRequest, boot
from emu.lesson.views import Console, Shown, TlbView
from emu.lesson.writers import run_to
from emu.machine import Input, Machine
from emu.trace.diff import Difference, diff
from emu.trace.show import describe

if TYPE_CHECKING:
    from emu.lesson.lab import Lab

_FRAMES_SHOWN = 16


def replayed(
    request: BootRequest,
    inputs: Sequence[Input],
    insn: int,
    seq: int,
    observer: Observer | None = None,
    keep_history: bool = False,
) -> Booted:
    """A machine of its own that has come as far as (insn, seq), with the same inputs at the same moments."""
    booted = boot(request, keep_history)
    if observer is not None:
        booted.machine.journal.observers.append(observer)
    booted.machine.inputs.extend(inputs)
    run_to(booted, insn, seq)
    return booted


@dataclass(frozen=True)
class Comparison(Shown):
    """Where two runs part, and how they differ at their ends.

    `difference` is the first event that is not the same, None if all are. `registers` holds (name, a, b), `frames`
    the numbers of the frames whose bytes differ, `tlb` the entries that only one of the two holds.
    """

    difference: Difference | None
    registers: tuple[tuple[str, int, int], ...]
    frames: tuple[int, ...]
    tlb: tuple[str, ...]
    consoles: tuple[str, str]

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        console = self.consoles[0] == self.consoles[1]
        return console and not (self.difference or self.registers or self.frames or self.tlb)

    def lines(self) -> list[str]:
        """The first difference, then the state."""
        if self.same:
            return ["no difference: the same events, and the same state"]
        rows = ["the same events"]
        if self.difference is not None:
            rows = [f"first difference: {self.difference.in_words()}"]
            for mark, events in (("-", self.difference.a[:1]), ("+", self.difference.b[:1])):
                rows += [f"  {mark} insn {e.insn} ring {e.cpl} {e.kind}: {describe(e)}" for e in events]
        rows += [f"  {name}: {hexadecimal(a)} and {hexadecimal(b)}" for name, a, b in self.registers]
        if self.frames:
            numbers = ", ".join(f"{frame:#x}" for frame in self.frames[:_FRAMES_SHOWN])
            more = f" and {len(self.frames) - _FRAMES_SHOWN} more" if len(self.frames) > _FRAMES_SHOWN else ""
            rows.append(f"  frames that differ: {numbers}{more}")
        rows += [f"  {text}" for text in self.tlb]
        if self.consoles[0] != self.consoles[1]:
            rows.append("  the consoles differ")
        return rows


def compare_labs(a: "Lab", b: "Lab") -> Comparison:
    """The first difference of two runs, and how their machines differ now."""
    return compare_runs(
        (a.events, b.events), (a.registers, b.registers), (a.machine, b.machine), (a.tlb, b.tlb)
    )


def compare_runs(
    events: tuple[Sequence[Event], Sequence[Event]],
    registers: tuple[Mapping[str, int], Mapping[str, int]],
    machines: tuple[Machine, Machine],
    tlbs: tuple[TlbView, TlbView],
) -> Comparison:
    """The same, of two runs that no lab holds."""
    one, other = machines
    ours, theirs = registers
    frames = ()
    if one.memory.size_bytes != other.memory.size_bytes:
        frames = tuple(range(min(one.memory.frames, other.memory.frames)))
    elif one.memory.buffer[:] != other.memory.buffer[:]:
        numbers = range(one.memory.frames)
        frames = tuple(n for n in numbers if one.memory.frame(n) != other.memory.frame(n))
    return Comparison(
        difference=diff(*events),
        registers=tuple((name, ours[name], theirs[name]) for name in ours if ours[name] != theirs[name]),
        frames=frames,
        tlb=tuple(_tlb_differences(*tlbs)),
        consoles=(_console(one), _console(other)),
    )


def _console(machine: Machine) -> Console:
    return Console(machine.console.decode("utf-8", "backslashreplace"))


def _tlb_differences(a: TlbView, b: TlbView) -> list[str]:
    one = {(s.array, s.linear, s.frame, s.rights) for s in a.slots}
    other = {(s.array, s.linear, s.frame, s.rights) for s in b.slots}
    rows = [(key, "only the first holds") for key in one - other]
    rows += [(key, "only the second holds") for key in other - one]
    return [
        f"{who} {array} {hexadecimal(page)} -> {frame:#x} {rights}"
        for (array, page, frame, rights), who in sorted(rows)
    ]
