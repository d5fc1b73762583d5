# SPDX-License-Identifier: GPL-2.0-or-later
"""A lesson on a screen that nobody sees, and the comparison of its pictures with those on disk."""

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import ModuleType

import pytest
from textual.pilot import Pilot
from textual.widgets import Input
from textual.widgets._footer import FooterKey

from emu.lesson.model import Lesson, load_lesson
from emu.lesson.progress import ProgressStore
from emu.tui.app import PagewalkApp
from emu.tui.screens.lesson import LessonScreen
from emu.tui.widgets.title import TitleLine

HERE = Path(__file__).parent
SIZES = {"80x24": (80, 24), "120x36": (120, 36), "160x48": (160, 48)}


class Sitting:
    """A student at the small lesson: presses keys, and waits until everything stands still."""

    def __init__(self, app: PagewalkApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def screen(self) -> LessonScreen:
        return self.app.lesson_screen

    @property
    def at(self) -> tuple[int, int]:
        assert self.screen.past is not None
        return tuple(self.screen.past.at)

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press({"]": "right_square_bracket", "[": "left_square_bracket"}.get(key, key))
            await self.pilot.pause()  # a dialogue that closes tells its result a moment later
            await self.app.settled()
        await self.pilot.pause()

    def text(self, panel: str) -> str:
        from emu.tui.widgets.panel import Panel

        return self.screen.query_one(f"#{panel}", Panel).render().plain

    @property
    def title(self) -> str:
        """The first line of the screen."""
        return self.screen.query_one("#title", TitleLine).render().plain

    def picture(self) -> str:
        return self.app.picture()

    async def looks_as_it_did(self, name: str, same_picture: Callable[[str, str], None]) -> None:
        await looks_as_it_did(self.app, self.pilot, name, same_picture)


def held(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str) -> threading.Event:
    """Let a function that works in a thread begin only when the event is set.

    What it does may take less time than a key press on a busy machine.
    """
    begins, works = threading.Event(), getattr(module, name)

    def patient(*arguments: object) -> object:
        begins.wait(60)
        return works(*arguments)

    monkeypatch.setattr(module, name, patient)
    return begins


Sit = Callable[..., AbstractAsyncContextManager[Sitting]]


@pytest.fixture(scope="session")
def small_lesson() -> Lesson:
    return load_lesson(HERE / "lesson")


@pytest.fixture
def sit(small_lesson: Lesson) -> Sit:
    """Opens the small lesson at a size, its machine booted unless `boots` is False."""

    @asynccontextmanager
    async def opened(
        size: tuple[int, int] = (120, 36),
        boots: bool = True,
        lesson: Lesson = small_lesson,
        at: str | None = None,
        store: ProgressStore | None = None,
    ) -> AsyncIterator[Sitting]:
        app = PagewalkApp(lesson, at=at, store=store)
        if not boots:
            app.lesson_screen.teacher.start = lambda: None
        async with app.run_test(size=size) as pilot:
            if boots:
                await app.settled()
            while not app.screen.query(FooterKey):  # it is filled a moment after the rest
                await pilot.pause(0.01)
            await pilot.pause()
            yield Sitting(app, pilot)

    return opened


async def looks_as_it_did(
    app: PagewalkApp, pilot: Pilot[None], name: str, same_picture: Callable[[str, str], None]
) -> None:
    """Compare what is on screen at every size, in the dark theme and in the light one."""
    for field in app.screen.query(Input):
        field.cursor_blink = False
    for suffix in ("", "-light"):
        for label, size in SIZES.items():
            await pilot.resize_terminal(*size)
            await pilot.pause()
            same_picture(f"{name}-{label}{suffix}", app.picture())
        app.action_theme()
        await pilot.pause()


@pytest.fixture
def same_picture(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str, str], None]:
    """Compares a picture with the one on disk; with --update-pictures writes it instead."""

    def compare(name: str, svg: str) -> None:
        path = HERE / "pictures" / f"{name}.svg"
        if request.config.getoption("--update-pictures"):
            path.write_text(svg, "utf-8")
            return
        assert path.is_file(), f"no picture {path}: make it with --update-pictures, then look at it"
        if path.read_text("utf-8") != svg:
            new = tmp_path / path.name
            new.write_text(svg, "utf-8")
            pytest.fail(
                f"the screen looks different: compare {path} with {new}; --update-pictures accepts it"
            )

    return compare
