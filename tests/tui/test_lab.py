# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab on screen: a save is compiled and checked while the lesson stays open."""

import asyncio
import shutil
from pathlib import Path

import pytest

from emu.lesson.lab_folder import SOLUTION, STARTER, make_lab
from emu.lesson.model import Lesson, find_lesson, load_lesson
from emu.tui.app import PagewalkApp
from emu.tui.screens.lesson import LessonScreen

FILE = "kernel/ukshm_unmap.c"
SCENARIO = """\
from emu.lesson import Lab, step

def setup(lab):
    lab.boot("hello")

@step("before", points=1)
def before(lab):
    lab.expect(True, "something came before")

@step("mend", points=1, lab=True)
def mend(lab):
    lab.boot("stale")
    lab.run_to_exit()
    lab.expect("DAMAGE" not in lab.console, "no damage")
"""
PROSE = "# A lab\n\nWords.\n\n## Step: before\n\nWords.\n\n## Step: mend\n\nWords.\n"


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    """A lesson that is a lab and little else, with the starter and solution of "stale"."""
    stale, folder = find_lesson("stale"), tmp_path / "lesson"
    folder.mkdir()
    text = (stale.folder / "lesson.toml").read_text().replace("points = 21", "points = 2")
    (folder / "lesson.toml").write_text(text)
    (folder / "lesson.md").write_text(PROSE)
    (folder / "scenario.py").write_text(SCENARIO)
    for part in (STARTER, SOLUTION):
        shutil.copytree(stale.folder / part, folder / part)
    return load_lesson(folder)


async def checked(screen: LessonScreen, *wanted: tuple[str, bool]) -> None:
    """Wait until the lab's page has just these checks."""
    for _ in range(6000):
        checks = [(c.message, c.holds) for c in screen.steps[1].page.items if hasattr(c, "holds")]
        if checks == list(wanted) and not screen.busy:
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"the page has {checks}")


@pytest.mark.long
async def test_each_save_is_checked_again_and_a_compile_error_is_shown(
    lesson: Lesson, tmp_path: Path
) -> None:
    pytest.importorskip("ziglang", reason="compiling the lab needs pagewalk[guest]")
    app, lab = PagewalkApp(lesson, lab=tmp_path / "mine"), tmp_path / "mine"
    async with app.run_test(size=(120, 36)) as pilot:
        await app.settled()
        await pilot.press("right_square_bracket")
        screen = app.lesson_screen
        await checked(screen)
        assert any("pagewalk lab stale" in str(item) for item in screen.steps[1].page.items)
        make_lab(lesson, lab)
        await checked(screen, ("your kernel compiles", True), ("no damage", False))
        text = (lab / FILE).read_text()
        (lab / FILE).write_text(text.replace("*entry = 0;", "*entry = 0"))
        await checked(screen, ("your kernel compiles", False))
        assert any(f"{FILE}:18:" in str(item) for item in screen.steps[1].page.items)
        shutil.copyfile(lesson.folder / SOLUTION / FILE, lab / FILE)
        await checked(screen, ("no damage", True))
        assert screen.step == 1 and screen.past is not None
        await pilot.press("left_square_bracket")
        await app.settled()
        assert screen.step == 0 and screen.steps[0].page.done
