# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole machine at work: loops beside the bare engine, and what one event costs.

The bare engine is the same Unicorn with its own MMU, no hooks, an instruction count, and the same loop from the same
moment: memory and registers are copied from the machine, and both must end with the same registers. The guest's
timer stays on, so a stretch is measured between two ticks.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

from emu.cpu.bare import BareEngine, registers_of
from emu.lesson.boot import boot, request_of
from emu.machine import Machine
from emu.mmu import Refused
from emu.tlb.counters import Counters

STRETCH: Final = 80_000
STRETCHES: Final = 4
BARE_RUNS: Final = 5
_ENDLESS: Final = "1000000000"
_TICK_ROOM: Final = 2_000


@dataclass(frozen=True, slots=True)
class Loop:
    """A benchmark program, and after how many instructions it is surely in its loop."""

    program: str
    settled: int
    about: str


LOOPS: Final = (
    Loop("copy", 250_000, "copies 16 pages word by word"),
    Loop("chase", 1_200_000, "follows pointers through 1024 pages"),
    Loop("branchy", 160_000, "integers and branches"),
)


@dataclass(frozen=True, slots=True)
class LoopResult:
    """Instructions per second of one loop, here and on the bare engine."""

    program: str
    instructions: int
    pagewalk: float
    bare: float
    same_registers: bool

    @property
    def ratio(self) -> float:
        """Ours as a share of the bare engine's."""
        return self.pagewalk / self.bare


@dataclass(frozen=True, slots=True)
class Share:
    """What one event costs in the emulator's own code: how many were seen, microseconds of each (median)."""

    event: str
    count: int
    microseconds: float
    bare_instructions: float
    """The same time as a number of instructions of the bare engine (on the branchy loop)."""


def measure_loop(loop: Loop, stretch: int = STRETCH, stretches: int = STRETCHES) -> LoopResult:
    """Run `stretches` stretches of a loop, each here and on the bare engine from the same moment."""
    machine = boot(request_of(loop.program, [_ENDLESS]), keep_history=False).machine
    machine.run(loop.settled)
    ours = bare = 0.0
    same = True
    for _ in range(stretches):
        _to_room_for(machine, stretch)
        engine = BareEngine(machine.cpu)
        before = perf_counter()
        machine.run(stretch)
        ours += perf_counter() - before
        runs = [engine.run(stretch) for _ in range(BARE_RUNS)]
        bare += min(seconds for seconds, _ in runs)
        same &= all(registers == registers_of(machine.cpu) for _, registers in runs)
    total = stretch * stretches
    return LoopResult(loop.program, total, total / ours, total / bare, same)


def _to_room_for(machine: Machine, stretch: int) -> None:
    """To a moment in ring 3 from which no timer tick is due for `stretch` instructions."""
    while True:
        due = machine.bus.next_due()
        room = stretch + _TICK_ROOM if due is None else due - machine.journal.clock
        if room > stretch and machine.cpu.ring() == 3:
            return
        machine.run(min(room, _TICK_ROOM) if room > 0 else _TICK_ROOM)


class _Stopwatch:
    """Stands in for one method of `owner`, and times the calls that `counts` says are of interest."""

    def __init__(self, owner: object, name: str, counts: Callable[[Any], bool] = lambda result: True) -> None:
        self._function: Callable[..., Any] = getattr(owner, name)
        self._counts = counts
        self.seconds: list[float] = []
        setattr(owner, name, self)

    def __call__(self, *arguments: Any) -> Any:
        before = perf_counter()
        result = self._function(*arguments)
        seconds = perf_counter() - before
        if self._counts(result):
            self.seconds.append(seconds)
        return result


def measure_shares(bare_per_second: float) -> list[Share]:
    """The emulator's own time for a fill (chase), a fault (faults) and a system call (faults), with nobody watching."""
    machine = boot(request_of("chase", ["0"]), keep_history=False).machine
    counters = machine.mmu.counters
    fill = _Stopwatch(machine.mmu, "translate", _walked(counters))
    machine.run(1_000_000)

    machine = boot(request_of("faults"), keep_history=False).machine
    fault = _Stopwatch(machine.cpu.microcode, "raise_fault")
    call = _Stopwatch(machine.cpu.microcode, "syscall")
    machine.run(5_000_000)
    return [
        _share("fill", fill, bare_per_second),
        _share("fault", fault, bare_per_second),
        _share("syscall", call, bare_per_second),
    ]


def _walked(counters: Counters) -> Callable[[Any], bool]:
    """Whether the call just timed walked and filled."""
    seen = [sum(counters.steps)]

    def walked(result: Any) -> bool:
        now = sum(counters.steps)
        new, seen[0] = now != seen[0], now
        return new and not isinstance(result, Refused)

    return walked


def _share(event: str, watch: _Stopwatch, bare_per_second: float) -> Share:
    seconds = statistics.median(watch.seconds) if watch.seconds else 0.0
    return Share(event, len(watch.seconds), seconds * 1e6, seconds * bare_per_second)
