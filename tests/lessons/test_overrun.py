# SPDX-License-Identifier: GPL-2.0-or-later
import io
from pathlib import Path

import pytest

from emu.lesson.model import find_lesson
from emu.lesson.plain import print_lesson
from emu.lesson.run import LessonRun
from tests.helpers.lesson_runs import failing_with, judge_quotations, planted, student, whole

LESSON = find_lesson("overrun")


@pytest.fixture(scope="module")
def run() -> LessonRun:
    return student("overrun").run


def test_every_question_comes_before_what_answers_it(run: LessonRun):
    first = run.done[0].page.items
    question = next(i for i, item in enumerate(first) if item in run.done[0].page.questions)
    walk = next(i for i, item in enumerate(first) if type(item).__name__ == "WalkView")
    assert question < walk


def test_the_letters_words_are_quoted_exactly_and_marked():
    judge_quotations(
        LESSON,
        'if the process "walked" past the end of the chunk of kernelspace ram allocated for its purpose, it would '
        "wind up back in userspace, with no kernel-level checking needed",
        '"part of the kernel\'s private ramspace"',
        '"faults accross its boundary"',
        '"no kernel-level checking"',
        '"handled automatically by the CPU"',
        '"a page or pages of kernel ram"',
        '"a new type of slab memory"',
    )


def test_what_the_student_sees_is_on_the_page():
    text = student("overrun").text
    for expected in (
        "Step 8 of 8",
        "2: killed: page fault at 0x0000_7000_0000_4000",
        "2: still alive: 16 bytes of my own data are lost",
        "damage: the kernel's own packet queue",
        "has P = 0 (value 0x0)",
        "written by fill_window (ring 3)",
        "written by the page walk (A and D bits)",
        '- +00 name      65 74 68 30 2d 74 78 00  "eth0-tx"',
        "+ +08 transmit  55 55 55 55 55 55 55 55  0x5555_5555_5555_5555",
        "= +10 head ",
        "36 of 36 checks hold; 14 of 14 points.",
    ):
        assert expected in text


def test_as_text_it_is_the_same_bytes_every_time():
    texts: list[str] = []
    for _ in range(2):
        out = io.StringIO()
        print_lesson(LESSON, out)
        texts.append(out.getvalue())
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("old", "new", "fails"),
    [
        pytest.param(
            'lab.boot("overrun", switches={"ukshm.guard": "off"})',
            'lab.boot("overrun", switches={"ukshm.guard": "off", "ukshm.map": "kernel_range"})',
            [
                "the program's own data lies directly behind the window",
                "16 bytes of the program's own data are lost",
                "no instruction in ring 3 wrote to a frame of the kernel",
                "with a window of its own frames, the overrun never reached the kernel",
            ],
            id="the naive design where the program's own data should be",
        ),
        pytest.param(
            'lab.boot("overrun", switches={"ukshm.map": "kernel_range"})',
            'lab.boot("overrun", "0", switches={"ukshm.map": "kernel_range"})',
            [
                "among them the pointer to a function that the kernel calls",
                "the kernel finds the damage, too late",
            ],
            id="no byte too many in the naive design",
        ),
    ],
)
def test_checks_fail_under_another_switch(tmp_path: Path, old: str, new: str, fails: list[str]):
    assert set(fails) <= failing_with(LESSON, tmp_path, old, new, fails)


def test_a_run_that_never_faults_breaks_off_in_one_line(tmp_path: Path):
    run = whole(
        planted(
            LESSON, tmp_path, 'lab.boot("overrun")', 'lab.boot("overrun", switches={"ukshm.guard": "off"})'
        )
    )
    assert run.error is not None
    assert "step 'the-last-byte' broke off" in run.error
    assert "did not come: the guest ended in order" in run.error
    assert not run.passed
