# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from emu.lesson.model import find_lesson
from emu.lesson.run import run_lesson
from tests.helpers.lesson_runs import failing, failing_with, judge_quotations, student, whole

pytestmark = pytest.mark.long

LESSON = find_lesson("upcall")


def test_the_letters_words_are_quoted_exactly_and_marked():
    judge_quotations(
        LESSON,
        "Then it would call a function in the userspace program to tell it where this ram is and what it wants done "
        "with it. I don't know if the concept of a kernel calling a function in a program has been thought of before, "
        "or if it is used now; if not, I will term this a \"reverse syscall\" for simplicity's sake, because that's "
        "what it is.",
        '"The kernel would simply negotiate an API with the program"',
        '"a free page or set of pages"',
        '"proper access privilages (root owned?)"',
        '"the program would perform its operations on the data, then initiate a syscall to the kernel to acknowledge '
        'its finished state"',
        '"This should be nonblocking, as the program *may* crash"',
    )


@pytest.mark.nightly
def test_without_pcids_smap_and_smep_too():
    assert failing(whole(run_lesson(LESSON, cpu="core2"))) == []


def test_what_the_student_sees_is_on_the_page():
    text = student(LESSON.id).text
    for expected in (
        "Step 8 of 8",
        "sysret back to handler, ring 3",
        "id 1, role 3, operation 0",
        "Dropped 2 translations (shared window in PCID 3)",
        "32 were answered, 8 were refused with error 105",
        "the kernel refused it with -110",
        "process 4 answers reverse syscall 1: 0 bytes",
        "touch    timed out   142 ",
        "52 of 52 checks hold; 16 of 16 points.",
    ):
        assert expected in text


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("old", "new", "fails"),
    [
        pytest.param(
            'lab.boot("upcall", "register", memory_mib=8)',
            'lab.boot("upcall", "register", memory_mib=8, switches={"ukshm.privileged": "off"})',
            ["user 1000 is refused"],
            id="everybody may be the firewall",
        ),
        pytest.param(
            'lab.boot("upcall", "sum", memory_mib=8)',
            'lab.boot("upcall", "sum", memory_mib=8, switches={"ukshm.invalidate": "none"})',
            ["the TLB's entry was dropped before the call ended"],
            id="nothing is invalidated",
        ),
        pytest.param(
            'lab.boot("upcall", "child", memory_mib=8, switches={"ukshm.ack_check": "off"})',
            'lab.boot("upcall", "child", memory_mib=8)',
            [
                "the child's answer was taken",
                "the kernel acts on what a stranger said",
            ],
            id="the counter-example without its switch",
        ),
        pytest.param(
            'lab.boot("upcall", "never", memory_mib=8)',
            'lab.boot("upcall", "sleep", memory_mib=8)',
            ["both calls timed out", "after exactly 20 ticks"],
            id="a handler that answers in time",
        ),
    ],
)
def test_checks_fail_when_the_run_is_another(tmp_path: Path, old: str, new: str, fails: list[str]):
    assert set(fails) <= failing_with(LESSON, tmp_path, old, new, fails)
