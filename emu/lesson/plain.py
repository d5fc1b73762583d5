# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole lesson as text: prose, what each step showed, questions, checks. It needs no screen, and no eyes."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from emu.guest.near import shown
from emu.lesson.lab_folder import is_lab
from emu.lesson.lab_watch import State, state_of, wait_for_save
from emu.lesson.model import Lesson, Section
from emu.lesson.pages import LETTERS, Check, Item, Page, Question, View, is_prose
from emu.lesson.prose import WIDTH, plain_prose
from emu.lesson.record import Record
from emu.lesson.run import LessonRun, StepRun, run_lesson

ReadLine = Callable[[], str]
"""One line of the student's, with its newline; empty at the end of the input."""


def print_lesson(
    lesson: Lesson,
    out: TextIO,
    *,
    ask: bool = False,
    answers: bool = False,
    tlb: str | None = None,
    seed: int = 0,
    at: str | None = None,
    read: ReadLine | None = None,
    cpu: str | None = None,
    record: Record | None = None,
    begun: Callable[[LessonRun], None] | None = None,
    folder: Path | None = None,
    over: Callable[[], bool] | None = None,
) -> bool:
    """Print `lesson` from beginning to end, running it as it goes. Whether every check holds.

    `ask` puts each question on a line of its own and waits for the answer; otherwise the lesson prints through.
    `answers` prints the right answers too. What a student who is asked has answered and reached goes into `record`.
    `at` begins to print at that step; `begun` is given the run before its first step. `folder` is the student's lab;
    if `ask`, one that has failed waits for a save and is checked again, until `over` says that the student wants to go
    on (None: it does not wait). LessonError if the scenario does not load or `at` is no step; the geometry's error for
    a `tlb` that is none, the CPU's for a `cpu`.
    """
    if at is not None:
        lesson.section(at)
    kept = record if ask else None
    printer = _Printer(lesson, out, ask, answers, at, read or sys.stdin.readline, kept)
    printer.over = over
    run = run_lesson(lesson, ask=printer.ask, tlb=tlb, seed=seed, cpu=cpu, folder=folder)
    if begun is not None:
        begun(run)
    return printer.print(run)


