# SPDX-License-Identifier: GPL-2.0-or-later
"""The application: the course and its lessons on screen, or a lesson's screens as pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import App

from emu.lesson.model import course
from emu.lesson.progress import ProgressStore
from emu.lesson.record import Record
from emu.tui.commands import LessonCommands
from emu.tui.host import switch
from emu.tui.pictures import normal_svg
from emu.tui.screens.course import CourseScreen
from emu.tui.screens.lesson import LessonScreen

if TYPE_CHECKING:
    from emu.lesson.model import Lesson

PICTURE_SIZE = (120, 36)


class PagewalkApp(App[None]):
    """Shows one lesson, or the course first. LessonError if there is no step `at`."""

    CSS_PATH = "app.tcss"
    TITLE = "Pagewalk"
    COMMANDS = {LessonCommands}
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self,
        lesson: Lesson | None = None,
        at: str | None = None,
        tlb: str | None = None,
        seed: int = 0,
        cpu: str | None = None,
        *,
        store: ProgressStore | None = None,
        lessons: Sequence[Lesson] | None = None,
    ) -> None:
        """Without `store` nothing is remembered; without `lesson` the list of `lessons` opens (None: the course)."""
        super().__init__()
        self._store = store
        self._lessons = lessons
        self._lesson_screen = self._screen_of(lesson, at, tlb, seed, cpu) if lesson is not None else None

    @property
    def lesson_screen(self) -> LessonScreen:
        """The lesson that is open. RuntimeError if none is."""
        if self._lesson_screen is None:
            raise RuntimeError("no lesson is open")
        return self._lesson_screen

    def _screen_of(
        self,
        lesson: Lesson,
        at: str | None = None,
        tlb: str | None = None,
        seed: int = 0,
        cpu: str | None = None,
    ) -> LessonScreen:
        record = Record(self._store, lesson) if self._store is not None else None
        return LessonScreen(lesson, at, tlb, seed, cpu, record)

    def on_mount(self) -> None:
        """The lesson or the course is the only screen."""
        self.push_screen(self._lesson_screen or self._course_screen())

    # -- between course and lesson --------------------------------------------------------------------------------

    def _course_screen(self) -> CourseScreen:
        if self._lessons is None:
            self._lessons = course()
        if self._store is None:
            self._store = ProgressStore()
        return CourseScreen(self._lessons, self._store)

    def action_course(self) -> None:
        """From a lesson back to the list."""
        if self._lesson_screen is not None:
            self._lesson_screen = None
            switch(self, self._course_screen())

    def on_course_screen_chosen(self, message: CourseScreen.Chosen) -> None:
        """A lesson of the list."""
        self._lesson_screen = self._screen_of(message.lesson)
        switch(self, self._lesson_screen)

    def on_lesson_screen_again(self, message: LessonScreen.Again) -> None:
        """The same lesson from its first step."""
        first = message.lesson.steps[0]
        self._lesson_screen = self._screen_of(message.lesson, first, message.tlb, message.seed, message.cpu)
        switch(self, self._lesson_screen)

    # -- for tests and pictures -----------------------------------------------------------------------------------

    async def settled(self) -> None:
        """Wait until the worker waits and the cursor stands still."""
        while (
            self._lesson_screen is not None
            and self._lesson_screen.busy
            and self.is_running
            and self.return_code in (None, 0)
        ):
            await asyncio.sleep(0.01)

    def picture(self) -> str:
        """The screen as an SVG that is the same every time, and asks nothing from other hosts."""
        return normal_svg(self.export_screenshot(title="Pagewalk", simplify=True))


def run_lesson(
    lesson: Lesson,
    *,
    at: str | None = None,
    tlb: str | None = None,
    seed: int | None = 0,
    cpu: str | None = None,
) -> int:
    """Show `lesson` on this terminal until the student leaves. LessonError if there is no step `at`."""
    app = PagewalkApp(lesson, at, tlb, seed or 0, cpu, store=ProgressStore())
    app.run()
    return app.return_code or 0


def run_course() -> int:
    """Show the course on this terminal, where this user stopped. LessonError if a lesson of it is damaged."""
    app = PagewalkApp(lessons=course(), store=ProgressStore())
    app.run()
    return app.return_code or 0


def svg_pictures(lesson: Lesson, folder: Path, size: tuple[int, int] = PICTURE_SIZE) -> list[Path]:
    """The lesson's screens as SVG files in `folder`, one a step, with the right answers given."""
    return asyncio.run(_pictures(lesson, folder, size))


async def _pictures(lesson: Lesson, folder: Path, size: tuple[int, int]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    app = PagewalkApp(lesson)
    async with app.run_test(size=size) as pilot:
        screen = app.lesson_screen
        for number, step in enumerate(lesson.steps, 1):
            await app.settled()
            while (question := screen.steps[screen.step].page.open) is not None:
                await pilot.press("abcdefgh"[question.answer])
                await app.settled()
            await pilot.pause()
            path = folder / f"{number:02}-{step}.svg"
            path.write_text(app.picture(), "utf-8")
            made.append(path)
            if screen.steps[screen.step].page.error:
                break
            await pilot.press("right_square_bracket")
    return made
