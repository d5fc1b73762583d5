# SPDX-License-Identifier: GPL-2.0-or-later
"""Where each panel stands, for any size of the terminal: rectangles, computed."""

from typing import Final, NamedTuple

SMALLEST: Final = (80, 24)
PANELS: Final = (
    "lesson",
    "walk",
    "tlb",
    "counters",
    "frames",
    "source",
    "console",
    "spaces",
    "registers",
    "timeline",
)


class Rect(NamedTuple):
    """A place on the screen, borders included."""

    x: int
    y: int
    width: int
    height: int


def places(width: int, height: int, zoomed: str | None = None) -> dict[str, Rect]:
    """Panel name -> its place; panels without one are hidden. Row 0 is the title, the last row the footer."""
    body = height - 2
    if zoomed is not None:
        return {zoomed: Rect(0, 1, width, body)}
    if width < 110 or height < 32:
        lesson = (body + 1) // 2
        return {"lesson": Rect(0, 1, width, lesson), "walk": Rect(0, 1 + lesson, width, body - lesson)}
    found = {"timeline": Rect(0, height - 4, width, 3)}
    rows = body - 3
    third = 42 if width >= 156 and height >= 40 else 0
    left = max(44 if not third else 42, (width - third) * 36 // 100)
    middle = width - third - left
    _left_column(found, left, rows)
    _middle_column(found, left, middle, rows)
    if third:
        registers = min(20, rows // 2)
        found["spaces"] = Rect(width - third, 1, third, rows - registers)
        found["registers"] = Rect(width - third, 1 + rows - registers, third, registers)
    return found


def _left_column(found: dict[str, Rect], width: int, rows: int) -> None:
    console = max(5, rows // 6)
    source = max(9, rows * 3 // 10)
    lesson = rows - console - source
    found["lesson"] = Rect(0, 1, width, lesson)
    found["source"] = Rect(0, 1 + lesson, width, source)
    found["console"] = Rect(0, 1 + lesson + source, width, console)


def _middle_column(found: dict[str, Rect], x: int, width: int, rows: int) -> None:
    walk = 12 if rows < 36 else 14
    frames = 9 if rows < 36 else 12
    tlb = rows - walk - frames
    counters = 29 if width < 80 else 34
    found["walk"] = Rect(x, 1, width, walk)
    found["tlb"] = Rect(x, 1 + walk, width - counters, tlb)
    found["counters"] = Rect(x + width - counters, 1 + walk, counters, tlb)
    found["frames"] = Rect(x, 1 + walk + tlb, width, frames)
