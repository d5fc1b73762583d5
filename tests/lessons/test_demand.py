# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from emu.lesson.model import find_lesson
from emu.lesson.run import run_lesson
from tests.helpers.lesson_runs import failing, failing_with, judge_quotations, student, whole

LESSON = find_lesson("demand")


def test_the_letters_words_are_quoted_exactly_and_marked():
    judge_quotations(
        LESSON,
        "a page fault would NOT find that entry in the TLB cache and would request the operating system to give it "
        "that page_table entry, which would cause the OS to swap the page in.",
    )


def test_without_pcids_smap_and_smep_too():
    assert failing(whole(run_lesson(LESSON, cpu="core2"))) == []


def test_what_the_student_sees_is_on_the_page():
    text = student(LESSON.id).text
    for expected in (
        "Step 8 of 8",
        "error 0x14 = fetch",
        "in the whole 512G that it covers: #PF",
        " translations",
        "page; no walk was made",
        "3: child: I read p, wrote c, and read c",
        "childs_write      a hit                yes",
        "45 of 45 checks hold; 15 of 15 points.",
    ):
        assert expected in text


@pytest.mark.parametrize(
    ("old", "new", "fails"),
    [
        pytest.param(
            "    lab.invalidate(memory)\n",
            '    lab.flip(lab.walk(memory).rows[-1], "P")\n    lab.invalidate(memory)\n',
            ["a TLB miss, and no page fault", "not one event of the whole store happened in ring 0"],
            id="the page of the third store is not present",
        ),
        pytest.param(
            "    dropped = lab.events",
            '    lab.flip(lab.walk(memory, PARENT).rows[-1], "RW")\n    dropped = lab.events',
            ["neither of them has R/W"],
            id="the parent keeps its right to write",
        ),
    ],
)
def test_checks_fail_when_something_else_happens(tmp_path: Path, old: str, new: str, fails: list[str]):
    assert set(fails) <= failing_with(LESSON, tmp_path, old, new, fails)
