# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from emu.lesson.model import find_lesson
from emu.lesson.run import run_lesson
from tests.helpers.lesson_runs import failing, failing_with, judge_quotations, student, whole

LESSON = find_lesson("share")


def test_the_letters_words_are_quoted_exactly_and_marked():
    judge_quotations(
        LESSON,
        "simply negotiate an API with the program, and when needed it would map out a page or pages of kernel ram to a "
        "free page or set of pages of the userspace program's virtual ramspace (the program typically has 3G. This is "
        "NOT a problem).",
        "would be mapped into the process' ram space with page_table mappings, but also would be a part of the "
        "kernel's private ramspace.",
        '"the program typically has 3G. This is NOT a problem"',
        '"free page or set of pages"',
        '"a part of the kernel\'s private ramspace"',
    )


def test_without_pcids_smap_and_smep_too():
    assert failing(whole(run_lesson(LESSON, cpu="core2"))) == []


def test_what_the_student_sees_is_on_the_page():
    text = student(LESSON.id).text
    for expected in (
        "Step 7 of 7",
        "2: a stack that is the kernel's memory: error 14",
        "3: the same, but not as root: error 1",
        "2: when the list of areas is full: error 12",
        "0x0000_7000_0000_5000   2 pages  rw    ukshm",
        "the program stored   A D            none",
        "the kernel read      A D            A",
        "0x0000_7000_0000_5000 -> 0x",
        "2: a write to the window after the end: status 142",
        "35 of 35 checks hold; 14 of 14 points.",
    ):
        assert expected in text


@pytest.mark.parametrize(
    ("old", "new", "fails"),
    [
        pytest.param(
            'lab.boot("share")',
            'lab.boot("share", switches={"ukshm.guard": "off"})',
            [
                "behind it lies a guard page, which takes a place, too",
                "so it is the hole of three pages: the first that is large enough",
            ],
            id="no guard page",
        ),
        pytest.param(
            'lab.boot("share")',
            'lab.boot("share", switches={"ukshm.privileged": "off"})',
            ["and each came back with an error, not with an address", "nothing was mapped"],
            id="anybody may share pages",
        ),
        pytest.param(
            'lab.boot("share")',
            'lab.boot("share", switches={"ukshm.invalidate": "none"})',
            [
                "the entry was cleared and the translation dropped, then the frame was free",
            ],
            id="nothing is invalidated at the end",
        ),
        pytest.param(
            "    lab.invalidate(alias)\n",
            "",
            ["the kernel's read set A in the kernel's entry alone"],
            id="the kernel's translation stays in the TLB when A and D are taken away",
        ),
    ],
)
def test_checks_fail_under_another_switch(tmp_path: Path, old: str, new: str, fails: list[str]):
    assert set(fails) <= failing_with(LESSON, tmp_path, old, new, fails)
