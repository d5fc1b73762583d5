# SPDX-License-Identifier: GPL-2.0-or-later
"""The application: the course and its lessons on screen, or a lesson's screens as pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import App
from textual.filter import LineFilter

from emu.lesson.model import course
from emu.lesson.progress import ProgressStore
from emu.lesson.record import Record
from emu.tui.ascii import AsciiFilter, has_utf8
from emu.tui.commands import LessonCommands
from emu.tui.export import save_screen
from emu.tui.host import switch, text_rows
from emu.tui.pictures import normal_svg
from emu.tui.screens.course import CourseScreen
from emu.tui.screens.lesson import LessonScreen
from emu.tui.style import use
from emu.tui.themes import NAMES, theme, variables

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
        lab: Path | None = None,
    ) -> None:
        """Without `store` nothing is remembered; without `lesson` the list of `lessons` opens (None: the course).

        `lab` is where the student's lab of `lesson` is or will be.
        """
        super().__init__()
        self._store = store
        for name in NAMES:
            self.register_theme(theme(name))
        self._look(store.progress.theme if store is not None else "")
        self._lessons = lessons
        self._filters_for_terminal: list[LineFilter] = [] if has_utf8() else [AsciiFilter()]
        self._lesson_screen = self._screen_of(lesson, at, tlb, seed, cpu, lab) if lesson is not None else None

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
        lab: Path | None = None,
    ) -> LessonScreen:
        record = Record(self._store, lesson) if self._store is not None else None
        return LessonScreen(lesson, at, tlb, seed, cpu, record, lab)

    def on_mount(self) -> None:
        """The lesson or the course is the only screen."""
        self.push_screen(self._lesson_screen or self._course_screen())

    # -- looks ----------------------------------------------------------------------------------------------------

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our colours' names, for whatever theme the palette sets."""
        return variables("dark")

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Where the terminal has no UTF-8, plain letters stand for glyphs and frames."""
        return [*super().get_line_filters(), *self._filters_for_terminal]

    def _look(self, name: str) -> None:
        self._theme_name = name if name in NAMES else NAMES[0]
        use(self._theme_name)
        self.theme = f"pagewalk-{self._theme_name}"

    def action_theme(self) -> None:
        """From dark to light, or back; remembered."""
        name = NAMES[1 - NAMES.index(self._theme_name)]
        self._look(name)
        if self._store is not None:
            self._store.update(lambda progress: setattr(progress, "theme", name))
        for screen in self.screen_stack:
            restyle = getattr(screen, "restyle", None)
            if restyle is not None:
                restyle()
            for widget in screen.query("*"):
                widget.refresh()

    def action_export(self) -> None:
        """Save the screen as a picture and as text, and say where."""
        open_lesson = self._lesson_screen
        name = f"{open_lesson.lesson.id}-{open_lesson.step + 1}" if open_lesson is not None else "course"
        try:
            path = save_screen(name, self.picture(), text_rows(self.screen))
        except OSError as error:
            self.notify(f"not saved: {error}", severity="warning", markup=False)
            return
        self.notify(f"{path} and .txt", title="saved", timeout=8, markup=False)

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
        self._lesson_screen = self._screen_of(message.lesson, lab=Path(message.lesson.id))
        switch(self, self._lesson_screen)

    def on_lesson_screen_again(self, message: LessonScreen.Again) -> None:
        """The same lesson from its first step."""
        first = message.lesson.steps[0]
        settings = message.tlb, message.seed, message.cpu, message.lab
        self._lesson_screen = self._screen_of(message.lesson, first, *settings)
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
    lab: Path | None = None,
) -> int:
    """Show `lesson` on this terminal until the student leaves. LessonError if there is no step `at`."""
    app = PagewalkApp(lesson, at, tlb, seed or 0, cpu, store=ProgressStore(), lab=lab)
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
