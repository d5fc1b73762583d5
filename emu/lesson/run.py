# SPDX-License-Identifier: GPL-2.0-or-later
"""Running a lesson: one step after the other, each leaving a page."""

from collections.abc import Iterator
from dataclasses import dataclass

from emu.lesson.boot import BootRequest
from emu.lesson.lab import Lab
from emu.lesson.model import Lesson, Section
from emu.lesson.pages import Asker, Page
from emu.lesson.scenario import Scenario, Step, load_scenario, what_went_wrong
from emu.machine import Input


@dataclass(frozen=True, slots=True)
class StepRun:
    """A step that has run: what it left on its page, and where the head machine was at its end.

    `boot` counts the lab's boots from 0; `request` and `inputs` are what it takes to be there again, on another
    machine, at instruction `insn`, before event `seq`. `error` is one line if the scenario broke off.
    """

    step: Step
    section: Section
    page: Page
    boot: int
    request: BootRequest
    inputs: tuple[Input, ...]
    insn: int
    seq: int
    error: str | None

    @property
    def passed(self) -> bool:
        """Whether the step ran to its end and every check holds."""
        return self.error is None and self.page.passed


class LessonRun(Iterator[StepRun]):
    """Runs a lesson step by step. `done` grows; `lab` is the lab that the steps are given."""

    def __init__(self, lesson: Lesson, scenario: Scenario, lab: Lab) -> None:
        self.lesson = lesson
        self.scenario = scenario
        self.lab = lab
        self.done: list[StepRun] = []
        self.error: str | None = None
        """Why the lesson broke off, in one line."""
        self._started = False

    @property
    def next_step(self) -> Step | None:
        """The step that runs next, None at the end."""
        over = self.error is not None or len(self.done) == len(self.scenario.steps)
        return None if over else self.scenario.steps[len(self.done)]

    @property
    def passed(self) -> bool:
        """Whether every step has run and every check holds."""
        return len(self.done) == len(self.scenario.steps) and all(run.passed for run in self.done)

    @property
    def points(self) -> int:
        """What the steps that passed are worth."""
        return sum(run.step.points for run in self.done if run.passed)

    def __next__(self) -> StepRun:
        step = self.next_step
        if step is None:
            raise StopIteration
        lab = self.lab
        lab.page = Page()
        section = self.lesson.section(step.id)
        try:
            if not self._started:
                self._started = True
                self.scenario.setup(lab)
            step.function(lab)
            if section.afterwards:
                lab.say(section.afterwards)
        except Exception as error:
            path = self.lesson.folder / "scenario.py"
            self.error = f"{path}: step {step.id!r} broke off: {what_went_wrong(error, path)}"
        journal = lab.machine.journal if lab.has_booted else None
        run = StepRun(
            step=step,
            section=section,
            page=lab.page,
            boot=lab.boots - 1,
            request=lab.booted.request if journal else BootRequest(None),
            inputs=tuple(lab.machine.inputs) if journal else (),
            insn=journal.insn if journal else 0,
            seq=journal.seq if journal else 0,
            error=self.error,
        )
        self.done.append(run)
        return run


def run_lesson(
    lesson: Lesson,
    *,
    ask: Asker | None = None,
    tlb: str | None = None,
    seed: int = 0,
    cpu: str | None = None,
) -> LessonRun:
    """A run of `lesson`, before its first step; iterate over it. LessonError if its scenario does not load.

    `ask` puts questions (None: nobody is asked); `tlb` and `cpu` go before the scenario's choice.
    """
    return LessonRun(lesson, load_scenario(lesson), Lab(ask, tlb, seed, cpu))
