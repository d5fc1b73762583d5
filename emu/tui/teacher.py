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
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

    from emu.events import Event
    from emu.lesson.boot import BootRequest
    from emu.lesson.lab import Lab
    from emu.lesson.lab_watch import State
    from emu.lesson.model import Lesson
    from emu.lesson.pages import Item, Question
    from emu.lesson.record import Record
    from emu.lesson.run import LessonRun, StepRun
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
    in_lab: bool = False
    """The step is a lab: it waits for the student's saves."""
    saved: bool = False
    """Nothing but this: a file of the lab was saved, and `again` would check it."""


def one_line(error: BaseException) -> str:
    """What went wrong, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


_AGAIN: Final = -1


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
        lab: Path | None = None,
    ) -> None:
        """Nobody is asked in the steps before index `ask_from`: what `record` holds counts, else they are passed over.

        If this `resumes`, what was answered in that step counts too. `lab` is where the student's lab is or will be.
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
        self._lab = lab
        self._over = threading.Event()
        """Set when nobody waits for a save any more."""
        self._thread = threading.Thread(target=self._work, name="lesson", daemon=True)

    def start(self) -> None:
        """Begin with the first step."""
        self._thread.start()

    def next(self) -> None:
        """Run the next step."""
        self._orders.put(0)

    def again(self) -> None:
        """Run the lab once more, with its files as they are now."""
        self._orders.put(_AGAIN)

    def answer(self, choice: int) -> None:
        """Answer the question that waits."""
        self._orders.put(choice)

    def stop(self) -> None:
        """Let the thread end; a machine that runs is told to stop."""
        self._over.set()
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
            self._lesson, ask=self._ask, tlb=self._tlb, seed=self._seed, cpu=self._cpu, folder=self._lab
        )
        for index in range(len(run.scenario.steps)):
            self._begin(index)
            state = self._lab_state()
            self._came(run, index, next(run))
            if run.in_lab and index >= self._ask_from:
                self._stay_in_lab(run, index, state)
            elif run.next_step is None:
                return
            elif index + 1 > self._ask_from:
                self._order()

    def _came(self, run: LessonRun, index: int, done: StepRun) -> None:
        """Tell of a step that has run, and write it down."""
        last = run.next_step is None and index + 1 == len(run.scenario.steps)
        head = head_of(run.lab) if run.lab.has_booted else None
        items = tuple(done.page.items)
        if self._record is not None and index >= self._ask_from and done.error is None:
            self._record.finish(done.step.id, items)
        waits = run.in_lab and self._lab is not None
        self._tell(
            News(index, head, items, error=done.error, last=last, given=tuple(self._given), in_lab=waits)
        )

    def _stay_in_lab(self, run: LessonRun, index: int, state: State) -> None:
        """Check the lab again whenever the screen asks for it, until it asks for the next step."""
        self._watch(index, state)
        while run.in_lab:
            if self._order() != _AGAIN:
                break
            state = self._lab_state()
            self._came(run, index, run.again())
            self._watch(index, state)
        self._over.set()

    def _lab_state(self) -> State:
        from emu.lesson.lab_watch import state_of

        return state_of(self._lesson, self._lab) if self._lab is not None else ()

    def _watch(self, index: int, state: State) -> None:
        """In a thread of its own: tell of the next save."""
        from emu.lesson.lab_watch import wait_for_save

        folder, over = self._lab, threading.Event()
        if folder is None:
            return
        self._over = over

        def work() -> None:
            if wait_for_save(self._lesson, folder, state, over.is_set):
                self._tell(News(index, None, (), saved=True))

        threading.Thread(target=work, name="lab", daemon=True).start()

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
                News(self._index, head_of(lab), tuple(lab.page.items), question, given=tuple(self._given))
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


def head_of(lab: Lab) -> Head:
    """Where the machine of `lab` is now."""
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
