# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of all lessons have in common: running one to its end, planting an error, judging what must hold."""

import io
import shutil
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from emu.lesson.golden import GoldenWatch
from emu.lesson.model import Lesson, find_lesson, load_lesson
from emu.lesson.pages import LETTERS
from emu.lesson.plain import print_lesson
from emu.lesson.run import LessonRun, run_lesson

GEOMETRIES = ("pentium3", "zen2", "tiny")
_TINY = """\
name = "tiny"
source = "a test"
confidence = "assumed"
[[array]]
level = 1
serves = "both"
page_sizes = ["4K"]
entries = 8
ways = 8
"""
ASKS_NOTHING = ("the-last-byte",)
MARK = "john moser, 2003-12-07"


def geometry(name: str, folder: Path) -> str:
    """A geometry by its name; "tiny" is one of eight entries in all, written into `folder`."""
    if name != "tiny":
        return name
    path = folder / "tiny.toml"
    path.write_text(_TINY)
    return str(path)


def whole(run: LessonRun) -> LessonRun:
    """The run, run to its end."""
    for _ in run:
        pass
    return run


def failing(run: LessonRun) -> list[str]:
    """The messages of the checks that do not hold in a run that nothing has broken off."""
    assert run.error is None, run.error
    return _failed(run)


def _failed(run: LessonRun) -> list[str]:
    return [check.message for done in run.done for check in done.page.checks if not check.holds]


def planted(lesson: Lesson, tmp_path: Path, old: str, new: str) -> LessonRun:
    """The lesson with one piece of its scenario changed, before its first step."""
    folder = tmp_path / lesson.folder.name
    shutil.copytree(lesson.folder, folder)
    scenario = folder / "scenario.py"
    text = scenario.read_text()
    assert text.count(old) == 1, f"{text.count(old)} places for {old!r}"
    scenario.write_text(text.replace(old, new))
    return run_lesson(load_lesson(folder))


def failing_with(lesson: Lesson, tmp_path: Path, old: str, new: str, fails: Iterable[str]) -> set[str]:
    """The checks that fail when one piece of the scenario is another; it may break off behind them.

    It runs no further than until all of `fails` have failed.
    """
    run = planted(lesson, tmp_path, old, new)
    for _ in run:
        if set(fails) <= set(_failed(run)):
            break
    assert not run.passed
    return set(_failed(run))


def as_text(lesson: Lesson, tlb: str | None = None) -> str:
    """The whole lesson as text, with the answers."""
    out = io.StringIO()
    assert print_lesson(lesson, out, tlb=tlb, answers=True), out.getvalue()[-2000:]
    return out.getvalue()


def judge(lesson: Lesson, run: LessonRun) -> None:
    """What must hold of every lesson that has been run without answers."""
    assert failing(run) == []
    assert run.passed
    labs = [done for done in run.done if done.step.lab]
    assert run.points == lesson.points - sum(done.step.points for done in labs)
    for done in run.done:
        if done in labs:
            assert done.idle and not done.page.questions
            continue
        messages = [check.message for check in done.page.checks]
        assert messages, f"step {done.step.id} checks nothing"
        assert len(set(messages)) == len(messages), done.step.id
        assert done.page.questions or done.step.id in ASKS_NOTHING, f"step {done.step.id} asks nothing"
        for question in done.page.questions:
            assert 0 <= question.answer < len(question.choices)
            assert len(set(question.choices)) == len(question.choices)
            assert question.hint
    prose = (lesson.folder / "lesson.md").read_text()
    assert [line for line in prose.splitlines() if len(line) > 80] == []
    assert "## Try this yourself" in prose


def judge_quotations(lesson: Lesson, *quoted: str) -> None:
    """Each of the letter's sentences stands in the prose exactly so, and near its author and date."""
    prose = " ".join((lesson.folder / "lesson.md").read_text().replace("> ", "").split())
    for words in quoted:
        place = prose.index(words)
        assert MARK in prose[place : place + len(words) + 400], words


class Student:
    """Sits before a lesson in plain text, and answers every other question wrong; what came of it is kept.

    `golden` is what a run that was answered so did, in normal form.
    """

    def __init__(self, lesson: Lesson) -> None:
        out = io.StringIO()
        self.right = self.wrong = 0
        self._run: LessonRun | None = None
        print_lesson(lesson, out, ask=True, read=self._answer, begun=self._begin)
        self.text = out.getvalue()
        self.golden = self._watch.lines()

    def _begin(self, run: LessonRun) -> None:
        self._run, self._watch = run, GoldenWatch(run)

    @property
    def run(self) -> LessonRun:
        """The run, as it stands."""
        assert self._run is not None
        return self._run

    def _answer(self) -> str:
        question = self.run.lab.page.questions[-1]
        wrong = self.right > self.wrong
        self.wrong, self.right = self.wrong + wrong, self.right + (not wrong)
        return f"{LETTERS[(question.answer + wrong) % len(question.choices)]}\n"


@lru_cache(maxsize=2)
def student(name: str) -> Student:
    """A student who has sat through the lesson of that name."""
    return Student(find_lesson(name))
