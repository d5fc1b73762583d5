# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from emu.lesson.model import find_lesson
from emu.lesson.run import LessonRun
from tests.helpers.lesson_runs import failing_with, judge_quotations, student

pytestmark = pytest.mark.long

LESSON = find_lesson("rights")


@pytest.fixture(scope="module")
def run() -> LessonRun:
    return student(LESSON.id).run


def test_the_letters_words_are_quoted_exactly_and_marked():
    judge_quotations(
        LESSON,
        '"with no kernel-level checking needed to keep the process from screeching accross kernel ram and destroying '
        'the kernel"',
        '"kernel-level checking"',
    )


def test_what_the_student_sees_is_on_the_page(run: LessonRun):
    items = [item for done in run.done for item in done.page.items if not isinstance(item, str)]
    text = "\n".join("\n".join(item.lines()) for item in items)
    for expected in (
        "R/W = 0 in the PDE        user, read only",
        "kernel-jump      0x0015 fetch + user + protection violation",
        "program: const  yes     R/W     XD      SMAP    SMAP    SMEP    yes     WP",
        "2: no SMAP: my byte is now 88",
        "2: no SMEP: my code ran in ring 0",
        "2: no WP: the kernel wrote its own constants",
        "2: no XD: code on the stack ran",
        "written by memcpy",
        "RESERVED_BIT_SET                     0xd         bit 40 of a PTE",
        "SMAP_IMPLICIT_ACCESS_TO_USER_PAGE    0x1         the IDT in a user page",
        "NON_CANONICAL                        (#GP) 0x0   the program `faults`",
    ):
        assert expected in text, expected


CARELESS = '    lab.boot("careless")\n'


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("old", "new", "fails"),
    [
        pytest.param(
            CARELESS,
            '    lab.boot("careless", switches={"cpu.smap": "off"})\n',
            ["SMAP has refused a read and a write", "the program's byte is what it was"],
            id="SMAP off where it should refuse",
        ),
        pytest.param(
            CARELESS,
            '    lab.boot("careless", switches={"cpu.smep": "off", "cpu.wp": "off", "cpu.nx": "off"})\n',
            [
                "SMEP has refused a call",
                "WP has refused a write to the kernel's constants",
                "XD has refused code on a stack",
            ],
            id="SMEP, WP and NX off where they should refuse",
        ),
        pytest.param(
            'switches={f"cpu.{word}": "off"}',
            'switches={f"cpu.{word}": "on"}',
            [
                "with cpu.smap=off: my byte is now 88",
                "with cpu.smep=off: my code ran in ring 0",
                "with cpu.wp=off: the kernel wrote its own constants",
                "with cpu.nx=off: code on the stack ran",
            ],
            id="no bit off where the damage should be done",
        ),
        pytest.param(
            "    for row in copy.walk(gates).rows:\n",
            "    for row in copy.walk(gates).rows[:-1]:\n",
            [
                "SMAP refuses implicit accesses too, whatever EFLAGS.AC says",
                "every reason has been met but the protection keys'",
            ],
            id="the IDT stays in a supervisor page",
        ),
    ],
)
def test_checks_fail_when_something_is_wrong(tmp_path: Path, old: str, new: str, fails: list[str]):
    assert set(fails) <= failing_with(LESSON, tmp_path, old, new, fails)
