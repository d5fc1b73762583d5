# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from emu.lesson.model import find_lesson
from emu.lesson.run import LessonRun, run_lesson
from tests.helpers.lesson_runs import failing, failing_with, judge_quotations, whole

pytestmark = pytest.mark.long

LESSON = find_lesson("netfs")


@pytest.fixture(scope="module")
def run() -> LessonRun:
    return whole(run_lesson(LESSON))


def test_the_letters_words_are_quoted_exactly_and_marked():
    judge_quotations(
        LESSON,
        "This would make things such as userspace netfiltering and userspace network filesystem drivers extremely "
        "feasable by effectively eliminating all data transfer overhead to and from the kernel in a secure and "
        "efficient manner.",
        '"effectively eliminating all data transfer overhead"',
        '"This should be nonblocking, as the program *may* crash"',
    )


def test_what_the_student_sees_is_on_the_page(run: LessonRun):
    text = "\n".join(
        "\n".join(item.lines()) for done in run.done for item in done.page.items if not isinstance(item, str)
    )
    for expected in (
        "2: cat: /net/office.rules: error -19",
        "6f 66 66 69 63 65 2e 72 75 6c 65 73 00 00 00 00  office.rules....",
        "(nobody)  eth1 has received 1070 bytes",
        "the answer is taken: 1514 bytes",
        "cat       read() gives 1514 bytes",
        "the kernel    the card, by DMA",
        "shared page   memcpy, ring 3",
        "copies by instructions           1         4",
        "when it has answered      nobody",
        "3: read 96 bytes",
        "the request for the first block was sent 5 times, word for word",
        "other words, as many bytes        1200",
        "2: netfs: the kernel does not take the answer 5000 to operation 1",
    ):
        assert expected in text, expected


@pytest.mark.nightly
def test_without_pcids_smap_and_smep_too():
    assert failing(whole(run_lesson(LESSON, cpu="core2"))) == []


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("old", "new", "fails"),
    [
        pytest.param(
            "switches=named",
            "switches={}",
            [
                "but nothing was dropped from any TLB before the reader gets its bytes",
                "after 20 ticks the kernel ended the call: ETIMEDOUT",
                "without that, the reader gets what the page held before",
            ],
            id="the counter-examples without their switches",
        ),
        pytest.param(
            "in change(name, answer)",
            "in honest(name, answer)",
            [
                "the driver gave up, and the reader was told: ETIMEDOUT",
                "what breaks the protocol is an error, and nothing of it is handed on",
                "an error of the server's is the reader's, also in the middle of a file",
                "and is printed",
            ],
            id="a server that always speaks and never lies",
        ),
        pytest.param(
            'asleep(lab, "off")',
            'asleep(lab, "4")',
            ["without a deadline the reader still waits, and would for ever"],
            id="a deadline of 80 ticks",
        ),
    ],
)
def test_checks_fail_when_the_run_is_another(tmp_path: Path, old: str, new: str, fails: list[str]):
    assert set(fails) <= failing_with(LESSON, tmp_path, old, new, fails)
