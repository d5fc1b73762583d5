# SPDX-License-Identifier: GPL-2.0-or-later
"""The lesson's screen: brings together the worker, the cursor and the panels."""

from __future__ import annotations

import asyncio
import gc
from bisect import bisect_left
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Final

from textual.message import Message

from emu.bits import PAGE_SHIFT
from emu.lesson.pages import LETTERS
from emu.tui.commands import COMMANDS
from emu.tui.host import host
from emu.tui.page import PageState, ladder, score_of
from emu.tui.screens.confirm import ConfirmScreen
from emu.tui.screens.help import HelpScreen
from emu.tui.screens.stage import StepState, walks_on
from emu.tui.screens.supposing import Supposing
from emu.tui.teacher import Head, News, Teacher, one_line

if TYPE_CHECKING:
    from pathlib import Path

    from emu.lesson.model import Lesson, Section
    from emu.lesson.record import Record

_PATIENCE_SECONDS: Final = 0.2
_AT_FAULT: Final = "at the fault"


class LessonScreen(Supposing):
    """The worker moves the head, keys move the cursor; every change ends in `show`."""

    class Came(Message):
        """News from the worker."""

        def __init__(self, news: News) -> None:
            super().__init__()
            self.news = news

    def __init__(
        self,
        lesson: Lesson,
        at: str | None,
        tlb: str | None,
        seed: int,
        cpu: str | None = None,
        record: Record | None = None,
        lab: Path | None = None,
    ) -> None:
        """Begins at step `at`; without one at the step that `record` knows as reached. LessonError for no such step."""
        reached = record.step if record is not None and at is None else None
        begin = at if at is not None else reached
        first = lesson.steps.index(lesson.section(begin).step or "") if begin is not None else 0
        super().__init__(lesson, [_first_state(lesson, i, first) for i in range(len(lesson.steps))])
        self.record = record
        self.step = self.first = first
        self._settings = tlb, seed, cpu, lab
        self.teacher = Teacher(
            lesson, self._tell, tlb, seed, self.first, cpu, record, resumes=reached is not None, lab=lab
        )
        self.ran = -1
        """Index of the last step that the worker has begun."""
        self._resumed = reached is not None
        self._said = ""
        """The trouble with the progress file that has been told already."""

    def on_mount(self) -> None:
        """The text first, then the machine."""
        self.place()
        self.show()
        self.call_after_refresh(self.teacher.start)

    def on_unmount(self) -> None:
        """Let the worker end."""
        self.teacher.stop()

    # -- news from the worker -------------------------------------------------------------------------------------

    def _tell(self, news: News) -> None:
        self.post_message(self.Came(news))

    async def on_lesson_screen_came(self, message: Came) -> None:
        """A step is done, or a question waits: its page, and the cursor to where the head is."""
        news = message.news
        state = self.steps[news.index]
        if news.saved:
            self._check_again()
            return
        known = len(walks_on(state.page))
        state.answers = list(news.given)
        state.page = replace(
            state.page,
            items=news.items,
            answers=news.given,
            open=news.question,
            hint=0,
            done=news.question is None,
            last=news.last,
            error=news.error or "",
            status="",
            in_lab=news.in_lab,
        )
        if news.last:
            state.page = replace(state.page, score=score_of([step.page for step in self.steps]))
        passing = news.question is None and news.index < self.first and not news.error
        self.step, self.ran = self.first if passing else news.index, max(self.ran, news.index)
        if news.head is not None:
            self._take_head(news.index, news.head)
            if not passing:
                await self._stand(state, news)
                self._show_walk(state, known)
        if passing:
            self._tell_way(news.index)
        self.busy = passing
        if self._resumed and not passing:
            self._resumed = False
            self.notice = "here you stopped; R begins again"
        self._tell_trouble()
        self.show()

    def _tell_way(self, ran: int) -> None:
        """On the way to the step that the student begins with: how many of those before it have run."""
        state = self.state
        state.page = replace(
            state.page, status=f"running the steps before this one: {ran + 1} of {self.first} ..."
        )

    def _check_again(self) -> None:
        """A file of the lab was saved: run its step again, as soon as nothing else runs."""
        if not self.is_attached:
            return
        if self.busy:
            self.set_timer(_PATIENCE_SECONDS, self._check_again)
            return
        self.busy = True
        self.step = self.ran
        state = self.state
        state.stand = None
        state.page = replace(
            state.page,
            standing="",
            status="a file of the lab was saved: compiling and running your kernel ...",
        )
        self.show()
        self.teacher.again()

    def _take_head(self, index: int, head: Head) -> None:
        """Where the step ends; and where it begins, if this is the first that is heard of it in this boot."""
        state = self.steps[index]
        if state.head is None or state.head.boot != head.boot:
            before = self.steps[index - 1].head if index else None
            same = before is not None and before.boot == head.boot
            state.start = (before.insn, before.seq) if before is not None and same else (0, 0)
        state.head = head

    async def _stand(self, state: StepState, news: News) -> None:
        """Put the cursor to now while a question waits, to the step's story when it is done."""
        head = news.head
        assert head is not None
        if news.question is not None:
            await self._arrive(head, (head.insn, head.seq))
            return
        await self._find_story(state)
        await self._arrive(head, state.stand or (head.insn, head.seq))
        if self.past is not None and not self.past.rewound:
            state.page = replace(state.page, standing="")
        if state.page.standing:
            self.notice = f"you stand {state.page.standing}; End is now"

    def _show_walk(self, state: StepState, known: int) -> None:
        """Show the first walk that is new on the page, if the last instruction is about something else."""
        views = walks_on(state.page)
        access = self.snapshot.access if self.snapshot is not None else None
        if not 0 <= known < len(views) or state.page.standing == _AT_FAULT:
            return
        last = access.walk if access is not None else None
        new = views[known].walk
        if last is None or new is None or last.linear >> PAGE_SHIFT != new.linear >> PAGE_SHIFT:
            self.view = known

    async def _find_story(self, state: StepState) -> None:
        if state.head is None or state.stand is not None:
            return
        await asyncio.to_thread(_load_engine)
        from emu.tui.past import story

        state.stand, words = story(state.head, state.start[1])
        if words == _AT_FAULT:
            state.stand = told_fault(state) or state.stand
        state.page = replace(state.page, standing=words)

    async def _arrive(self, head: Head, to: tuple[int, int]) -> None:
        """Follow in a thread, as a boot takes a while; what goes wrong there is one line on the page."""
        self.busy, self.view = True, -1
        try:
            await asyncio.to_thread(self._follow, head, to)
        except Exception as error:
            state = self.state
            state.page = replace(state.page, error=f"the machine on screen broke off: {one_line(error)}")
        self.busy = False

    def _follow(self, head: Head, to: tuple[int, int]) -> None:
        """Bring the second machine under `head`, to `to`; another boot is another machine."""
        from emu.tui.past import Past

        new = self.past is None or not self.past.follow(head)
        if new:
            gc.unfreeze()  # the machine before may go
            self.past = Past(head)
            self.snapshot = None
        assert self.past is not None
        self.past.go(*to)
        self.look()
        if new:  # it stays: no collection looks at it again, which took a tenth of a second between two keys
            gc.collect()
            gc.freeze()

    def _tell_trouble(self) -> None:
        """What is wrong with the progress file, once."""
        note = self.record.note if self.record is not None else ""
        if note and note != self._said:
            self._said = note
            self.notify(note, title="progress", severity="warning", timeout=12, markup=False)

    # -- the lesson's own keys ------------------------------------------------------------------------------------

    async def action_lesson_step(self, by: int) -> None:
        """The lesson's next step, run if it has not been; or the one before."""
        if self.busy:
            return
        page = self.state.page
        target = self.step + by
        if target < 0 or target >= len(self.steps):
            self.say("the lesson ends here" if by > 0 else "this is the first step")
        elif target <= self.ran:
            await self._revisit(target)
        elif page.open is not None:
            self.say("answer first: a letter; h is the hint")
        elif page.error:
            self.say("the lesson broke off here")
        else:
            self._begin_next()

    def _begin_next(self) -> None:
        self.busy = True
        self.step = self.ran + 1
        self.state.page = replace(self.state.page, status="running ...")
        self.show()
        self.teacher.next()

    async def _revisit(self, index: int) -> None:
        self.step = index
        state = self.state
        if state.head is not None:
            last = self.steps[self.ran].head
            latest = last if last is not None and last.boot == state.head.boot else state.head
            if state.page.done:
                await self._find_story(state)
            await self._arrive(latest, state.stand or (state.head.insn, state.head.seq))
            self._show_walk(state, len(walks_on(state.page)) - 1)
        self.show()

    async def action_letter(self, letter: str) -> None:
        """A letter answers an open question; without one it is a command like any other."""
        page = self.state.page
        if page.open is not None and letter in LETTERS[: len(page.open.choices)]:
            self.choose(LETTERS.index(letter))
            return
        command = next((c for c in COMMANDS if c.key == letter), None)
        if command is not None:
            await self.run_action(command.action)

    def choose(self, choice: int) -> None:
        """Answer the open question."""
        if self.busy or self.state.page.open is None:
            return
        state = self.state
        state.answers.append(choice)
        state.page = replace(state.page, open=None, answers=tuple(state.answers), status="running ...")
        self.busy = True
        self.show()
        self.teacher.answer(choice)

    def action_hint(self) -> None:
        """The next rung of the open question's hints."""
        state = self.state
        if state.page.open is not None and state.page.hints_allowed:
            state.page = replace(state.page, hint=min(state.page.hint + 1, len(ladder(state.page.open))))
            self.show()

    def action_help(self) -> None:
        """Keys and glyphs."""
        host(self).push_screen(HelpScreen())

    def action_reset(self) -> None:
        """Forget this lesson's answers and begin again, after asking."""
        text = f"Begin {self.lesson.id} again? Its answers and its progress are forgotten."
        host(self).push_screen(ConfirmScreen(text), self._reset)

    def _reset(self, sure: bool | None) -> None:
        if not sure:
            return
        if self.record is not None:
            self.record.reset()
        self.post_message(self.Again(self.lesson, *self._settings))

    class Again(Message):
        """The lesson is to begin from its first step."""

        def __init__(
            self, lesson: Lesson, tlb: str | None, seed: int, cpu: str | None, lab: Path | None
        ) -> None:
            super().__init__()
            self.lesson, self.tlb, self.seed, self.cpu, self.lab = lesson, tlb, seed, cpu, lab


