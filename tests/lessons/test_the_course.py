# SPDX-License-Identifier: GPL-2.0-or-later
"""What every lesson must do; what is one lesson's own stands in a file of its name."""

import re
from pathlib import Path

import pytest

from emu.lesson.model import Lesson, course
from emu.lesson.run import run_lesson
from emu.lesson.scenario import load_scenario
from tests.helpers.lesson_runs import GEOMETRIES, as_text, geometry, judge, score, whole

QUICK = ("walk", "demand", "share")
"""Lessons that a fast run of the tests takes through too."""


def lessons() -> list[object]:
    """All but the model lesson, whose tests are the model's too."""
    return [
        pytest.param(lesson, id=lesson.id, marks=[] if lesson.id in QUICK else [pytest.mark.long])
        for lesson in course()
        if lesson.id != "overrun"
    ]


@pytest.mark.parametrize("lesson", lessons())
def test_a_lesson_holds_what_it_says_and_marks_answers(lesson: Lesson) -> None:
    run = whole(run_lesson(lesson))
    judge(lesson, run)
    count = sum(len(done.page.questions) for done in run.done)
    assert score(lesson, run, right=True) == f"{count} of {count} questions answered right."
    assert score(lesson, run, right=False) == f"0 of {count} questions answered right."


@pytest.mark.nightly
@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("lesson", lessons())
def test_its_checks_hold_with_any_tlb(lesson: Lesson, name: str, tmp_path: Path) -> None:
    text = as_text(lesson, geometry(name, tmp_path))
    assert max(map(len, text.splitlines())) <= 80
    assert "✗ lessons" not in text
    told = re.fullmatch(r"(\d+) of (\d+) checks hold; (\d+) of (\d+) points.", text.splitlines()[-1])
    assert told is not None and told[1] == told[2] and told[4] == str(lesson.points)
    assert int(told[3]) == sum(step.points for step in load_scenario(lesson).steps if not step.lab)
