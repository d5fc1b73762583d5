# SPDX-License-Identifier: GPL-2.0-or-later
"""The worker side of a lesson: runs its steps on the head machine, one at a time, in a thread of its own.

The screen asks for the next step and gets news back: a question that waits for its answer, or a step that is done.
Nothing here is imported from the engine until the thread runs, so that the text is on screen while the machine boots.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emu.events import Event
    from emu.lesson.boot import BootRequest
    from emu.lesson.lab import Lab
    from emu.lesson.model import Lesson
    from emu.lesson.pages import Item, Question
    from emu.lesson.record import Record
    from emu.lesson.run import LessonRun
    from emu.machine import Input


@dataclass(frozen=True)
class Head:
    """Where the head machine is: enough to bring another machine there. `events` grows while the head runs on."""

    boot: int
    request: BootRequest
    inputs: tuple[Input, ...]
    insn: int
    seq: int
    ended: bool
    events: Sequence[Event]


@dataclass(frozen=True)
class News:
    """What the worker reports: step `index` waits with `question`, or is done (`question` is None), with its page.

    `error` is one line if the scenario or the machine broke off; `head` is None if nothing has booted. `given` are the
    answers to the page's questions so far, None for one that was passed over.
    """

    index: int
    head: Head | None
    items: tuple[Item, ...]
    question: Question | None = None
    error: str | None = None
    last: bool = False
    given: tuple[int | None, ...] = ()


def one_line(error: BaseException) -> str:
    """What went wrong, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


class _Quit(BaseException):
    """Ends the thread from within a question."""


class Teacher:
    """Runs the steps of `lesson`. `tell` is called in the thread with each piece of news."""

    def __init__(
        self,
        lesson: Lesson,
        tell: Callable[[News], None],
        tlb: str | None,
        seed: int,
        ask_from: int = 0,
        cpu: str | None = None,
        record: Record | None = None,
        resumes: bool = False,
    ) -> None:
        """Nobody is asked in the steps before index `ask_from`: what `record` holds counts, else they are passed over.

        If this `resumes`, what was answered in that step counts too.
        """
        self._lesson, self._tell, self._tlb, self._seed = lesson, tell, tlb, seed
        self._ask_from = ask_from
        self._cpu = cpu
        self._record = record
        self._replayed = ask_from + resumes
        """Answers in the steps before this index come from the record."""
        self._given: list[int | None] = []
        self._orders: queue.Queue[int | None] = queue.Queue()
        self._run: LessonRun | None = None
        self._index = 0
        self._thread = threading.Thread(target=self._work, name="lesson", daemon=True)

    def start(self) -> None:
        """Begin with the first step."""
        self._thread.start()

    def next(self) -> None:
        """Run the next step."""
        self._orders.put(0)

    def answer(self, choice: int) -> None:
        """Answer the question that waits."""
        self._orders.put(choice)

    def stop(self) -> None:
        """Let the thread end; a machine that runs is told to stop."""
        self._orders.put(None)
        run = self._run
        if run is not None and run.lab.has_booted:
            run.lab.machine.cpu.interrupt_run()

    # -- in the thread --------------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self._teach()
        except _Quit:
            return
        except Exception as error:
            self._tell(News(self._index, None, (), error=one_line(error)))

    def _teach(self) -> None:
        from emu.lesson.run import run_lesson

        run = self._run = run_lesson(
            self._lesson, ask=self._ask, tlb=self._tlb, seed=self._seed, cpu=self._cpu
        )
        total = len(run.scenario.steps)
        self._begin(0)
        for index, done in enumerate(run):
            last = run.next_step is None and index + 1 == total
            head = _head(run.lab) if run.lab.has_booted else None
            items = tuple(done.page.items)
            if self._record is not None and index >= self._ask_from and done.error is None:
                self._record.finish(done.step.id, items)
            self._tell(News(index, head, items, error=done.error, last=last, given=tuple(self._given)))
            if run.next_step is None:
                return
            if index + 1 > self._ask_from:
                self._order()
            self._begin(index + 1)

    def _begin(self, index: int) -> None:
        self._index, self._given = index, []
        if self._record is not None and index >= self._ask_from:
            self._record.begin(self._lesson.steps[index])

    def _ask(self, question: Question) -> int | None:
        assert self._run is not None
        lab, step, number = self._run.lab, self._lesson.steps[self._index], len(self._given)
        known = None
        if self._record is not None and self._index < self._replayed:
            known = self._record.given(step, number, question)
        if known is None and self._index >= self._ask_from:
            self._tell(
                News(self._index, _head(lab), tuple(lab.page.items), question, given=tuple(self._given))
            )
            known = self._order()
            if self._record is not None:
                self._record.answer(step, number, question, known)
        self._given.append(known)
        return known

    def _order(self) -> int:
        order = self._orders.get()
        if order is None:
            raise _Quit
        return order


def _head(lab: Lab) -> Head:
    machine: Any = lab.machine
    journal = machine.journal
    return Head(
        boot=lab.boots - 1,
        request=lab.booted.request,
        inputs=tuple(machine.inputs),
        insn=journal.insn,
        seq=journal.seq,
        ended=machine.ended is not None,
        events=lab.events,
    )
