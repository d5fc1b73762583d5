# SPDX-License-Identifier: GPL-2.0-or-later
"""Running a lesson: one step after the other, each leaving a page."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from emu.lesson.boot import BootRequest
from emu.lesson.lab import Lab
from emu.lesson.lab_kernel import lab_kernel
from emu.lesson.model import Lesson, Section
from emu.lesson.pages import Asker, Page
from emu.lesson.scenario import Scenario, Step, load_scenario, what_went_wrong
from emu.machine import Input


@dataclass(frozen=True, slots=True)
class StepRun:
    """A step that has run: what it left on its page, and where the head machine was at its end.

    `boot` counts the lab's boots from 0; `request` and `inputs` are what it takes to be there again, on another
    machine, at instruction `insn`, before event `seq`. `error` is one line if the scenario broke off. `idle`: the step
    is a lab, and nobody has made one, or it cannot be compiled here.
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
    idle: bool = False

    @property
    def passed(self) -> bool:
        """Whether the step ran to its end and every check holds."""
        return self.error is None and self.page.passed


class LessonRun(Iterator[StepRun]):
    """Runs a lesson step by step. `done` grows; `lab` is the lab that the steps are given."""

    def __init__(self, lesson: Lesson, scenario: Scenario, lab: Lab, folder: Path | None = None) -> None:
        """`folder` is where the student's files for the lab are, or will be."""
        self.lesson = lesson
        self.folder = folder
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
        return sum(run.step.points for run in self.done if run.passed and not run.idle)

    @property
    def in_lab(self) -> bool:
        """Whether the last step that ran is a lab, so that it may be run `again`."""
        return self.error is None and bool(self.done) and self.done[-1].step.lab

    def __next__(self) -> StepRun:
        step = self.next_step
        if step is None:
            raise StopIteration
        done = self._run(step)
        self.done.append(done)
        return done

    def again(self) -> StepRun:
        """Run the lab that ran last once more, with its files as they are now; what came of it before is dropped."""
        assert self.in_lab
        self.done[-1] = self._run(self.done[-1].step)
        return self.done[-1]

    def _run(self, step: Step) -> StepRun:
        self.lab.page = Page()
        section = self.lesson.section(step.id)
        idle = False
        try:
            if not self._started:
                self._started = True
                self.scenario.setup(self.lab)
            if step.lab:
                idle = self._run_lab(step)
            else:
                step.function(self.lab)
            if section.afterwards and not (step.lab and (idle or not self.lab.page.passed)):
                self.lab.say(section.afterwards)
        except Exception as error:
            path = self.lesson.folder / "scenario.py"
            self.error = f"{path}: step {step.id!r} broke off: {what_went_wrong(error, path)}"
        return self._report(step, section, idle)

    def _run_lab(self, step: Step) -> bool:
        """Run a lab on the student's kernel; whether there was nothing to do."""
        lab = self.lab
        made = lab_kernel(self.lesson, self.folder)
        lab.show(*made.items)
        if made.idle:
            worth = f"{step.points} point{'s' * (step.points != 1)}"
            lab.say(f"Everything else in this lesson works without it; the {worth} of this step stay open.")
        if not made.ready:
            return made.idle
        lab.kernel = made.image
        try:
            step.function(lab)
        except Exception as error:  # whatever a kernel may do that is not as it should be
            where = what_went_wrong(error, self.lesson.folder / "scenario.py")
            lab.say(f"The run with your kernel broke off. {where}")
            lab.expect(False, "your kernel runs to the end of what this step does with it")
        finally:
            lab.kernel = None
        return False

    def _report(self, step: Step, section: Section, idle: bool) -> StepRun:
        lab = self.lab
        journal = lab.machine.journal if lab.has_booted else None
        return StepRun(
            step=step,
            section=section,
            page=lab.page,
            boot=lab.boots - 1,
            request=lab.booted.request if journal else BootRequest(None),
            inputs=tuple(lab.machine.inputs) if journal else (),
            insn=journal.insn if journal else 0,
            seq=journal.seq if journal else 0,
            error=self.error,
            idle=idle,
        )


def run_lesson(
    lesson: Lesson,
    *,
    ask: Asker | None = None,
    tlb: str | None = None,
    seed: int = 0,
    cpu: str | None = None,
    folder: Path | None = None,
) -> LessonRun:
    """A run of `lesson`, before its first step; iterate over it. LessonError if its scenario does not load.

    `ask` puts questions (None: nobody is asked); `tlb` and `cpu` go before the scenario's choice; `folder` is the
    student's lab, if the lesson has one: it is looked at when its step comes.
    """
    return LessonRun(lesson, load_scenario(lesson), Lab(ask, tlb, seed, cpu), folder)
