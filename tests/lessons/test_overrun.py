# SPDX-License-Identifier: GPL-2.0-or-later
import io
import shutil
from pathlib import Path

import pytest

from emu.lesson.model import load_lesson
from emu.lesson.plain import print_lesson
from emu.lesson.run import LessonRun, run_lesson

LESSON = load_lesson(Path(__file__).resolve().parents[2] / "lessons" / "08-overrun")
GEOMETRIES = ["haswell", "pentium3"]
TINY = """\
name = "tiny"
source = "a test"
confidence = "assumed"
[[array]]
level = 1
serves = "both"
page_sizes = ["4K"]
entries = 8
ways = 8
"""


def whole(run: LessonRun) -> LessonRun:
    """The run, run to its end."""
    for _ in run:
        pass
    return run


def failing(run: LessonRun) -> list[str]:
    """The messages of the checks that do not hold."""
    assert run.error is None
    return [check.message for done in run.done for check in done.page.checks if not check.holds]


def planted(tmp_path: Path, old: str, new: str) -> LessonRun:
    """The lesson with another switch, run to its end."""
    folder = tmp_path / "08-overrun"
    shutil.copytree(LESSON.folder, folder)
    scenario = folder / "scenario.py"
    text = scenario.read_text()
    assert old in text
    scenario.write_text(text.replace(old, new))
    return whole(run_lesson(load_lesson(folder)))


@pytest.fixture(scope="module")
def run() -> LessonRun:
    return whole(run_lesson(LESSON))


def test_every_check_holds(run: LessonRun):
    assert failing(run) == []
    assert run.passed
    assert run.points == LESSON.points


def test_every_step_checks_and_asks_something(run: LessonRun):
    for done in run.done:
        assert done.page.checks, done.step.id
        if done.step.id != "the-last-byte":
            assert done.page.questions, done.step.id


def test_every_question_has_an_answer_among_its_choices_and_a_hint(run: LessonRun):
    questions = [question for done in run.done for question in done.page.questions]
    assert len(questions) >= 10
    for question in questions:
        assert 0 <= question.answer < len(question.choices)
        assert len(set(question.choices)) == len(question.choices) >= 3
        assert question.hint


def test_every_check_has_a_message_of_its_own_within_its_step(run: LessonRun):
    for done in run.done:
        messages = [check.message for check in done.page.checks]
        assert all(messages)
        assert len(set(messages)) == len(messages)


def test_every_question_comes_before_what_answers_it(run: LessonRun):
    first = run.done[0].page.items
    question = next(i for i, item in enumerate(first) if item in run.done[0].page.questions)
    walk = next(i for i, item in enumerate(first) if type(item).__name__ == "WalkView")
    assert question < walk


def test_the_prose_fits_80_columns():
    lines = (LESSON.folder / "lesson.md").read_text().splitlines()
    assert [line for line in lines if len(line) > 80] == []


def test_the_letters_words_are_quoted_exactly_and_marked():
    prose = " ".join((LESSON.folder / "lesson.md").read_text().replace("> ", "").split())
    for quoted in (
        'if the process "walked" past the end of the chunk of kernelspace ram allocated for its purpose, it would '
        "wind up back in userspace, with no kernel-level checking needed",
        '"part of the kernel\'s private ramspace"',
        '"faults accross its boundary"',
        '"no kernel-level checking"',
        '"handled automatically by the CPU"',
        '"a page or pages of kernel ram"',
        '"a new type of slab memory"',
    ):
        place = prose.index(quoted)
        assert "john moser, 2003-12-07" in prose[place : place + 600]


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_as_text_it_is_complete_and_fits_80_columns(geometry: str):
    out = io.StringIO()
    assert print_lesson(LESSON, out, tlb=geometry, answers=True)
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "✗ lessons" not in text
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
        "Answer: 2  name and transmit",
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


@pytest.mark.long
def test_the_checks_hold_with_a_tlb_of_eight_entries(tmp_path: Path):
    geometry = tmp_path / "tiny.toml"
    geometry.write_text(TINY)
    assert failing(whole(run_lesson(LESSON, tlb=str(geometry)))) == []


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
    failed = failing(planted(tmp_path, old, new))
    assert set(fails) <= set(failed)


def test_a_run_that_never_faults_breaks_off_in_one_line(tmp_path: Path):
    run = planted(tmp_path, 'lab.boot("overrun")', 'lab.boot("overrun", switches={"ukshm.guard": "off"})')
    assert run.error is not None
    assert "step 'the-last-byte' broke off" in run.error
    assert "did not come: the guest ended in order" in run.error
    assert not run.passed
