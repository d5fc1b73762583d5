# SPDX-License-Identifier: GPL-2.0-or-later
"""The Python side of a lesson: `setup` and the functions marked `@step`, loaded from scenario.py."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar, cast

from emu.guest.near import did_you_mean, shown
from emu.lesson.lab_folder import lab_names
from emu.lesson.model import Lesson, LessonError

if TYPE_CHECKING:
    from emu.lesson.lab import Lab

StepFunction = Callable[["Lab"], None]
_F = TypeVar("_F", bound=StepFunction)
_MARK = "__pagewalk_step__"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its id, what it is worth, and what it does. A step that is a `lab` boots the student's kernel."""

    id: str
    points: int
    function: StepFunction
    lab: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """What scenario.py defines: `setup`, and the steps in the order in which they stand."""

    setup: StepFunction
    steps: tuple[Step, ...]


def step(id: str, *, points: int = 1, lab: bool = False) -> Callable[[_F], _F]:
    """Mark a function of scenario.py as the step `id`, worth `points`; `lab`: about the student's own kernel.

    A lab's function is called only if there is such a kernel, and again whenever there is another. It asks nothing,
    and boots its own machines.
    """

    def mark(function: _F) -> _F:
        setattr(function, _MARK, Step(id, points, function, lab))
        return function

    return mark


def load_scenario(lesson: Lesson) -> Scenario:
    """Run the lesson's scenario.py and take what it defines.

    LessonError if it does not import, lacks `setup`, has a step twice, or does not agree with the prose.
    """
    path = lesson.folder / "scenario.py"
    module = _import(path)
    setup = getattr(module, "setup", None)
    if not callable(setup):
        raise LessonError(f"{path}: no setup; define `def setup(lab: Lab) -> None` that boots the machine")
    steps = tuple(
        found for value in vars(module).values() if isinstance(found := getattr(value, _MARK, None), Step)
    )
    _agree(lesson, steps, path)
    return Scenario(cast(StepFunction, setup), steps)


def _import(path: Path) -> ModuleType:
    module = ModuleType("scenario")
    module.__file__ = str(path)
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))
    except Exception as error:
        raise LessonError(
            f"{path}: does not import ({what_went_wrong(error, path)}); mend that line"
        ) from None
    return module


def _agree(lesson: Lesson, steps: tuple[Step, ...], path: Path) -> None:
    ids = [found.id for found in steps]
    for number, id in enumerate(ids):
        if id in ids[:number]:
            raise LessonError(f"{path}: step {id!r} is defined twice; give each function an id of its own")
        if id not in lesson.steps:
            mend = did_you_mean(id, lesson.steps)
            raise LessonError(f'{path}: step {id!r} has no section "## Step: {id}" in lesson.md; {mend}')
    for id in lesson.steps:
        if id not in ids:
            mend = did_you_mean(id, ids)
            raise LessonError(f'{lesson.folder / "lesson.md"}: section {id!r} has no @step("{id}"); {mend}')
    if tuple(ids) != lesson.steps:
        first = next(a for a, b in zip(ids, lesson.steps, strict=True) if a != b)
        raise LessonError(f"{path}: step {first!r} comes elsewhere in lesson.md; put both in one order")
    labs, names = [found.id for found in steps if found.lab], lab_names(lesson)
    if labs and not names:
        raise LessonError(
            f"{path}: step {labs[0]!r} is a lab, and there is no starter/; put the files to edit there"
        )
    if names and not labs:
        raise LessonError(f"{path}: there is a starter/, and no step is a lab; mark one with lab=True")
    points = sum(found.points for found in steps)
    if points != lesson.points:
        where = lesson.folder / "lesson.toml"
        raise LessonError(f"{where}: points = {lesson.points}, but the steps give {points}; write {points}")


def what_went_wrong(error: BaseException, path: Path) -> str:
    """An exception of a scenario as one line: where in `path`, and what."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {shown(error.msg)}"
    frames = traceback.extract_tb(error.__traceback__)
    line = next((frame.lineno for frame in reversed(frames) if frame.filename == str(path)), None)
    kind = "" if type(error).__module__.startswith("emu.") else f"{type(error).__name__}: "
    return f"{f'line {line}: ' if line else ''}{kind}{shown(text)}"
