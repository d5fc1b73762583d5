# SPDX-License-Identifier: GPL-2.0-or-later
import io
from collections.abc import Iterable
from pathlib import Path

import pytest

from emu.lesson.model import LessonError, load_lesson
from emu.lesson.plain import print_lesson
from emu.lesson.progress import ProgressStore
from emu.lesson.prose import plain_prose
from emu.lesson.record import Record
from emu.lesson.run import run_lesson

from .conftest import SCENARIO, WriteLesson


def printed(folder: Path, lines: Iterable[str] | None = None, **options: object) -> tuple[bool, str]:
    """What a lesson prints; `lines` are typed by the student."""
    out = io.StringIO()
    typed = iter(lines or ())
    passed = print_lesson(
        load_lesson(folder),
        out,
        ask=lines is not None,
        read=lambda: next(typed, ""),
        **options,  # type: ignore[arg-type]
    )
    return passed, out.getvalue()


def test_everything_of_a_lesson_is_printed_in_order(write_lesson: WriteLesson) -> None:
    passed, text = printed(write_lesson())
    assert passed
    parts = [
        "A tiny lesson",
        "tiny, by somebody, about 5 minutes",
        "Before all steps.",
        "Step 1 of 2: The first step",
        "What the first step is about.",
        "Look here.",
        "A table:",
        "Question: Which?",
        "  b) that",
        "Hint: The other one.",
        "✓ setup has run",
        "What it has shown.",
        "Step 2 of 2: Second",
        "✓ numbers are what they were",
        "Try this yourself",
        "2 of 2 checks hold; 3 of 3 points.",
    ]
    places = [text.find(part) for part in parts]
    assert -1 not in places
    assert places == sorted(places)


def test_answers_are_printed_only_when_asked_for(write_lesson: WriteLesson) -> None:
    assert "Answer: b) that" in printed(write_lesson(), answers=True)[1]
    assert "Answer:" not in printed(write_lesson())[1]


def test_a_student_is_asked_and_told(write_lesson: WriteLesson) -> None:
    _, text = printed(write_lesson(), ["7\n", "h\n", "x\x1b[2J\n", "B\n"])
    assert text.count("Your answer (a to b, h for a hint, Enter to go on): ") == 4
    assert "'7' is none of the choices." in text
    assert "\x1b" not in text
    assert "Hint: The other one." in text
    assert "Right." in text
    assert "1 of 1 questions answered right." in text


def test_a_wrong_answer_and_none_are_followed_by_the_right_one(write_lesson: WriteLesson) -> None:
    assert "No. Answer: b) that" in printed(write_lesson(), ["a\n"])[1]
    assert "Answer: b) that" in printed(write_lesson(), ["\n"])[1]


def test_the_end_of_the_input_ends_the_asking_and_not_the_lesson(write_lesson: WriteLesson) -> None:
    passed, text = printed(write_lesson(), [])
    assert passed
    assert "Step 2 of 2" in text


def test_without_hints_none_is_offered(write_lesson: WriteLesson) -> None:
    folder = write_lesson()
    toml = folder / "lesson.toml"
    toml.write_text(toml.read_text().replace("hints = true", "hints = false"))
    _, text = printed(folder, ["h\n", "b\n"])
    assert "h for a hint" not in text
    assert "'h' is none of the choices." in text


def test_a_check_that_fails_fails_the_lesson(write_lesson: WriteLesson) -> None:
    passed, text = printed(write_lesson(scenario=SCENARIO.replace("1 + 1 == 2", "1 + 1 == 3")))
    assert not passed
    assert "✗ numbers are what they were" in text
    assert "1 of 2 checks hold; 2 of 3 points." in text


def test_a_scenario_that_breaks_off_ends_in_one_line(write_lesson: WriteLesson) -> None:
    passed, text = printed(write_lesson(scenario=SCENARIO.replace("1 + 1 == 2", "1 / 0")))
    assert not passed
    assert "step 'second' broke off: line 15: ZeroDivisionError: division by zero" in text
    assert "Traceback" not in text


def test_a_step_without_a_machine_says_so(write_lesson: WriteLesson) -> None:
    text = printed(write_lesson(scenario=SCENARIO.replace("1 + 1 == 2", "lab.value('x')")))[1]
    assert "setup must call lab.boot first" in text


def test_printing_can_begin_at_a_step(write_lesson: WriteLesson) -> None:
    passed, text = printed(write_lesson(), at="second")
    assert passed
    assert "Step 1 of 2" not in text
    assert "Step 2 of 2" in text
    with pytest.raises(LessonError, match="no step 'third'"):
        printed(write_lesson(), at="third")


def test_a_run_tells_where_each_step_ended(write_lesson: WriteLesson) -> None:
    scenario = SCENARIO.replace(
        "lab.notes.ready = True", "lab.notes.ready = True; lab.boot('hello'); lab.step(9)"
    )
    run = run_lesson(load_lesson(write_lesson(scenario=scenario)), seed=3)
    first, second = run
    assert (first.step.id, first.boot, first.insn, first.request.seed) == ("first", 0, 9, 3)
    assert first.page.items[-1] == "What it has shown."
    assert (run.passed, run.points, run.next_step) == (True, 3, None)
    assert second.seq == first.seq


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('choices=["this", "that"]', 'choices=["this"]', "give 2 to 7 choices"),
        ('choices=["this", "that"]', f"choices={list('abcdefgh')}", "give 2 to 7 choices"),
        ("lambda lab: 1", "2", "one of them the answer"),
        ('hint="The other one."', 'hint=""', "and a hint"),
        ('"setup has run"', '""', "a check without a message"),
    ],
)
def test_a_question_without_an_answer_or_a_hint_and_a_check_without_a_message_are_refused(
    write_lesson: WriteLesson, old: str, new: str, says: str
) -> None:
    passed, text = printed(write_lesson(scenario=SCENARIO.replace(old, new)))
    assert not passed
    assert says in " ".join(text.split())


def test_what_a_student_answers_in_text_counts_as_progress(write_lesson: WriteLesson, tmp_path: Path) -> None:
    folder = write_lesson()
    store = ProgressStore(tmp_path / "kept")
    record = Record(store, load_lesson(folder))
    printed(folder, ["b\n"], record=record)
    (one,) = ProgressStore(tmp_path / "kept").progress.lessons.values()
    assert (one.asked, one.right) == (1, 1)
    assert one.done, "the step that was gone through to its end"


def test_nobody_s_progress_is_touched_when_nobody_is_asked(write_lesson: WriteLesson, tmp_path: Path) -> None:
    folder = write_lesson()
    printed(folder, record=Record(ProgressStore(tmp_path / "kept"), load_lesson(folder)))
    assert not (tmp_path / "kept").exists()


def test_commands_of_a_lesson_stay_on_lines_of_their_own() -> None:
    markdown = "First a folder:\n\n    mkdir served\n    ls served\n\n- one\n  two\n"
    assert plain_prose(markdown) == [
        "First a folder:",
        "",
        "    mkdir served",
        "    ls served",
        "",
        "- one two",
    ]


def test_the_guest_s_console_keeps_its_lines(write_lesson: WriteLesson) -> None:
    shows = 'from emu.lesson.views import Console\n    lab.show(Console("one\\ntwo\\n"))'
    _, text = printed(write_lesson(scenario=SCENARIO.replace('lab.say("Look **here**.")', shows)))
    assert "  one\n  two\n" in text
