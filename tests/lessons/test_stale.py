# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from emu.lesson.model import find_lesson
from emu.lesson.run import LessonRun, run_lesson
from tests.helpers.lesson_runs import failing, geometry, judge_quotations, planted, student, whole

pytestmark = pytest.mark.long

LESSON = find_lesson("stale")


@pytest.fixture(scope="module")
def run() -> LessonRun:
    return student(LESSON.id).run


def test_the_letters_words_are_quoted_exactly_and_marked():
    judge_quotations(
        LESSON,
        "The kernel will then process the passed decision and unmap the UKSHM from the program, "
        "converting it directly to",
        '"is handled automatically by the CPU"',
    )


def test_what_the_student_sees_is_on_the_page(run: LessonRun):
    text = "\n".join(
        "\n".join(item.lines()) for done in run.done for item in done.page.items if not isinstance(item, str)
    )
    for expected in (
        "UW-D PCID 2 ≠ stale",
        "Dropped 2 translations (window in PCID 2): INVLPG",
        "free: 1 byte differs",
        "written by write_too_late (ring 3)",
        "a TLB entry grants more than memory does now",
        "2: the kernel's list of switches begins: FORGEDmap",
        "sent: b'hello'",
        "sent: b'GHOST'",
        "zen2         held to the end",
        "cpu.pcid=off  page fault",
        "cpu.pcid=on   DAMAGE",
    ):
        assert expected in text, expected


@pytest.mark.nightly
def test_a_tiny_tlb_has_forgotten_the_window_and_the_page_says_so(run: LessonRun, tmp_path: Path):
    tiny = whole(run_lesson(LESSON, tlb=geometry("tiny", tmp_path)))
    assert failing(tiny) == []
    answers = [[q.choices[q.answer] for done in one.done for q in done.page.questions] for one in (run, tiny)]
    assert answers[0] != answers[1]


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("old", "new", "fails"),
    [
        pytest.param(
            'lab.boot("early", switches={"ukshm.order": "free_first"})',
            'lab.boot("early")',
            "broke off",
            id="the right order where the wrong one should be",
        ),
        pytest.param(
            'lab.boot("stale", switches={"ukshm.invalidate": "none"})',
            'lab.boot("stale")',
            "",
            id="an invalidation that was to be left out",
        ),
        pytest.param(
            '"ukshm.invalidate": word}',
            '"ukshm.invalidate": "none"}',
            "with INVLPG the packet leaves as the firewall let it pass",
            id="no invalidation for any packet",
        ),
    ],
)
def test_the_damage_comes_from_the_switch(tmp_path: Path, old: str, new: str, fails: str):
    changed = whole(planted(LESSON, tmp_path, old, new))
    if fails == "broke off":
        assert changed.error is not None and "step 'the-wrong-order' broke off" in changed.error
    elif fails:
        assert fails in failing(changed)
    else:
        step = next(done for done in changed.done if done.step.id == "one-instruction-less")
        assert next(q.choices[q.answer] for q in step.page.questions) == "a page fault, as before"
