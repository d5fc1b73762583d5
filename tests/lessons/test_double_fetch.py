# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from emu.lesson.model import find_lesson
from tests.helpers.lesson_runs import failing_with, judge_quotations, planted, student, whole

pytestmark = pytest.mark.long

LESSON = find_lesson("double-fetch")


def test_the_letters_words_are_quoted_exactly_and_marked():
    judge_quotations(LESSON, "The kernel will then process the passed decision")


def test_what_the_student_sees_is_on_the_page():
    text = student(LESSON.id).text
    for expected in (
        "the call before, again    -2, ENOENT",
        "another process answers   -1, EPERM",
        "datagrams that have left by eth1: 3",
        "45 00 00 21 00 01 00 00 3f 11 35 c0 0a 42 42 42",
        "page fault in ring 3: write + user + not present",
        "source 10.0.0.2, checksum right: True",
        "source 10.66.66.66, checksum right: False",
        "copy   no",
        "ring   yes",
        "ukshm                 behind the unmapping; as checked",
        "ring                  in a page that is shared; source 10.66.66.66",
    ):
        assert expected in text, expected


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("old", "new", "fails"),
    [
        pytest.param(
            "    lab.poke(page + SOURCE_AT, FORGED_BYTES)\n    lab.show",
            "    lab.poke(page + 28, FORGED_BYTES)\n    lab.show",
            {"what a program has broken the kernel does not send", "nothing has left by eth1"},
            id="other bytes than the header's are changed",
        ),
        pytest.param(
            "late_change(lab, path) for path",
            'late_change(lab, "ukshm") for path',
            {"an honest firewall, too, could reach a packet that is on its way, in the ring"},
            id="a packet in the ring that is unmapped",
        ),
    ],
)
def test_the_damage_comes_from_the_switch(tmp_path: Path, old: str, new: str, fails: set[str]):
    assert fails <= failing_with(LESSON, tmp_path, old, new, fails)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("old", "new", "step"),
    [
        pytest.param(
            ', ukshm__ack_check="off"', "", "in-anothers-name", id="the check of who answers left on"
        ),
        pytest.param(
            ', ukshm__check="before_unmap"', "", "checked-too-early", id="the check after the unmapping"
        ),
        pytest.param(
            'def the_right_order(lab: Lab) -> None:\n    firewall(lab, "flip"',
            'def the_right_order(lab: Lab) -> None:\n    firewall(lab, "flip", ukshm__invalidate="none"',
            "the-right-order",
            id="no invalidation, and so no fault",
        ),
    ],
)
def test_without_its_switch_a_step_waits_in_vain(tmp_path: Path, old: str, new: str, step: str):
    changed = whole(planted(LESSON, tmp_path, old, new))
    assert changed.error is not None and f"step '{step}' broke off" in changed.error
