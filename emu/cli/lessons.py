# SPDX-License-Identifier: GPL-2.0-or-later
"""`pagewalk lessons`, and `pagewalk` alone: the course."""

import os
import sys
from typing import TYPE_CHECKING, Any

from emu.cli.errors import Exit, one_line
from emu.cli.output import json_out, note, out, table

if TYPE_CHECKING:
    from emu.lesson.model import Lesson
    from emu.lesson.record import Standing


def lessons(*, json: bool = False) -> int:
    """List the lessons of the course, with how far each has come.

    Example: pagewalk lessons --json

    Args:
        json: Print one JSON object on stdout.
    """
    from emu.lesson.model import course
    from emu.lesson.progress import ProgressStore
    from emu.lesson.record import standing

    found = course()
    store = ProgressStore()
    standings = [standing(lesson, store.progress) for lesson in found]
    if store.note:
        note(f"pagewalk: {one_line(store.note)}")
    if json:
        json_out({"lessons": [_row(lesson, at) for lesson, at in zip(found, standings, strict=True)]})
        return Exit.FINE
    lines = [("lesson", "minutes", "progress", "needs", "title")]
    lines += [
        (one.id, str(one.minutes), at.words, ", ".join(one.needs) or "nothing", one.title)
        for one, at in zip(found, standings, strict=True)
    ]
    out(table(lines))
    going = next((n for n, at in enumerate(standings) if not at.finished), None)
    if going is not None:
        word = "Go on" if any(at.begun for at in standings) else "Begin"
        out(f"\n{word} with: pagewalk learn {found[going].id}")
    return Exit.FINE


def _row(lesson: "Lesson", at: "Standing") -> dict[str, Any]:
    progress = {
        "step": at.at or None,
        "steps_done": at.done,
        "steps": at.steps,
        "answered": at.asked,
        "right": at.right,
        "done": at.finished,
    }
    return {
        "id": lesson.id,
        "title": lesson.title,
        "minutes": lesson.minutes,
        "needs": list(lesson.needs),
        "progress": progress if at.begun or at.done else None,
    }


def on_terminal() -> bool:
    """Whether there is a terminal, or a browser behind `pagewalk serve`, to draw on and to read keys from."""
    if os.environ.get("TEXTUAL_DRIVER", "").endswith(":WebDriver"):
        return True
    return sys.stdin.isatty() and sys.stdout.isatty()


def draws() -> bool:
    """Whether the terminal can draw a screen; one of TERM=dumb has lines of text only."""
    return on_terminal() and os.environ.get("TERM") != "dumb"
