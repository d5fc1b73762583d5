# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from emu.lesson.model import find_lesson
from tests.helpers.lesson_runs import failing_with, judge_quotations, student

pytestmark = pytest.mark.long

LESSON = find_lesson("neighbour")


def test_the_letters_words_are_quoted_exactly_and_marked():
    judge_quotations(
        LESSON, '"a new type of slab memory"', '"back in userspace"', '"a page or pages of kernel ram"'
    )


def test_what_the_student_sees_is_on_the_page():
    text = student(LESSON.id).text
    for expected in (
        "Step 7 of 7",
        "shared of process 2, never swapped",
        "error: user mode can reach a frame that is not a user's",
        '- +00 note      61 20 6b 65 79 20 6f 66  "a key of the kernel',
        '+ +00 note      21 21 21 21 21 21 21 21  "!!!!',
        "FRAME_TABLE of process 3",
        "0 lead anywhere",
        "zero=off               34    12      0",
        "29 of 29 checks hold; 11 of 15 points.",
    ):
        assert expected in text


@pytest.mark.parametrize(
    ("old", "new", "fails"),
    [
        pytest.param(
            'lab.boot("leaker", memory_mib=8, switches={"ukshm.zero": OFF})',
            'lab.boot("leaker", memory_mib=8)',
            [],
            id="fresh pages that are cleared leave nothing to look at",
        ),
        pytest.param(
            '"page_exclusive=off": {"ukshm.page_exclusive": OFF}',
            '"page_exclusive=off": {}',
            ["on a page with others, it shows the kernel's key"],
            id="a packet on a page of its own",
        ),
        pytest.param(
            'setup(lab: Lab) -> None:\n    lab.boot("spy", memory_mib=8)\n',
            'setup(lab: Lab) -> None:\n    lab.boot("spy", memory_mib=8, switches={"ukshm.page_exclusive": OFF})\n',
            [
                "the buffer begins where the page begins",
                "there was not one byte on it that was not zero",
                "the checker finds nothing wrong with the page tables",
            ],
            id="a page with others from the beginning",
        ),
    ],
)
def test_checks_fail_under_another_switch(tmp_path: Path, old: str, new: str, fails: list[str]):
    assert set(fails) <= failing_with(LESSON, tmp_path, old, new, fails)
