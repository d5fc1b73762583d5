# SPDX-License-Identifier: GPL-2.0-or-later
"""Progress is kept: written whole, shared by two copies, set aside when it cannot be used, done without if need be."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from emu.lesson import progress as progress_module
from emu.lesson.model import Lesson, course
from emu.lesson.pages import Check, Question
from emu.lesson.progress import NAME, ProgressStore, data_folder
from emu.lesson.record import Record, lesson_key, standing

ROOT = Path(__file__).resolve().parents[3]
QUESTION = Question("Which?", ("this", "that", "none"), 1, "Not this.")


@pytest.fixture
def lesson() -> Lesson:
    return course()[0]


def test_the_tests_leave_the_user_s_own_folder_alone() -> None:
    assert os.environ["PAGEWALK_DATA"] == str(data_folder())
    assert Path.home() not in data_folder().parents


def test_answers_checks_and_the_step_reached_are_there_in_the_next_process(
    tmp_path: Path, lesson: Lesson
) -> None:
    first, second = lesson.steps[:2]
    record = Record(ProgressStore(tmp_path), lesson)
    assert record.step is None
    record.begin(first)
    record.answer(first, 0, QUESTION, 1)
    record.answer(first, 1, QUESTION, 2)
    record.finish(first, (Check("a", True), Check("b", False)))
    record.begin(second)
    record.begin(first)
    store = ProgressStore(tmp_path)
    again = Record(store, lesson)
    assert again.step == second, "going back to look does not lose the step reached"
    assert (again.given(first, 0, QUESTION), again.given(first, 1, QUESTION)) == (1, 2)
    assert store.progress.lessons[lesson.id].checks[first] == (1, 2)
    at = standing(lesson, store.progress)
    assert (at.done, at.asked, at.right, at.words) == (1, 2, 1, f"1 of {len(lesson.steps)}")


def test_an_answer_to_a_question_that_reads_otherwise_now_does_not_count(
    tmp_path: Path, lesson: Lesson
) -> None:
    record = Record(ProgressStore(tmp_path), lesson)
    record.answer(lesson.steps[0], 0, QUESTION, 1)
    changed = replace(QUESTION, choices=("that", "this", "none"))
    assert record.given(lesson.steps[0], 0, changed) is None


def test_a_new_answer_drops_those_behind_it(tmp_path: Path, lesson: Lesson) -> None:
    step = lesson.steps[0]
    record = Record(ProgressStore(tmp_path), lesson)
    for number in range(2):
        record.answer(step, number, QUESTION, 0)
    record.answer(step, 0, QUESTION, 1)
    assert (record.given(step, 0, QUESTION), record.given(step, 1, QUESTION)) == (1, None)


def test_a_reset_forgets_one_lesson_and_no_other(tmp_path: Path, lesson: Lesson) -> None:
    store = ProgressStore(tmp_path)
    elsewhere = replace(lesson, folder=tmp_path / "elsewhere")
    assert lesson_key(elsewhere) != lesson_key(lesson)
    for one in (lesson, elsewhere):
        Record(store, one).begin(one.steps[0])
    Record(store, lesson).reset()
    fresh = ProgressStore(tmp_path)
    assert Record(fresh, lesson).step is None
    assert Record(fresh, elsewhere).step == lesson.steps[0]


DAMAGED = {
    "no JSON": b"{",
    "no UTF-8": b"\xff\xfe",
    "a list": b"[]",
    "no version": b'{"lessons": {}}',
    "another type": b'{"format_version": 1, "last": 3, "theme": "", "lessons": {}}',
    "a lesson that is none": b'{"format_version": 1, "last": "", "theme": "", "lessons": {"overrun": []}}',
    "nested without end": b"[" * 200_000,
    "a huge number": b'{"format_version": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_one_line_and_kept_aside(content: bytes, tmp_path: Path, lesson: Lesson) -> None:
    (tmp_path / NAME).write_bytes(content)
    store = ProgressStore(tmp_path)
    assert "damaged" in store.note and "\n" not in store.note
    kept = tmp_path / "progress.damaged-1.json"
    assert kept.name in store.note
    assert kept.read_bytes() == content
    Record(store, lesson).begin(lesson.steps[0])
    assert ProgressStore(tmp_path).note == ""
    assert Record(ProgressStore(tmp_path), lesson).step == lesson.steps[0]


def test_a_second_damaged_file_does_not_overwrite_the_first(tmp_path: Path) -> None:
    for content in (b"one", b"two"):
        (tmp_path / NAME).write_bytes(content)
        ProgressStore(tmp_path)
    kept = [tmp_path / f"progress.damaged-{number}.json" for number in (1, 2)]
    assert [path.read_bytes() for path in kept] == [b"one", b"two"]


def test_a_file_from_the_future_is_kept_under_its_version(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(json.dumps({"format_version": 7, "shape": "unknown"}), "utf-8")
    store = ProgressStore(tmp_path)
    assert "later Pagewalk (format 7)" in store.note
    assert (tmp_path / "progress.version-7-1.json").is_file()


def test_a_file_damaged_while_pagewalk_runs_is_kept_aside_too(tmp_path: Path, lesson: Lesson) -> None:
    store = ProgressStore(tmp_path)
    (tmp_path / NAME).write_bytes(b"{")
    Record(store, lesson).begin(lesson.steps[0])
    assert "damaged" in store.note
    assert (tmp_path / "progress.damaged-1.json").is_file()
    assert Record(ProgressStore(tmp_path), lesson).step == lesson.steps[0]


def test_where_nothing_can_be_written_it_works_and_says_so(tmp_path: Path, lesson: Lesson) -> None:
    (tmp_path / "home").write_bytes(b"a file where the folder should be")
    store = ProgressStore(tmp_path / "home" / "pagewalk")
    record = Record(store, lesson)
    record.begin(lesson.steps[0])
    assert store.note.startswith("progress is not saved: ")
    assert record.step == lesson.steps[0], "as long as the process lives it is remembered"


def test_a_file_that_cannot_be_read_is_left_alone(tmp_path: Path, lesson: Lesson) -> None:
    (tmp_path / NAME).mkdir()
    store = ProgressStore(tmp_path)
    Record(store, lesson).begin(lesson.steps[0])
    assert "not saved" in store.note
    assert (tmp_path / NAME).is_dir()


def test_a_process_killed_while_writing_leaves_the_old_file_whole(
    tmp_path: Path, lesson: Lesson, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ProgressStore(tmp_path)
    Record(store, lesson).begin(lesson.steps[0])
    before = (tmp_path / NAME).read_bytes()

    def killed(*arguments: object, **words: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(progress_module.json, "dump", killed)
    with pytest.raises(KeyboardInterrupt):
        Record(store, lesson).begin(lesson.steps[1])
    assert (tmp_path / NAME).read_bytes() == before
    assert not list(tmp_path.glob("*.new"))


_COPY = """
import sys
from pathlib import Path
from emu.lesson.model import course
from emu.lesson.progress import ProgressStore
from emu.lesson.record import Record
record = Record(ProgressStore(Path(sys.argv[1])), course()[0])
for step in sys.argv[2:]:
    record.finish(step, ())
"""


def test_two_copies_at_once_lose_nothing_of_each_other_s(tmp_path: Path, lesson: Lesson) -> None:
    words = [sys.executable, "-c", _COPY, str(tmp_path)]
    copies = [subprocess.Popen([*words, *lesson.steps[n::2]], cwd=ROOT) for n in (0, 1)]
    assert [copy.wait(60) for copy in copies] == [0, 0]
    assert set(ProgressStore(tmp_path).progress.lessons[lesson.id].done) == set(lesson.steps)


def test_a_stale_copy_does_not_undo_what_another_wrote(tmp_path: Path, lesson: Lesson) -> None:
    one, other = ProgressStore(tmp_path), ProgressStore(tmp_path)
    Record(one, lesson).finish(lesson.steps[0], ())
    Record(other, lesson).finish(lesson.steps[1], ())
    assert ProgressStore(tmp_path).progress.lessons[lesson.id].done == list(lesson.steps[:2])
