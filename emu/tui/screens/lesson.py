# SPDX-License-Identifier: GPL-2.0-or-later
"""The lesson's screen: brings together the worker, the cursor and the panels."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Final

from textual import events
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Footer, Static

from emu.tui.commands import ANSWERS, COMMANDS, bindings
from emu.tui.layout import PANELS, SMALLEST, places
from emu.tui.page import PageState
from emu.tui.screens.address import AddressScreen
from emu.tui.screens.help import HelpScreen
from emu.tui.showing import Showing
from emu.tui.teacher import Head, News, Teacher, one_line
from emu.tui.widgets.console import ConsolePanel
from emu.tui.widgets.counters import CountersPanel
from emu.tui.widgets.frames import FramesPanel
from emu.tui.widgets.lesson import LessonPanel
from emu.tui.widgets.panel import Panel
from emu.tui.widgets.registers import RegistersPanel
from emu.tui.widgets.source import SourcePanel
from emu.tui.widgets.spaces import SpacesPanel
from emu.tui.widgets.timeline import TimelinePanel
from emu.tui.widgets.title import TitleLine
from emu.tui.widgets.tlb import TlbPanel
from emu.tui.widgets.walk import WalkPanel

if TYPE_CHECKING:
    from emu.lesson.model import Lesson, Section
    from emu.tui.past import Past
    from emu.view.access import AccessView
    from emu.view.snapshot import Snapshot

_PLAY_SECONDS: Final = 0.25


@dataclass
class StepState:
    """What is known of one lesson step: its page, where it began, and where the head was last in it."""

    page: PageState
    start: tuple[int, int] = (0, 0)
    head: Head | None = None
    stand: tuple[int, int] | None = None
    answers: list[int | None] = field(default_factory=lambda: [])


class LessonScreen(Screen[None]):
    """Keys move the cursor; the worker moves the head; every change ends in `_show`."""

    BINDINGS: list[BindingType] = bindings()
    AUTO_FOCUS = None

    class Came(Message):
        """News from the worker."""

        def __init__(self, news: News) -> None:
            super().__init__()
            self.news = news

    def __init__(
        self, lesson: Lesson, at: str | None, tlb: str | None, seed: int, cpu: str | None = None
    ) -> None:
        super().__init__()
        self.lesson = lesson
        sections = [lesson.section(step) for step in lesson.steps]
        self.steps = [StepState(self._first_page(i, s)) for i, s in enumerate(sections)]
        self.first = lesson.steps.index(lesson.section(at).step or "") if at is not None else 0
        self.teacher = Teacher(lesson, self._tell, tlb, seed, self.first, cpu)
        self.ran = -1
        """Index of the last step that the worker has begun."""
        self.step = 0
        self.past: Past | None = None
        self.snapshot: Snapshot | None = None
        self.busy = True
        self.zoomed: str | None = None
        self.entry: int | None = None
        self.array = 0
        self.views: list[AccessView] = []
        self.view = -1
        self.notice = ""
        self._playing: Timer | None = None

    def _first_page(self, index: int, section: Section) -> PageState:
        introduction = self.lesson.introduction if index == 0 else ()
        after = self.lesson.after(section.step or "")
        parts = [
            *(f"# {s.title}\n\n{s.text}" for s in introduction if s.text),
            f"# {section.title}\n\n{section.text}",
        ]
        parts += [f"# {s.title}\n\n{s.text}" for s in after]
        status = "booting the machine ..." if index == 0 else ""
        return PageState(
            "\n\n".join(parts),
            afterwards=section.afterwards,
            hints_allowed=self.lesson.hints,
            status=status,
        )

    # -- building -------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Title, panels, footer."""
        yield TitleLine()
        yield LessonPanel()
        yield WalkPanel()
        yield TlbPanel()
        yield CountersPanel()
        yield FramesPanel()
        yield SourcePanel()
        yield ConsolePanel()
        yield SpacesPanel()
        yield RegistersPanel()
        yield TimelinePanel()
        yield Static(f"Pagewalk needs a terminal of at least {SMALLEST[0]} x {SMALLEST[1]}.", id="too-small")
        yield Footer(show_command_palette=True, compact=True)

    def on_mount(self) -> None:
        """The text first, then the machine."""
        self._place()
        self._show()
        self.call_after_refresh(self.teacher.start)

    def on_unmount(self) -> None:
        """Let the worker end."""
        self.teacher.stop()

    def on_resize(self, event: events.Resize) -> None:
        """Another size, another layout."""
        del event
        self._place()

    @property
    def _app(self) -> App[None]:
        return self.app  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # Textual leaves its parameter open

    def _place(self) -> None:
        width, height = self._app.size
        tiny = width < SMALLEST[0] or height < SMALLEST[1]
        self.set_class(tiny, "tiny")
        found = {} if tiny else places(width, height, self.zoomed)
        for panel in self.query(Panel):
            place = found.get(panel.role)
            panel.display = place is not None
            if place is not None:
                panel.styles.offset = (place.x, place.y)
                panel.styles.width, panel.styles.height = place.width, place.height

    # -- news from the worker -------------------------------------------------------------------------------------

    def _tell(self, news: News) -> None:
        self.post_message(self.Came(news))

    async def on_lesson_screen_came(self, message: Came) -> None:
        """A step is done, or a question waits: its page, and the cursor to where the head is."""
        news = message.news
        state = self.steps[news.index]
        state.page = replace(
            state.page,
            items=news.items,
            open=news.question,
            hint=False,
            done=news.question is None,
            last=news.last,
            error=news.error or "",
            status="",
        )
        self._enter(news.index)
        if news.head is not None:
            if state.head is None or state.head.boot != news.head.boot:
                before = self.steps[news.index - 1].head if news.index else None
                same = before is not None and before.boot == news.head.boot
                state.start = (before.insn, before.seq) if before is not None and same else (0, 0)
            state.head = news.head
            await self._arrive(news.head, await self._standing(state, news))
            if self.past is not None and not self.past.rewound:
                state.page = replace(state.page, standing="")
        self.busy = False
        self._show()
        if news.question is None and news.index < self.first and not news.error and not news.last:
            self._begin_next()

    async def _standing(self, state: StepState, news: News) -> tuple[int, int]:
        """Where the cursor goes: to now while a question waits, to the step's story when it is done."""
        head = news.head
        assert head is not None
        if news.question is not None:
            return head.insn, head.seq
        await asyncio.to_thread(_load_engine)
        from emu.tui.past import story

        state.stand, words = story(head, state.start[1])
        state.page = replace(state.page, standing=words)
        return state.stand

    def _enter(self, index: int) -> None:
        self.step = index
        self.ran = max(self.ran, index)

    async def _arrive(self, head: Head, to: tuple[int, int]) -> None:
        """Follow in a thread, as a boot takes a while; what goes wrong there is one line on the page."""
        self.busy, self.view = True, -1
        try:
            await asyncio.to_thread(self._follow, head, to)
        except Exception as error:
            state = self.steps[self.step]
            state.page = replace(state.page, error=f"the machine on screen broke off: {one_line(error)}")
        self.busy = False

    def _follow(self, head: Head, to: tuple[int, int]) -> None:
        """Bring the second machine under `head`, to `to`; another boot is another machine."""
        from emu.tui.past import Past

        if self.past is None or not self.past.follow(head):
            self.past = Past(head)
            self.snapshot = None
        self.past.go(*to)
        self._look()

    def _look(self) -> None:
        assert self.past is not None
        self.snapshot = self.past.look(self.snapshot)
        self.entry = None

    # -- showing --------------------------------------------------------------------------------------------------

    def _show(self) -> None:
        state = self.steps[self.step]
        self.views = _views(state.page)
        look = self.views[self.view % len(self.views)] if self.views and self.view >= 0 else None
        showing = Showing(
            lesson=self.lesson.id,
            steps=len(self.steps),
            step=self.step,
            page=state.page,
            snapshot=self.snapshot,
            behind=self.past is not None and self.past.rewound,
            head=self.past.head.insn if self.past is not None else 0,
            look=look,
            entry=self.entry,
            array=self.array,
            covered=state.page.open is not None,
            notice=self.notice,
        )
        self.notice = ""
        self.set_class(bool(showing.rewound), "rewound")
        self.query_one(LessonPanel).set_class(state.page.open is not None, "asking")
        self.query_one(TitleLine).show(showing)
        for panel in self.query(Panel):
            panel.show(showing)

    def _say(self, notice: str) -> None:
        self.notice = notice
        self._show()

    # -- keys -----------------------------------------------------------------------------------------------------

    def action_move(self, how: str) -> None:
        """Move the cursor within what the lesson has run."""
        if self.busy or self.past is None:
            return
        past = self.past
        if how in ("step", "line", "event", "head") and not past.rewound:
            self._say("this is now: ] goes on" if self.steps[self.step].page.open is None else "answer first")
            return
        start = self.steps[self.step].start
        moves: dict[str, Callable[[], None]] = {
            "step": past.step,
            "step_back": past.step_back,
            "line": past.next_line,
            "line_back": past.previous_line,
            "event": past.next_event,
            "event_back": past.previous_event,
            "start": lambda: past.go(*start),
            "head": past.to_head,
        }
        moves[how]()
        self.view = -1
        self._look()
        self._show()

    def action_entry(self, by: int) -> None:
        """Step through the entries of the walk; past the last one, the whole walk again."""
        access = self.snapshot.access if self.snapshot is not None else None
        count = len(access.walk.rows) if access is not None and access.walk is not None else 0
        if not count:
            return
        at = -1 if self.entry is None and by > 0 else count if self.entry is None else self.entry
        at += by
        self.entry = at if 0 <= at < count else None
        self.view = -1
        self._show()

    async def action_lesson_step(self, by: int) -> None:
        """The lesson's next step, run if it has not been; or the one before."""
        if self.busy:
            return
        page = self.steps[self.step].page
        target = self.step + by
        if target < 0 or target >= len(self.steps):
            self._say("the lesson ends here" if by > 0 else "this is the first step")
        elif target <= self.ran:
            await self._revisit(target)
        elif page.open is not None:
            self._say("answer first: a letter; h is the hint")
        elif page.error:
            self._say("the lesson broke off here")
        else:
            self._begin_next()

    def _begin_next(self) -> None:
        self.busy = True
        self.step = self.ran + 1
        state = self.steps[self.step]
        state.page = replace(state.page, status="running ...")
        self._show()
        self.teacher.next()

    async def _revisit(self, index: int) -> None:
        self.step = index
        head = self.steps[index].head
        if head is not None:
            last = self.steps[self.ran].head
            latest = last if last is not None and last.boot == head.boot else head
            await self._arrive(latest, self.steps[index].stand or (head.insn, head.seq))
        self._show()

    async def action_letter(self, letter: str) -> None:
        """A letter answers an open question; without one it is a command like any other."""
        page = self.steps[self.step].page
        if page.open is not None and letter in ANSWERS[: len(page.open.choices)]:
            self._answer(ANSWERS.index(letter))
            return
        command = next((c for c in COMMANDS if c.key == letter), None)
        if command is not None:
            await self.run_action(command.action)

    def _answer(self, choice: int) -> None:
        if self.busy:
            return
        state = self.steps[self.step]
        state.answers.append(choice)
        state.page = replace(state.page, open=None, answers=tuple(state.answers), status="running ...")
        self.busy = True
        self._show()
        self.teacher.answer(choice)

    def action_hint(self) -> None:
        """Show the open question's hint."""
        state = self.steps[self.step]
        if state.page.open is not None and state.page.hints_allowed:
            state.page = replace(state.page, hint=True)
            self._show()

    def action_view(self) -> None:
        """The next walk that the lesson showed; after the last one, the last access."""
        self.view = self.view + 1 if self.view + 1 < len(self.views) else -1
        self.entry = None
        self._show()

    def action_array(self) -> None:
        """The next TLB array that holds anything."""
        grids = self.snapshot.tlb if self.snapshot is not None else ()
        for by in range(1, len(grids) + 1):
            if grids[(self.array + by) % len(grids)].used:
                self.array = (self.array + by) % len(grids)
                break
        self._show()

    def action_zoom(self, panel: str) -> None:
        """One panel alone, or all of them again."""
        self.zoomed = panel if panel in PANELS and panel != self.zoomed else None
        self._place()

    def action_scroll(self, pages: int) -> None:
        """Scroll the panel that fills the screen, else the lesson."""
        panel = self.query_one(f"#{self.zoomed or 'lesson'}", Panel)
        panel.scroll_rows(pages * max(1, panel.content_size.height - 1))

    def action_play(self) -> None:
        """Run through the events by itself, or stop."""
        if self._playing is not None:
            self._playing.stop()
            self._playing = None
        elif self.past is not None and self.past.rewound:
            self._playing = self.set_interval(_PLAY_SECONDS, self._play_on)

    def _play_on(self) -> None:
        if self.past is None or not self.past.rewound:
            self.action_play()
        else:
            self.action_move("event")

    def action_help(self) -> None:
        """Keys and glyphs."""
        self._app.push_screen(HelpScreen())

    def action_address(self) -> None:
        """Walk an address that the student names."""
        if self.past is not None and not self.busy:
            self._app.push_screen(AddressScreen(), self._walk_address)

    def _walk_address(self, text: str | None) -> None:
        if not text or self.past is None:
            return
        state = self.steps[self.step]
        try:
            found = self.past.walk(text)
        except Exception as error:
            self._say(one_line(error))
            return
        state.page = replace(state.page, items=(*state.page.items, found))
        self.view = len(_views(state.page)) - 1
        self._show()


def _load_engine() -> None:
    """The engine's side takes a while to import: done in a thread, when there is something to look at."""
    import_module("emu.tui.past")


def _views(page: PageState) -> list[AccessView]:
    """The walks on a page, in the walk panel's form."""
    if not page.items:
        return []
    from emu.view.access import shown_view
    from emu.view.walk import WalkView

    return [shown_view(item) for item in page.items if isinstance(item, WalkView)]
