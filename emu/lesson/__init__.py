# SPDX-License-Identifier: GPL-2.0-or-later
"""Lessons: the scenario API, the course, checks, grading.

What a scenario imports is loaded when it is first asked for, so that reading a lesson's text starts no machine.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from emu.events import Event, Kind
    from emu.lesson.conditions import At, Call, Instruction, Return, happened
    from emu.lesson.lab import Lab, LabError
    from emu.lesson.model import Lesson, LessonError, course, find_lesson, load_lesson
    from emu.lesson.pages import Check, Page, Question, View
    from emu.lesson.run import LessonRun, run_lesson
    from emu.lesson.scenario import step
    from emu.lesson.snapshot import Snapshot
    from emu.lesson.views import Text

_HOMES: Final = {
    "emu.events": ("Event", "Kind"),
    "emu.lesson.conditions": ("At", "Call", "Instruction", "Return", "happened"),
    "emu.lesson.lab": ("Lab", "LabError"),
    "emu.lesson.model": ("Lesson", "LessonError", "course", "find_lesson", "load_lesson"),
    "emu.lesson.pages": ("Check", "Page", "Question", "View"),
    "emu.lesson.run": ("LessonRun", "run_lesson"),
    "emu.lesson.scenario": ("step",),
    "emu.lesson.snapshot": ("Snapshot",),
    "emu.lesson.views": ("Text",),
}
_HOME_OF: Final = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "At",
    "Call",
    "Check",
    "Event",
    "Instruction",
    "Kind",
    "Lab",
    "LabError",
    "Lesson",
    "LessonError",
    "LessonRun",
    "Page",
    "Question",
    "Return",
    "Snapshot",
    "Text",
    "View",
    "course",
    "find_lesson",
    "happened",
    "load_lesson",
    "run_lesson",
    "step",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"emu.lesson has no {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
