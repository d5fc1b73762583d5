# SPDX-License-Identifier: GPL-2.0-or-later
"""The application: one lesson on screen, or its screens as pictures."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import App

from emu.tui.commands import LessonCommands
from emu.tui.pictures import normal_svg
from emu.tui.screens.lesson import LessonScreen

if TYPE_CHECKING:
    from emu.lesson.model import Lesson

PICTURE_SIZE = (120, 36)


class PagewalkApp(App[None]):
    """Shows one lesson. LessonError if there is no step `at`."""

    CSS_PATH = "app.tcss"
    TITLE = "Pagewalk"
    COMMANDS = {LessonCommands}
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self,
        lesson: Lesson,
        at: str | None = None,
        tlb: str | None = None,
        seed: int = 0,
        cpu: str | None = None,
    ) -> None:
        super().__init__()
        self.lesson_screen = LessonScreen(lesson, at, tlb, seed, cpu)

    def on_mount(self) -> None:
        """The lesson is the only screen."""
        self.push_screen(self.lesson_screen)

    async def settled(self) -> None:
        """Wait until the worker waits and the cursor stands still."""
        while self.lesson_screen.busy and self.is_running and self.return_code in (None, 0):
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
    app = PagewalkApp(lesson, at, tlb, seed or 0, cpu)
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