def _first_state(lesson: Lesson, index: int, begins: int) -> StepState:
    """A step before it has run: its prose, behind the introduction if it is the first. Step `begins` is shown first."""
    section = lesson.section(lesson.steps[index])
    introduction = lesson.introduction if index == 0 else ()
    return StepState(
        PageState(
            _prose(*introduction, section),
            hints_allowed=lesson.hints,
            status="booting the machine ..." if index == begins else "",
            closing=_prose(*lesson.after(section.step or "")),
        )
    )


def _prose(*sections: Section) -> str:
    return "\n\n".join(f"# {s.title}\n\n{s.text}" for s in sections if s.text)


def told_fault(state: StepState) -> tuple[int, int] | None:
    """Behind the first fault that the page tells of, if it happened on the head: (instructions, next event)."""
    from emu.events import Kind
    from emu.lesson.views import EventsView

    head = state.head
    if head is None:
        return None
    told = [row for item in state.page.items if isinstance(item, EventsView) for row in item.events]
    for row in told:
        at = bisect_left(head.events, row.seq, key=lambda event: event.seq)
        event = head.events[at] if at < len(head.events) else None
        if (
            row.kind == Kind.FAULT
            and event is not None
            and (event.kind, event.insn) == (Kind.FAULT, row.insn)
        ):
            return row.insn - 1, row.seq + 1
    return None


def _load_engine() -> None:
    """The engine's side takes a while to import: done in a thread, when there is something to look at."""
    import_module("emu.tui.past")
