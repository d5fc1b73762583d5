# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from emu.lesson.model import find_lesson
from emu.lesson.run import run_lesson
from tests.helpers.lesson_runs import failing, judge_quotations, planted, student, whole

pytestmark = pytest.mark.long

LESSON = find_lesson("swap")


def test_the_letters_words_are_quoted_exactly_and_marked():
    judge_quotations(
        LESSON,
        '"scattered accross ram or even not even in ram but on disk in swap"',
        "The major issue here is that this kind of page_table mapping must be noted down so that it is NOT SWAPPED.",
        '"request the operating system"',
        '"noted down"',
    )


@pytest.mark.nightly
def test_without_pcids_too():
    assert failing(whole(run_lesson(LESSON, cpu="core2"))) == []


@pytest.mark.nightly
def test_what_the_student_sees_is_on_the_page():
    text = student(LESSON.id).text
    for expected in (
        "Step 7 of 7",
        "promised by mmap ",
        "found A set in ",
        "of which 16 are the reserve",
        "the device disk read 4096 bytes from frame",
        "the device disk wrote 4096 bytes into frame",
        "shared of process 2, never swapped",
        "2: the kernel reads the shared page: as before",
        "2: the kernel reads the shared page: OTHER BYTES THAN BEFORE",
        "the last answer was -12",
        "killed: out of memory",
        "39 of 39 checks hold; 14 of 14 points.",
    ):
        assert expected in text


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("old", "new", "fails"),
    [
        pytest.param(
            "    boot_swapper(lab, {})\n",
            '    boot_swapper(lab, {"ukshm.swap_exempt": "off"})\n',
            [],
            id="the mark is left out in the first run",
        ),
        pytest.param(
            'boot_swapper(lab, {"ukshm.swap_exempt": "off"})',
            "boot_swapper(lab, {})",
            [
                "the shared page was swapped out like any other",
                "the program's entry has P = 0",
                "and the frame is an ordinary page of a program's by now",
                "there are other bytes in it",
                "the kernel has read them",
            ],
            id="the mark is kept in the second run",
        ),
        pytest.param(
            '    lab.boot("hoard", "28", memory_mib=MEMORY_MIB)\n',
            '    lab.boot("hoard", "28", memory_mib=MEMORY_MIB, switches={"ukshm.limit": "4000"})\n',
            ["the hook has counted that", "and a child with ordinary memory ran to its end"],
            id="no limit in the first run",
        ),
        pytest.param(
            "    lab.notes.left = lab.value",
            "    lab.flip(lab.walk(sample_of(lab)).rows[-1], 5)\n    lab.notes.left = lab.value",
            ["a page in the middle had A = 1: the program had written to it"],
            id="a page's A is taken away before the hand comes",
        ),
    ],
)
def test_checks_fail_under_another_switch(tmp_path: Path, old: str, new: str, fails: list[str]):
    run = whole(planted(LESSON, tmp_path, old, new))
    failed = [check.message for done in run.done for check in done.page.checks if not check.holds]
    assert set(fails) <= set(failed)
    assert not run.passed
    assert fails or run.error is not None
