# SPDX-License-Identifier: GPL-2.0-or-later
import re
from pathlib import Path

from emu.lesson import Lab
from emu.lesson.model import load_lesson
from emu.lesson.run import run_lesson

LESSONS = Path(__file__).resolve().parents[2] / "lessons"
GUIDE = (LESSONS / "README.md").read_text()


def test_the_authors_example_is_a_lesson_that_passes(tmp_path: Path):
    (scenario,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    toml = (LESSONS / "08-overrun" / "lesson.toml").read_text()
    (tmp_path / "lesson.toml").write_text(re.sub(r"points = \d+", "points = 2", toml))
    (tmp_path / "lesson.md").write_text("# A lesson\n\n## Step: first-store\n\nThink.\n")
    (tmp_path / "scenario.py").write_text(scenario)
    run = run_lesson(load_lesson(tmp_path))
    assert [done.error for done in run] == [None]
    assert run.passed


def test_every_verb_that_the_guide_names_exists():
    verbs = set(re.findall(r"`?lab\.(\w+)", GUIDE))
    lab = Lab()
    assert {verb for verb in verbs if not hasattr(Lab, verb) and verb not in vars(lab)} == set()
    assert len(verbs) > 25


def test_every_key_of_the_metadata_is_in_the_guide():
    keys = re.findall(r"^(\w+) = ", (LESSONS / "08-overrun" / "lesson.toml").read_text(), re.MULTILINE)
    assert [key for key in keys if f"`{key}`" not in GUIDE] == []
