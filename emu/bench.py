# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast it is, in one run on one machine, as ratios where a ratio is possible.

The bare engine is the same Unicorn with its own MMU, no hooks, an instruction count, and the same loop from the same
moment: memory and registers are copied from the machine, and both must end with the same registers. The guest's
timer stays on, so a stretch is measured between two ticks.
"""

import os
import re
import statistics
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
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
BACK_FROM: Final = 100_000
STEPS: Final = 200
STEPS_BACK: Final = 10
FIRST_SCREEN_SECONDS: Final = 20.0
_ENDLESS: Final = "1000000000"
_TICK_ROOM: Final = 2_000
_CONTROL_SEQUENCE: Final = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]")


@dataclass(frozen=True, slots=True)
class Loop:
    """A benchmark program, and after how many instructions it is surely in its loop."""

    program: str
    settled: int
    about: str


LOOPS: Final = (
    Loop("copy", 250_000, "copies 16 pages word by word"),
    Loop("chase", 620_000, "follows pointers through 1024 pages"),
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


@dataclass
class Report:
    """Everything that `pagewalk bench` says."""

    loops: list[LoopResult] = field(default_factory=list[LoopResult])
    shares: list[Share] = field(default_factory=list[Share])
    step_microseconds: float = 0.0
    step_back_milliseconds: float = 0.0
    step_back_from: int = 0
    first_screen_seconds: float | None = None
    """None where no terminal can be made, or nothing came."""

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "loops": {
                loop.program: {
                    "instructions": loop.instructions,
                    "pagewalk_per_second": loop.pagewalk,
                    "bare_per_second": loop.bare,
                    "ratio": loop.ratio,
                    "same_registers": loop.same_registers,
                }
                for loop in self.loops
            },
            "first_screen_seconds": self.first_screen_seconds,
            "step_microseconds": self.step_microseconds,
            "step_back_milliseconds": self.step_back_milliseconds,
            "step_back_from": self.step_back_from,
            "shares": {
                share.event: {
                    "count": share.count,
                    "microseconds": share.microseconds,
                    "bare_instructions": share.bare_instructions,
                }
                for share in self.shares
            },
        }


def measure(
    stretch: int = STRETCH,
    stretches: int = STRETCHES,
    back_from: int = BACK_FROM,
    steps: int = STEPS,
    screen: bool = True,
    progress: Callable[[str], None] = lambda what: None,
) -> Report:
    """Measure everything. Fewer instructions make it quicker, not wrong."""
    report = Report()
    for loop in LOOPS:
        progress(f"{loop.program}: {loop.about}")
        report.loops.append(measure_loop(loop, stretch, stretches))
    bare_second = report.loops[-1].bare
    progress("a fill, a fault, a system call")
    report.shares = measure_shares(bare_second)
    progress("a step, and a step back")
    report.step_microseconds, report.step_back_milliseconds = measure_steps(back_from, steps)
    report.step_back_from = back_from
    if screen:
        progress("the first screen")
        report.first_screen_seconds = measure_first_screen()
    return report


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


def measure_steps(back_from: int = BACK_FROM, steps: int = STEPS) -> tuple[float, float]:
    """(microseconds of one step forward, milliseconds of one step back), `back_from` instructions into a run."""
    booted = boot(request_of("overrun"), keep_history=True)
    machine = booted.machine
    machine.run(back_from)
    forward = [_timed(machine.step) for _ in range(steps)]
    back = [_timed(machine.step_back) for _ in range(min(steps, STEPS_BACK))]
    return statistics.median(forward) * 1e6, statistics.median(back) * 1e3


def _timed(call: Callable[[], object]) -> float:
    before = perf_counter()
    call()
    return perf_counter() - before


def measure_first_screen(
    command: tuple[str, ...] = (sys.executable, "-m", "emu", "learn", "overrun"),
    wanted: bytes = b"",
    limit_seconds: float = FIRST_SCREEN_SECONDS,
) -> float | None:
    """Seconds from the start of the command to its first text on a terminal; None if none came, or can be made.

    `wanted` is what counts as the first text; the first words of the lesson if it is empty.
    """
    try:
        import pty
    except ImportError:
        return None
    wanted = wanted or _first_words("overrun")
    if not wanted:
        return None
    before = perf_counter()
    process, terminal = pty.fork()
    if process == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS="120", LINES="36")
        os.execv(command[0], command)
    try:
        return _wait_for(terminal, wanted, before, limit_seconds)
    finally:
        _end(process, terminal)


def _first_words(lesson: str) -> bytes:
    """What the lesson's text begins with; empty if there is no such lesson."""
    from emu.lesson.model import LessonError, find_lesson
    from emu.resources import ResourceMissing

    try:
        text = next(section.text for section in find_lesson(lesson).sections if section.text)
    except (LessonError, ResourceMissing, StopIteration):
        return b""
    return " ".join(text.split()[:2]).encode()


def _wait_for(terminal: int, wanted: bytes, before: float, limit_seconds: float) -> float | None:
    import select

    seen = b""
    while perf_counter() - before < limit_seconds:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:
            return None
        seen += data
        if not data:
            return None
        if wanted in _CONTROL_SEQUENCE.sub(b"", seen):
            return perf_counter() - before
    return None


def _end(process: int, terminal: int) -> None:
    import signal

    with suppress(OSError):
        os.kill(process, signal.SIGKILL)
    with suppress(OSError):
        os.waitpid(process, 0)
    os.close(terminal)
