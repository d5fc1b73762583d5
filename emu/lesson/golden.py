# SPDX-License-Identifier: GPL-2.0-or-later
"""A lesson's golden trace: what its machines did, in the normal form that survives an edit of the kernel.

It is made from a run of the scenario that asks nobody. Names are given while the run is on, when the process that an
address belongs to is still there.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from emu.bits import PAGE_SHIFT, LinearAddress
from emu.events import Event, Marked
from emu.lesson.boot import Booted
from emu.lesson.model import Lesson, LessonError
from emu.lesson.run import LessonRun, run_lesson
from emu.trace.header import TraceError
from emu.trace.normal import (
    FrameNumbers,
    Normaliser,
    first_difference,
    normal_lines,
    read_golden,
    write_golden,
)
from emu.view.inspector import Inspector
from emu.view.names import DIRECT_MAP

GOLDEN: Final = "golden.jsonl.gz"
_USER: Final = 3

Normal = dict[str, Any]


class _Watcher:
    """Turns the events of one machine into their normal form as they happen, from the first user instruction on."""

    def __init__(self, booted: Booted, areas: tuple[str, ...]) -> None:
        self._inspector = booted.inspector
        self._owners: dict[int, str] = {}
        self._normaliser = Normaliser(self._name_address, FrameNumbers(self._owner), areas)
        self._started = False
        self._kept: list[tuple[int, Normal]] = []
        words = booted.command_line.split(" ")
        self._head: Normal = {"kind": "boot", "command_line": words}

    def __call__(self, event: Event) -> None:
        if isinstance(event, Marked) and event.name == "frame_owner":
            frame, owner = event.arguments.get("frame_number"), event.arguments.get("owner")
            if isinstance(frame, int):
                name = str(owner).removeprefix("FRAME_").lower()
                self._owners[frame] = "shared" if name == "ukshm" else name
        self._started = self._started or event.cpl == _USER
        if not self._started:
            return
        while self._kept and self._kept[-1][0] >= event.seq:  # the scenario has gone back
            self._kept.pop()
        self._kept += [(event.seq, normal) for normal in self._normaliser([event])]

    def _owner(self, frame: int, event: Event) -> str:
        if frame not in self._owners:
            known = self._inspector.frame(frame)
            self._owners[frame] = known.owner if known is not None else "?"
        return self._owners[frame]

    def _name_address(self, linear: int, event: Event) -> str | None:
        inspector: Inspector = self._inspector
        process = inspector.process()
        table = inspector.symbols.table_at(linear, process.name if process else None)
        named = table.name_address(linear) if table is not None else None
        if named is not None:
            return named
        area = inspector.area_of(linear, process)
        if area is not None:
            return f"{area.kind}+{linear - area.start:#x}"
        if DIRECT_MAP <= linear < DIRECT_MAP + inspector.machine.memory.size_bytes:
            frame = linear - DIRECT_MAP >> PAGE_SHIFT
            return f"direct map of {self._owner(frame, event)}+{LinearAddress(linear) & 0xFFF:#x}"
        return None

    def lines(self) -> Iterator[Normal]:
        """What was kept, behind a line that says which machine it was."""
        yield self._head
        for _, normal in self._kept:
            yield normal


class GoldenWatch:
    """Keeps what the machines of a run do, in normal form; to be made before the run's first step."""

    def __init__(self, run: LessonRun) -> None:
        self._areas = run.lesson.areas
        self._watchers: list[_Watcher] = []
        run.lab.on_boot.append(self._watch)

    def _watch(self, booted: Booted) -> None:
        watcher = _Watcher(booted, self._areas)
        booted.machine.journal.observers.append(watcher)
        self._watchers.append(watcher)

    def lines(self) -> list[Normal]:
        """What was kept, machine by machine."""
        return [line for watcher in self._watchers for line in watcher.lines()]


def golden_of(lesson: Lesson, tlb: str | None = None) -> list[Normal]:
    """Run `lesson` and give its events in normal form, machine by machine. LessonError if it breaks off."""
    run = run_lesson(lesson, tlb=tlb)
    watch = GoldenWatch(run)
    for _ in run:
        pass
    if run.error is not None:
        raise LessonError(run.error)
    return watch.lines()


def golden_bytes(lesson: Lesson, tlb: str | None = None) -> bytes:
    """The normal form as JSON Lines, the same bytes for the same guest and lesson."""
    return normal_lines(golden_of(lesson, tlb))


def golden_path(lesson: Lesson) -> Path:
    """Where the lesson's golden trace lies."""
    return lesson.folder / GOLDEN


def make_golden(lesson: Lesson) -> Path:
    """Write the lesson's golden trace anew. LessonError if it breaks off, or if nothing can be written there."""
    path = golden_path(lesson)
    try:
        write_golden(path, golden_of(lesson))
    except TraceError as error:
        raise LessonError(str(error)) from None
    return path


def check_golden(lesson: Lesson, lines: list[Normal] | None = None) -> str | None:
    """The first difference between the golden trace and `lines`, in one sentence; None if there is none.

    Without `lines` the lesson is run. LessonError if there is no golden trace, or none that can be read.
    """
    path = golden_path(lesson)
    if not path.is_file():
        raise LessonError(f"{path}: missing; make it with emu.lesson.golden.make_golden")
    try:
        expected = read_golden(path)
    except TraceError as error:
        raise LessonError(str(error)) from None
    return first_difference(expected, golden_of(lesson) if lines is None else lines)
