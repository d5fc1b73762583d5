# SPDX-License-Identifier: GPL-2.0-or-later
from collections.abc import Callable
from pathlib import Path

import pytest

TOML = """\
format_version = 1
id = "tiny"
title = "A tiny lesson"
author = "somebody"
minutes = 5
needs = []
program = "hello"
areas = []
points = 3
hints = true
"""
PROSE = """\
# A tiny lesson

Before all steps.

## Step: first
### The first step

What the first step is about.

### Afterwards

What it has shown.

## Step: second

More.

## Try this yourself

- something
"""
SCENARIO = """\
from emu.lesson import Lab, Text, step

def setup(lab):
    lab.notes.ready = True

@step("first", points=2)
def first(lab):
    lab.say("Look **here**.")
    lab.show(Text("A table:", ("one", "two")))
    lab.ask("Which?", choices=["this", "that"], answer=lambda lab: 1, hint="The other one.")
    lab.expect(lab.notes.ready, "setup has run")

@step("second")
def second(lab):
    lab.expect(1 + 1 == 2, "numbers are what they were")
"""

WriteLesson = Callable[..., Path]


@pytest.fixture
def write_lesson(tmp_path: Path) -> WriteLesson:
    """A lesson's folder; what is None is left out."""

    def write(
        toml: str | None = TOML, prose: str | bytes | None = PROSE, scenario: str | None = SCENARIO
    ) -> Path:
        folder = tmp_path / "01-tiny"
        folder.mkdir(exist_ok=True)
        for name, text in (("lesson.toml", toml), ("lesson.md", prose), ("scenario.py", scenario)):
            if text is not None:
                (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return folder

    return write