class _Printer:
    def __init__(
        self,
        lesson: Lesson,
        out: TextIO,
        ask: bool,
        answers: bool,
        at: str | None,
        read: ReadLine,
        record: Record | None,
    ) -> None:
        self._lesson = lesson
        self._out = out
        self._ask_student = ask
        self._answers = answers
        self._silent_until = at
        self._read = read
        self._record = record
        self._printed = 0
        """How many items of the current page are out."""
        self._asked = self._right = 0
        self._run: LessonRun | None = None
        self.over: Callable[[], bool] | None = None

    def print(self, run: LessonRun) -> bool:
        """The lesson, the whole of it. Whether every check holds."""
        lesson, self._run = self._lesson, run
        if self._silent_until is None:
            self._lines(lesson.title, "=" * min(WIDTH, len(lesson.title)))
            self._lines(f"{lesson.id}, by {lesson.author}, about {lesson.minutes} minutes", "")
            for section in lesson.introduction:
                self._prose(section)
        while (step := run.next_step) is not None:
            if step.id == self._silent_until:
                self._silent_until = None
            self._heading(step.id, len(run.done) + 1, step.points)
            self._printed = 0
            if self._record is not None and self._interactive:
                self._record.begin(step.id)
            state = self._lab_state(step.lab)
            done = next(run)
            self._came(done)
            if step.lab:
                self._wait_in_lab(run, state)
            self._rest(run.done[-1])
        if run.error is None:
            self._close(run)
        return run.passed

    def _heading(self, step: str, number: int, points: int) -> None:
        section = self._lesson.section(step)
        of = len(self._lesson.steps)
        worth = f"{points} point{'s' * (points != 1)}"
        self._lines(
            "", "-" * WIDTH, f"Step {number} of {of}: {section.title}", f"({step}, {worth})", "-" * WIDTH, ""
        )
        self._lines(*plain_prose(section.text), "")

    @property
    def _interactive(self) -> bool:
        """Whether somebody is there, and has come to where the printing begins."""
        return self._ask_student and self._silent_until is None

    def _came(self, done: StepRun) -> None:
        """A step has run: write down that it was reached, and print the rest of its page."""
        if self._record is not None and self._interactive and done.error is None:
            self._record.finish(done.step.id, done.page.items)
        self._items(done.page)

    def _lab_state(self, in_lab: bool) -> State:
        """What the student's files are like, before the lab reads them."""
        folder = self._run.folder if self._run is not None else None
        if not in_lab or folder is None or not self._interactive:
            return ()
        if is_lab(self._lesson, folder):
            self._lines("Compiling your kernel and running it ...", "")
            self._out.flush()
        return state_of(self._lesson, folder)

    def _wait_in_lab(self, run: LessonRun, state: State) -> None:
        """Until the lab holds, or the student goes on: check it again after each save."""
        while self.over is not None and self._interactive and run.in_lab and run.folder is not None:
            done = run.done[-1]
            if done.idle or done.passed:
                return
            self._lines("", "Save a file of the lab and it is checked again; Enter goes on.")
            self._out.flush()
            if not wait_for_save(self._lesson, run.folder, state, self.over):
                return
            self._lines("-" * WIDTH, "")
            state = self._lab_state(True)
            self._printed = 0
            self._came(run.again())

    def _rest(self, done: StepRun) -> None:
        if done.error is not None:
            self._lines("", f"✗ {done.error}")
            return
        for section in self._lesson.after(done.step.id):
            self._lines("")
            self._prose(section)

    def _prose(self, section: Section) -> None:
        if section.title and section is not self._lesson.sections[0]:
            self._lines(section.title, "-" * min(WIDTH, len(section.title)))
        self._lines(*plain_prose(section.text), "")

    def _close(self, run: LessonRun) -> None:
        checks = [check for done in run.done for check in done.page.checks]
        hold = sum(check.holds for check in checks)
        self._lines(
            "-" * WIDTH, f"{hold} of {len(checks)} checks hold; {run.points} of {run.lesson.points} points."
        )
        if self._asked:
            self._lines(f"{self._right} of {self._asked} questions answered right.")

    # -- items ----------------------------------------------------------------------------------------------------

    def _items(self, page: Page) -> None:
        for number in range(self._printed, len(page.items)):
            item = page.items[number]
            if number and isinstance(page.items[number - 1], Check) and not isinstance(item, Check):
                self._lines("")
            self._item(item)
        self._printed = len(page.items)

    def _item(self, item: Item) -> None:
        match item:
            case str() if is_prose(item):
                self._lines(*plain_prose(item), "")
            case Question():
                self._question(item)
                if not self._ask_student or self._silent_until is not None:
                    self._lines(*_wrapped("Hint: ", item.hint))
                    if self._answers:
                        self._lines(*_answer(item))
                    self._lines("")
            case Check():
                self._lines(*_wrapped(f"{'✓' if item.holds else '✗'} ", item.message))
            case View():
                self._lines(*item.lines(), "")
            case _:
                pass

    def _question(self, question: Question) -> None:
        self._lines(*_wrapped("Question: ", question.text))
        for number, choice in enumerate(question.choices):
            self._lines(*_wrapped(f"  {question.label(number)} ", choice))

    def ask(self, question: Question) -> int | None:
        """Put a question to whoever sits at the terminal; None if nobody does, or wants to answer."""
        run = self._run
        if run is None or not self._ask_student or self._silent_until is not None:
            return None
        self._items(run.lab.page)
        self._asked += 1
        hint = ", h for a hint" if self._lesson.hints else ""
        letters = LETTERS[: len(question.choices)]
        while True:
            self._out.write(f"Your answer (a to {letters[-1]}{hint}, Enter to go on): ")
            self._out.flush()
            line = self._read()
            word = line.strip().lower()
            if not line:
                self._ask_student = False
                self._lines("")
                return None
            if not word:
                self._lines(*_answer(question), "")
                return None
            if len(word) == 1 and word in letters:
                self._write_down(run, question, letters.index(word))
                return self._judged(question, letters.index(word))
            if word == "h" and self._lesson.hints:
                self._lines(*_wrapped("Hint: ", question.hint))
            else:
                self._lines(f"{shown(word)!r} is none of the choices.")

    def _write_down(self, run: LessonRun, question: Question, given: int) -> None:
        if self._record is not None and run.next_step is not None:
            number = len(run.lab.page.questions) - 1
            self._record.answer(run.next_step.id, number, question, given)

    def _judged(self, question: Question, given: int) -> int:
        if given == question.answer:
            self._right += 1
            self._lines("Right.", "")
        else:
            self._lines(*_answer(question, "No. "), "")
        return given

    def _lines(self, *lines: str) -> None:
        if self._silent_until is None:
            for line in lines:
                self._out.write(line.rstrip() + "\n")


def _answer(question: Question, before: str = "") -> list[str]:
    return _wrapped(
        f"{before}Answer: ", f"{question.label(question.answer)} {question.choices[question.answer]}"
    )


def _wrapped(lead: str, text: str) -> list[str]:
    from textwrap import wrap

    return wrap(text, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead), break_long_words=False)
