# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from emu.lesson.model import find_lesson
from tests.helpers.lesson_runs import failing_with, judge_quotations, student

pytestmark = pytest.mark.long

LESSON = find_lesson("killed")


def test_the_letters_words_are_quoted_exactly_and_marked():
    judge_quotations(
        LESSON,
        "IN THE EVENT that the connected process is KILLED, the kernel will in this excorcise simply deny all "
        "networking (your firewall is dead, what the heck do you want it to do?) until further notice.",
        '"we do NOT want that to take down the kernel (the current implimentation will)"',
        '"simply deny all networking"',
        '"The targets would exist exactly as they are now, in kernelspace"',
    )


def test_what_the_student_sees_is_on_the_page():
    text = student(LESSON.id).text
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


@pytest.mark.nightly
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
    assert set(fails) & failing_with(LESSON, tmp_path, old, new, fails)
