# SPDX-License-Identifier: GPL-2.0-or-later
"""The list of lessons, and coming back to where one stopped."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from emu.lesson.model import Lesson
from emu.lesson.progress import ProgressStore
from emu.lesson.record import Record, lesson_key
from emu.tui.app import PagewalkApp
from emu.tui.course import course_rows, where_stopped
from emu.tui.screens.confirm import ConfirmScreen
from emu.tui.screens.course import CourseScreen
from emu.tui.screens.help import HelpScreen
from emu.tui.screens.lesson import LessonScreen
from tests.tui.conftest import HERE, Sit, looks_as_it_did

NAMES = {
    "walk": ("One walk: from a linear address to a byte", 45, ()),
    "tlb": ("Hits, misses, reach", 40, ("walk",)),
    "rights": ("Who may: user, write, execute", 60, ("walk",)),
    "small": ("A small lesson for the screen's tests", 1, ("walk", "tlb")),
    "verdict": ("Was he right? Copy, map or ring: the measured answer, and what came after", 60, ("rights",)),
}


@pytest.fixture
def lessons(small_lesson: Lesson) -> list[Lesson]:
    return [
        replace(
            small_lesson, id=id, title=title, minutes=minutes, needs=needs, folder=HERE / "lesson" / ".." / id
        )
        if id != "small"
        else replace(small_lesson, needs=needs)
        for id, (title, minutes, needs) in NAMES.items()
    ]


Open = Callable[..., AbstractAsyncContextManager[tuple[PagewalkApp, Pilot[None]]]]


@pytest.fixture
def opened(lessons: list[Lesson], tmp_path: Path) -> Open:
    """The course on screen, with a progress file of its own."""

    @asynccontextmanager
    async def sat(size: tuple[int, int] = (120, 36)) -> AsyncIterator[tuple[PagewalkApp, Pilot[None]]]:
        app = PagewalkApp(lessons=lessons, store=ProgressStore(tmp_path))
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            yield app, pilot

    return sat


def text_of(app: PagewalkApp) -> str:
    """What the list and the details say."""
    assert isinstance(app.screen, CourseScreen)
    listed = app.screen.query_one(OptionList)
    rows = [str(option.prompt) for option in listed.options]
    return "\n".join([*rows, str(app.screen.query_one("#details-text").render())])


def take(lesson: Lesson, folder: Path, steps: int) -> None:
    """Let `steps` steps of a lesson be done."""
    record = Record(ProgressStore(folder), lesson)
    for step in lesson.steps[:steps]:
        record.begin(step)
        record.finish(step, ())


async def test_the_course_lists_every_lesson_with_its_progress(
    opened: Open, lessons: list[Lesson], tmp_path: Path
) -> None:
    take(lessons[0], tmp_path, 3)
    take(lessons[1], tmp_path, 1)
    async with opened() as (app, _):
        text = text_of(app)
        assert all(lesson.id in text for lesson in lessons)
        assert "✓ walk" in text and "▸ tlb" in text and "· rights" in text
        assert "you stopped at step 1, shared" in text, "the cursor stands on the lesson begun last"


@pytest.mark.parametrize(("done", "stands"), [((), 0), ((3,), 1), ((3, 2), 1), ((3, 3, 3, 3, 3), 4)])
def test_the_cursor_stands_where_the_student_stopped(
    done: tuple[int, ...], stands: int, lessons: list[Lesson], tmp_path: Path
) -> None:
    for lesson, steps in zip(lessons, done, strict=False):
        take(lesson, tmp_path, steps)
    progress = ProgressStore(tmp_path).progress
    assert where_stopped(course_rows(lessons, progress), progress) == stands


async def test_a_lesson_says_which_lessons_to_take_before(opened: Open) -> None:
    async with opened() as (app, pilot):
        await pilot.press("j", "j", "j")
        assert "better after: walk, tlb" in text_of(app)
        await pilot.press("k")
        assert "better after: walk\n" in text_of(app)


async def test_enter_opens_a_lesson_and_l_comes_back_with_its_progress(opened: Open) -> None:
    async with opened() as (app, pilot):
        await pilot.press("down", "down", "down", "enter")
        await app.settled()
        await pilot.pause()
        assert isinstance(app.screen, LessonScreen)
        assert app.lesson_screen.lesson.id == "small"
        worker = app.lesson_screen.teacher._thread
        await pilot.press("right_square_bracket")
        await app.settled()
        await pilot.press("L")
        await pilot.pause()
        assert "small         A small" in text_of(app)
        assert "1 of 3" in text_of(app)
        assert "stopped at step 2" in text_of(app)
        worker.join(5)
        assert not worker.is_alive(), "the lesson's worker ended with its screen"


async def test_a_reset_asks_first(opened: Open, lessons: list[Lesson], tmp_path: Path) -> None:
    take(lessons[0], tmp_path, 1)
    async with opened() as (app, pilot):
        await pilot.press("R")
        assert isinstance(app.screen, ConfirmScreen)
        await pilot.press("n")
        await pilot.pause()
        assert "▸ walk" in text_of(app)
        await pilot.press("R", "y")
        await pilot.pause()
        assert "· walk" in text_of(app)
    assert Record(ProgressStore(tmp_path), lessons[0]).step is None


async def test_help_opens_from_the_list_and_q_leaves(opened: Open) -> None:
    async with opened() as (app, pilot):
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("escape", "q")
        await pilot.pause()
        assert not app.is_running


async def test_a_damaged_progress_file_is_told_on_screen(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "progress.json").write_text("{", "utf-8")
    async with opened() as (app, pilot):
        await pilot.pause()
        assert any("kept as progress.damaged-1.json" in n.message for n in app._notifications)


async def test_a_small_terminal_is_told_the_size_it_has_and_a_larger_one_gets_the_list(opened: Open) -> None:
    async with opened((70, 20)) as (app, pilot):
        told = str(app.screen.query_one("#too-small").render())
        assert "at least 80 x 24" in told and "70 x 20" in told
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert app.screen.query_one(OptionList).display
        assert not app.screen.has_class("tiny")


# -- one lesson, taken up again ---------------------------------------------------------------------------------------


async def test_a_lesson_goes_on_where_it_was_left(sit: Sit, tmp_path: Path) -> None:
    async with sit(store=ProgressStore(tmp_path)) as sitting:
        await sitting.press("]", "a", "]")
        here, console = sitting.at, sitting.text("console")
    async with sit(store=ProgressStore(tmp_path)) as sitting:
        assert sitting.screen.step == 2
        assert (sitting.at, sitting.text("console")) == (here, console)
        assert sitting.screen.steps[1].answers == [0], "the answer given then stands on its page"
        await sitting.press("[")
        assert "✗ a)" in sitting.text("lesson")


async def test_a_question_left_open_is_open_again(sit: Sit, tmp_path: Path) -> None:
    for _ in range(2):
        async with sit(store=ProgressStore(tmp_path)) as sitting:
            if sitting.screen.step == 0:
                await sitting.press("]")
            assert sitting.screen.step == 1
            assert sitting.screen.state.page.open is not None


async def test_at_asks_again_and_the_new_answer_counts(
    sit: Sit, tmp_path: Path, small_lesson: Lesson
) -> None:
    key = lesson_key(small_lesson)
    async with sit(store=ProgressStore(tmp_path)) as sitting:
        await sitting.press("]", "a")
    assert ProgressStore(tmp_path).progress.lessons[key].right == 0
    async with sit(at="past-the-end", store=ProgressStore(tmp_path)) as sitting:
        assert sitting.screen.state.page.open is not None
        await sitting.press("c")
    assert ProgressStore(tmp_path).progress.lessons[key].right == 1


async def test_a_lesson_begins_again_after_asking(sit: Sit, tmp_path: Path, small_lesson: Lesson) -> None:
    async with sit(store=ProgressStore(tmp_path)) as sitting:
        await sitting.press("]", "a", "R")
        assert isinstance(sitting.app.screen, ConfirmScreen)
        await sitting.pilot.press("escape")
        assert sitting.screen.step == 1
        await sitting.press("R", "y")
        await sitting.pilot.pause()
        await sitting.app.settled()
        assert sitting.screen.step == 0
    one = ProgressStore(tmp_path).progress.lessons[lesson_key(small_lesson)]
    assert (one.step, one.asked) == (small_lesson.steps[0], 0)


async def test_a_lesson_from_the_command_line_can_go_to_the_list(sit: Sit, tmp_path: Path) -> None:
    async with sit(boots=False, store=ProgressStore(tmp_path)) as sitting:
        await sitting.pilot.press("L")
        await sitting.pilot.pause()
        assert isinstance(sitting.app.screen, CourseScreen)


async def test_the_course_looks_as_it_did(
    opened: Open, lessons: list[Lesson], tmp_path: Path, same_picture: Callable[[str, str], None]
) -> None:
    take(lessons[0], tmp_path, 3)
    take(lessons[1], tmp_path, 2)
    async with opened() as (app, pilot):
        await looks_as_it_did(app, pilot, "course", same_picture)


async def test_the_question_before_a_reset_looks_as_it_did(
    opened: Open, lessons: list[Lesson], tmp_path: Path, same_picture: Callable[[str, str], None]
) -> None:
    take(lessons[0], tmp_path, 1)
    async with opened() as (app, pilot):
        await pilot.press("R")
        await pilot.pause()
        await looks_as_it_did(app, pilot, "sure", same_picture)
