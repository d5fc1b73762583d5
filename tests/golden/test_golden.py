# SPDX-License-Identifier: GPL-2.0-or-later
import gzip
import shutil
from pathlib import Path

import pytest

from emu.lesson.golden import check_golden, golden_bytes, make_golden
from emu.lesson.model import Lesson, LessonError, course, load_lesson

OVERRUN = next(lesson for lesson in course() if lesson.id == "overrun")
SMALL = Path(__file__).parents[1] / "tui" / "lesson"


def test_the_model_lesson_does_what_its_golden_trace_says():
    """The others' are compared where a student goes through them: tests/lessons/test_the_course.py."""
    assert check_golden(OVERRUN) is None


def a_copy(tmp_path: Path) -> Lesson:
    """A small lesson in a folder of its own."""
    return load_lesson(Path(shutil.copytree(SMALL, tmp_path / "small")))


def test_the_golden_trace_of_one_build_is_the_same_bytes_every_time(tmp_path: Path):
    lesson = a_copy(tmp_path)
    first = make_golden(lesson).read_bytes()
    assert gzip.decompress(first) == golden_bytes(lesson)
    assert first[4:8] == bytes(4), "gzip must carry no time"


def test_a_change_of_behaviour_shows_as_the_first_line_that_differs(tmp_path: Path):
    lesson = a_copy(tmp_path)
    make_golden(lesson)
    scenario = lesson.folder / "scenario.py"
    scenario.write_text(scenario.read_text().replace('lab.boot("overrun")', 'lab.boot("overrun", "32")'))
    said = check_golden(load_lesson(lesson.folder))
    assert said is not None
    assert said.startswith("line 1 (boot): expected command_line")


def test_a_missing_or_damaged_golden_trace_is_one_line(tmp_path: Path):
    folder = tmp_path / "08-overrun"
    shutil.copytree(OVERRUN.folder, folder)
    lesson = load_lesson(folder)
    golden = folder / "golden.jsonl.gz"
    golden.write_bytes(golden.read_bytes()[:40])
    with pytest.raises(LessonError, match="cannot be read"):
        check_golden(lesson)
    golden.unlink()
    with pytest.raises(LessonError, match="missing"):
        check_golden(lesson)
