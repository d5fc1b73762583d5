# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from emu.lesson.model import find_lesson
from tests.helpers.lesson_runs import failing_with, judge_quotations, student

pytestmark = pytest.mark.long

LESSON = find_lesson("firewall")


def test_the_letters_words_are_quoted_exactly_and_marked():
    judge_quotations(
        LESSON,
        "ANOTHER APPROACH TO THIS would be to move the decision making and processing code out of the kernel, and the "
        "targets such as NAT's MASQUERADE, DROP, ACCEPT, DENY, and FORWARD inside the kernel, possibly as modules.",
        '"without copying ram or using syscalls"',
        '"user-defined chains and targets would exist outside the kernel"',
        '"make its decisions and alterations"',
        '"the only performance hit and complications being that of moving CODE"',
    )


def test_what_the_student_sees_is_on_the_page():
    text = student(LESSON.id).text
    for expected in (
        "Step 6 of 6",
        "Chain FORWARD (policy DROP",
        "UDP 10.0.0.2:3001 > 10.0.0.1:7777",
        "POSTROUTING  MASQUERADE",
        "kernel      8     0     0      0 11,616",
        "target 4, ports 1024 to 4999",
        "UDP 10.0.0.2:3001 > 203.0.113.9:53, TTL 32",
        "the first   dropped: changed",
        "28 of 28 checks hold; 12 of 12 points.",
    ):
        assert expected in text


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("old", "new", "fails"),
    [
        pytest.param(
            'begin(other, path, "office.rules")',
            'begin(other, path, "office.rules" if path != "copy" else "deny.rules")',
            ["four paths: the same verdicts, the same fates, the same bytes on the wire"],
            id="one path has other rules",
        ),
        pytest.param(
            'begin(lab, "ukshm", "lie", "2", program="mortal")',
            'begin(lab, "ukshm", "late", "9", program="mortal")',
            ["a packet that is none any more is dropped"],
            id="a program that does not lie",
        ),
    ],
)
def test_checks_fail_when_the_run_is_another(tmp_path: Path, old: str, new: str, fails: list[str]):
    assert set(fails) <= failing_with(LESSON, tmp_path, old, new, fails)
