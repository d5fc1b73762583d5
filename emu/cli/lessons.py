# SPDX-License-Identifier: GPL-2.0-or-later
"""`pagewalk lessons`, and `pagewalk` alone: the course."""

import sys

from emu.cli.errors import Exit, UsageError
from emu.cli.output import json_out, out, table


def lessons(*, json: bool = False) -> int:
    """List the lessons of the course.

    Example: pagewalk lessons --json

    Args:
        json: Print one JSON object on stdout.
    """
    from emu.lesson.model import course

    found = course()
    if json:
        rows = [
            {
                "id": lesson.id,
                "title": lesson.title,
                "minutes": lesson.minutes,
                "needs": list(lesson.needs),
                "progress": None,
            }
            for lesson in found
        ]
        json_out({"lessons": rows})
        return Exit.FINE
    lines = [("lesson", "minutes", "needs", "title")]
    lines += [(one.id, str(one.minutes), ", ".join(one.needs) or "nothing", one.title) for one in found]
    out(table(lines))
    if found:
        out(f"\nBegin with: pagewalk learn {found[0].id}")
    return Exit.FINE


def first_lesson() -> str:
    """The lesson to open when none is named. UsageError if the course is empty."""
    from emu.lesson.model import course

    found = course()
    if not found:
        raise UsageError("the course has no lesson; install pagewalk again")
    return found[0].id


def on_terminal() -> bool:
    """Whether there is a terminal to draw on and to read keys from."""
    return sys.stdin.isatty() and sys.stdout.isatty()
