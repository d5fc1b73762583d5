# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from emu.lesson.model import find_lesson
from emu.lesson.run import LessonRun, run_lesson
from tests.helpers.lesson_runs import (
    GEOMETRIES,
    as_text,
    failing,
    geometry,
    judge,
    judge_quotations,
    planted,
    score,
    whole,
)

pytestmark = pytest.mark.long

LESSON = find_lesson("killed")


@pytest.fixture(scope="module")
def run() -> LessonRun:
    return whole(run_lesson(LESSON))


def test_the_lesson_holds_what_it_says(run: LessonRun):
    judge(LESSON, run)


def test_the_letters_words_are_quoted_exactly_and_marked():
    judge_quotations(
        LESSON,
        "IN THE EVENT that the connected process is KILLED, the kernel will in this excorcise simply deny all "
        "networking (your firewall is dead, what the heck do you want it to do?) until further notice.",
        '"we do NOT want that to take down the kernel (the current implimentation will)"',
        '"simply deny all networking"',
        '"The targets would exist exactly as they are now, in kernelspace"',
    )


@pytest.mark.nightly
@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_checks_hold_with_every_tlb(tmp_path: Path, name: str):
    assert failing(whole(run_lesson(LESSON, tlb=geometry(name, tmp_path)))) == []


def test_as_text_it_is_complete_and_fits_80_columns():
    text = as_text(LESSON)
    assert max(map(len, text.splitlines())) <= 80
    for expected in (
        "Step 6 of 6",
        "2: the firewall has ended with status 134",
        "0 of them by ring 3",
        "an answer from outside                       dropped: dead",
        f"UDP {'203.0.113.9:53'} > 10.0.0.2:3001",
        "forbidden, being judged                      sent",
        "26 of 26 checks hold; 12 of 12 points.",
    ):
        assert expected in text


def test_all_answers_right_and_all_wrong_are_told(run: LessonRun):
    assert score(LESSON, run, right=True) == "9 of 9 questions answered right."
    assert score(LESSON, run, right=False) == "0 of 9 questions answered right."


@pytest.mark.parametrize(
    ("old", "new", "fails"),
    [
        pytest.param(
            'start(lab, firewall__dead="allow")',
            'start(lab, firewall__dead="deny")',
            ["the packet in flight passed, judged by nobody", "and everything behind it"],
            id="the counter-example without its switch",
        ),
        pytest.param(
            "def setup(lab: Lab) -> None:\n    start(lab)",
            'def setup(lab: Lab) -> None:\n    start(lab, firewall__dead="allow")',
            [
                "the packet in its hands and those in the queue: all dropped",
                "in, out, through and back: all four were dropped",
            ],
            id="fail open from the beginning",
        ),
    ],
)
def test_checks_fail_under_another_switch(tmp_path: Path, old: str, new: str, fails: list[str]):
    run = planted(LESSON, tmp_path, old, new)
    failed = [check.message for done in run.done for check in done.page.checks if not check.holds]
    assert set(fails) & set(failed)
