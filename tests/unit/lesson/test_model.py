# SPDX-License-Identifier: GPL-2.0-or-later
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from emu.lesson.model import LessonError, course, find_lesson, load_lesson
from emu.lesson.scenario import load_scenario

from .conftest import PROSE, SCENARIO, TOML, WriteLesson


def test_a_lesson_is_read_with_its_prose_in_sections(write_lesson: WriteLesson) -> None:
    lesson = load_lesson(write_lesson())
    assert (lesson.id, lesson.title, lesson.minutes, lesson.points, lesson.hints) == (
        "tiny",
        "A tiny lesson",
        5,
        3,
        True,
    )
    assert lesson.steps == ("first", "second")
    assert [section.title for section in lesson.sections] == [
        "A tiny lesson",
        "The first step",
        "Second",
        "Try this yourself",
    ]
    assert lesson.section("first").text == "What the first step is about."
    assert lesson.section("first").afterwards == "What it has shown."
    assert [section.text for section in lesson.introduction] == ["Before all steps."]
    assert [section.title for section in lesson.after("second")] == ["Try this yourself"]
    assert not lesson.after("first")


def test_a_heading_in_a_block_of_code_is_no_heading(write_lesson: WriteLesson) -> None:
    prose = PROSE.replace("More.", "More.\n\n```sh\n# a comment\n## Step: none\n```\n")
    assert load_lesson(write_lesson(prose=prose)).steps == ("first", "second")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (dict(toml=None), "lesson.toml: missing"),
        (dict(prose=None), "lesson.md: missing"),
        (dict(scenario=None), "scenario.py: missing"),
        (dict(toml="id = "), "not TOML"),
        (dict(toml=TOML + "minuts = 3\n"), "unknown key minuts; did you mean minutes"),
        (dict(toml=TOML.replace("minutes = 5\n", "")), "no minutes"),
        (dict(toml=TOML.replace("minutes = 5", 'minutes = "5"')), "give a whole number"),
        (dict(toml=TOML.replace("minutes = 5", "minutes = -5")), "from 0 to 10000"),
        (dict(toml=TOML.replace("needs = []", "needs = [1]")), "give a list of texts"),
        (dict(toml=TOML.replace("hints = true", "hints = 1")), "give true or false"),
        (dict(toml=TOML.replace("format_version = 1", "format_version = 9")), "reads version 1"),
        (dict(toml=TOML.replace('"tiny"', '"../tiny"')), "small letters, digits and dashes"),
        (dict(prose=b"\xff\xfe"), "not UTF-8"),
        (dict(prose="# Only a title\n"), "no step"),
        (dict(prose=PROSE.replace("Step: second", "Step: first")), "two sections for step 'first'"),
        (dict(prose=PROSE.replace("Step: second", "Step: Sec ond")), "step id 'Sec ond'"),
        (dict(prose=PROSE.replace("More.", "")), "step 'second' has no prose"),
        (dict(prose="x" * (1 << 20) + PROSE), "larger than 1 MiB"),
    ],
)
def test_a_damaged_lesson_is_refused_in_one_line(
    write_lesson: WriteLesson, change: dict[str, str], says: str
) -> None:
    with pytest.raises(LessonError) as caught:
        load_lesson(write_lesson(**change))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s + "\n)", "does not import (line"),
        (lambda s: "raise OSError('gone\\naway')\n" + s, "line 1: OSError: gone away"),
        (lambda s: "import emu.nothing\n" + s, "ModuleNotFoundError"),
        (lambda s: s.replace("def setup", "def set_up"), "no setup"),
        (
            lambda s: s.replace('@step("second")', '@step("secnd")'),
            'no section "## Step: secnd" in lesson.md',
        ),
        (lambda s: s[: s.index('@step("second")')], "section 'second' has no @step(\"second\")"),
        (
            lambda s: s.replace('@step("second")', '@step("first")').replace(
                '("first", points=2)', '("first")'
            ),
            "step 'first' is defined twice",
        ),
        (lambda s: s.replace("points=2", "points=4"), "points = 3, but the steps give 5"),
        (
            lambda s: s.replace('"first"', '"x"').replace('"second"', '"first"').replace('"x"', '"second"'),
            "comes elsewhere in lesson.md",
        ),
    ],
)
def test_a_damaged_scenario_is_refused_in_one_line(
    write_lesson: WriteLesson, change: Callable[[str], str], says: str
) -> None:
    lesson = load_lesson(write_lesson(scenario=change(SCENARIO)))
    with pytest.raises(LessonError) as caught:
        load_scenario(lesson)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_lesson_is_found_by_its_name_its_folder_and_its_path(write_lesson: WriteLesson) -> None:
    assert find_lesson("overrun").id == "overrun"
    assert find_lesson("08-overrun").id == "overrun"
    assert find_lesson(str(write_lesson())).id == "tiny"


def test_an_unknown_lesson_gives_the_near_names() -> None:
    with pytest.raises(LessonError, match="no lesson 'overrn': did you mean overrun"):
        find_lesson("overrn")
    with pytest.raises(LessonError, match="no such folder"):
        find_lesson("./nowhere")


def test_an_unknown_step_gives_the_near_names(write_lesson: WriteLesson) -> None:
    with pytest.raises(LessonError, match="no step 'secnd'; did you mean second"):
        load_lesson(write_lesson()).section("secnd")


def test_the_course_is_the_lessons_in_the_order_of_their_folders() -> None:
    found = [lesson.folder.name for lesson in course()]
    assert found == sorted(found)
    assert [name.partition("-")[2] for name in found] == [lesson.id for lesson in course()]
    assert next(lesson.id for lesson in course()) == "walk"


def test_the_text_of_a_lesson_is_there_without_an_emulator(write_lesson: WriteLesson) -> None:
    code = (
        "import sys; from pathlib import Path; from emu.lesson.model import load_lesson;"
        f"load_lesson(Path({str(write_lesson())!r}));"
        "heavy = {'unicorn', 'elftools', 'capstone', 'msgspec', 'textual', 'emu.machine'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or 0)"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
