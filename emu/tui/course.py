# SPDX-License-Identifier: GPL-2.0-or-later
"""The course as lines: a row a lesson, and what is to be said of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from emu.lesson.model import Lesson
from emu.lesson.progress_file import Progress
from emu.lesson.record import Standing, lesson_key, standing
from emu.view.prose import prose_lines
from emu.view.spans import Line, Span, harmless, line

_BAR: Final = 8


@dataclass(frozen=True)
class CourseRow:
    """One lesson, how far it has come, and which of those it needs are not done."""

    lesson: Lesson
    standing: Standing
    missing: tuple[str, ...]

    @property
    def glyph(self) -> tuple[str, str]:
        """(glyph, role): done, begun, or new."""
        if self.standing.finished:
            return "✓", "good"
        return ("▸", "here") if self.standing.begun else ("·", "dim")

    def line(self, width: int) -> Line:
        """Glyph, id, title, minutes, progress."""
        glyph, role = self.glyph
        lead = f"{self.lesson.id:<13} "
        filled = -(-self.standing.done * _BAR // max(1, self.standing.steps))
        bar = "■" * filled + "□" * (_BAR - filled)
        tail = f" {self.lesson.minutes:>3} min  {bar} {self.standing.words:<8}"
        room = max(8, width - len(lead) - len(tail) - 3)
        title = harmless(self.lesson.title)
        title = title if len(title) <= room else title[: room - 1] + "…"
        return line(
            Span(f" {glyph} ", role),
            Span(lead, "name"),
            Span(f"{title:<{room}}", "strong" if self.standing.begun else ""),
            Span(tail, "good" if self.standing.finished else "number" if self.standing.begun else "dim"),
        )

    def details(self, width: int) -> list[Line]:
        """Title, what it takes, and how it begins."""
        lesson, at = self.lesson, self.standing
        rows = [line(Span(harmless(lesson.title), "head"))]
        rows.append(line(Span(f"by {harmless(lesson.author)}, about {lesson.minutes} minutes", "dim")))
        if self.missing:
            rows.append(line(Span("better after: ", "dim"), Span(", ".join(self.missing), "changed")))
        if at.begun:
            said = f"{at.right} of {at.asked} predictions right" if at.asked else "nothing predicted yet"
            where = (
                "finished" if at.finished else f"you stopped at step {lesson.steps.index(at.at) + 1}, {at.at}"
            )
            rows.append(line(Span(f"{where}; {said}", "name")))
        rows.append(line(""))
        begin = lesson.introduction[0].text if lesson.introduction else lesson.section(lesson.steps[0]).text
        return rows + prose_lines(begin, width)


def course_rows(lessons: Sequence[Lesson], progress: Progress) -> list[CourseRow]:
    """The lessons in the order of the course."""
    standings = {lesson.id: standing(lesson, progress) for lesson in lessons}
    return [
        CourseRow(
            lesson,
            standings[lesson.id],
            tuple(need for need in lesson.needs if need in standings and not standings[need].finished),
        )
        for lesson in lessons
    ]


def where_stopped(rows: Sequence[CourseRow], progress: Progress) -> int:
    """The row to stand on: the lesson last opened; if that is done, the next that is not."""
    last = next((n for n, row in enumerate(rows) if lesson_key(row.lesson) == progress.last), 0)
    after = [*range(last, len(rows)), *range(last)]
    return next((n for n in after if not rows[n].standing.finished), last)


def summary(rows: Sequence[CourseRow]) -> str:
    """The whole course in a few words."""
    done = sum(row.standing.finished for row in rows)
    minutes = sum(row.lesson.minutes for row in rows if not row.standing.finished)
    hours = f"{minutes} minutes" if minutes < 120 else f"{round(minutes / 60)} hours"
    return f"{done} of {len(rows)} lessons done" + (f", about {hours} to go" if minutes else "")
