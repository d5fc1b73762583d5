# SPDX-License-Identifier: GPL-2.0-or-later
"""What every lesson must do; what is one lesson's own stands in a file of its name."""

import re
from pathlib import Path

import pytest

from emu.lesson.golden import check_golden
from emu.lesson.model import Lesson, course
from emu.lesson.scenario import load_scenario
from tests.helpers.lesson_runs import GEOMETRIES, as_text, geometry, judge, student

QUICK = ("walk", "demand", "share", "overrun")
"""Lessons that a fast run of the tests takes through too."""


def lessons() -> list[object]:
    return [
        pytest.param(lesson, id=lesson.id, marks=[] if lesson.id in QUICK else [pytest.mark.long])
        for lesson in course()
    ]


@pytest.mark.parametrize("lesson", lessons())
def test_a_lesson_holds_what_it_says_marks_answers_and_does_as_its_golden_trace_says(lesson: Lesson) -> None:
    sat = student(lesson.id)
    judge(lesson, sat.run)
    lines = sat.text.splitlines()
    assert max(len(line) for line in lines if not line.startswith("Your answer")) <= 80
    assert lines[-1] == f"{sat.right} of {sat.right + sat.wrong} questions answered right."
    assert sat.text.count("No. Answer:") == sat.wrong > 0
    assert check_golden(lesson, sat.golden) is None, "the golden trace was made with nobody there to answer"


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
