# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from emu.lesson.model import find_lesson
from emu.lesson.run import LessonRun
from tests.helpers.lesson_runs import as_text, failing_with, geometry, judge_quotations, student

pytestmark = pytest.mark.long

LESSON = find_lesson("tlb")


@pytest.fixture(scope="module")
def run() -> LessonRun:
    return student(LESSON.id).run


def test_the_letters_words_are_quoted_exactly_and_marked():
    judge_quotations(
        LESSON,
        '"something in the CPU called TLB"',
        '"this TLB microcode and cache is handled automatically by the CPU"',
        '"handled automatically by the CPU"',
    )


def test_what_the_student_sees_is_on_the_page(run: LessonRun):
    text = "\n".join(
        "\n".join(item.lines()) for done in run.done for item in done.page.items if not isinstance(item, str)
    )
    for expected in (
        "loads 16, answered by level 1: ",
        "    5     16         0         5       0",
        "pentium3        0     ~0.0   96",
        "≠ stale",
        "Stale hit: L1D 4K set 0",
        "P    1 -> 0         sees O                      page fault, then works",
        "R/W  0 -> 1         page fault, then works      works",
        "A    1 -> 0         sees O, A = 0               sees O, A = 1",
        "MOV CR3 drops",
    ):
        assert expected in text, expected


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("old", "new", "fails"),
    [
        pytest.param(
            'lab.poke(place, other.entry.to_bytes(ENTRY_BYTES, "little"))\n    forked',
            'lab.poke(place, other.entry.to_bytes(ENTRY_BYTES, "little"))\n    lab.invalidate(page)\n    forked',
            ["the program has seen the old letter, as long as a TLB held the old entry"],
            id="the changed entry is invalidated",
        ),
        pytest.param(
            'at_a_switch(without, "off")',
            'at_a_switch(without, "on")',
            ["without PCIDs only global entries outlive MOV to CR3"],
            id="with PCIDs where there should be none",
        ),
        pytest.param(
            "[(pages, 1), (pages, sets)]",
            "[(pages, 1), (pages, 1)]",
            ["5 pages in turn, all in one set of 4 ways: no hit"],
            id="pages that are not in each other's way",
        ),
    ],
)
def test_checks_fail_when_something_is_wrong(tmp_path: Path, old: str, new: str, fails: list[str]):
    assert set(fails) <= failing_with(LESSON, tmp_path, old, new, fails)


@pytest.mark.nightly
@pytest.mark.parametrize(("name", "forgets"), [("pentium3", False), ("tiny", True)])
def test_a_loop_over_more_pages_than_the_tlb_holds_misses_on_every_one(
    tmp_path: Path, name: str, forgets: bool
):
    assert ("Answer: b) 16, then 16 again" in as_text(LESSON, geometry(name, tmp_path))) == forgets
