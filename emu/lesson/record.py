# SPDX-License-Identifier: GPL-2.0-or-later
"""The record of one lesson: what a student has answered and reached in it, and where to go on."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from emu import resources
from emu.lesson.model import Lesson
from emu.lesson.pages import Check, Item, Question
from emu.lesson.progress import ProgressStore
from emu.lesson.progress_file import Answer, LessonProgress, Progress

_FINGERPRINT: Final = 12


def lesson_key(lesson: Lesson) -> str:
    """What the lesson is remembered by: its id; one from outside the course has its place besides."""
    try:
        ours = lesson.folder.resolve().parent == resources.lessons().resolve()
    except resources.ResourceMissing:
        ours = False
    if ours:
        return lesson.id
    return f"{lesson.id}@{_digest(str(lesson.folder.resolve()))}"


def fingerprint(question: Question) -> str:
    """What a question is known by: another text or other choices make another question."""
    return _digest("\0".join((question.text, *question.choices)))


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_FINGERPRINT]


@dataclass(frozen=True, slots=True)
class Standing:
    """A lesson's progress as a list shows it. `at` is the step reached, "" before the first."""

    steps: int
    done: int
    at: str
    asked: int
    right: int

    @property
    def begun(self) -> bool:
        """Whether the student has been there at all."""
        return bool(self.at)

    @property
    def finished(self) -> bool:
        """Whether every step has ended."""
        return self.done >= self.steps

    @property
    def words(self) -> str:
        """In a word or two."""
        if self.finished:
            return "done"
        return f"{self.done} of {self.steps}" if self.begun else "new"


def standing(lesson: Lesson, progress: Progress) -> Standing:
    """How far `lesson` has come. Steps that the lesson has no longer do not count."""
    one = progress.lessons.get(lesson_key(lesson), LessonProgress())
    done = sum(step in one.done for step in lesson.steps)
    at = one.step if one.step in lesson.steps else ""
    return Standing(len(lesson.steps), done, at, one.asked, one.right)


class Record:
    """Writes down one lesson as it goes, and tells what was answered before."""

    def __init__(self, store: ProgressStore, lesson: Lesson) -> None:
        self._store, self._lesson = store, lesson
        self._key = lesson_key(lesson)

    @property
    def _now(self) -> LessonProgress:
        return self._store.progress.lessons.get(self._key, LessonProgress())

    @property
    def note(self) -> str:
        """What is wrong with the progress file, in one line; "" if nothing is."""
        return self._store.note

    @property
    def step(self) -> str | None:
        """The step to go on with; None before the first."""
        step = self._now.step
        return step if step in self._lesson.steps else None

    def given(self, step: str, number: int, question: Question) -> int | None:
        """What was answered to the question that is `number` in `step`; None if it was not, or reads otherwise now."""
        given = self._now.answers.get(step, [])
        if number >= len(given) or given[number].question != fingerprint(question):
            return None
        choice = given[number].given
        return choice if choice is not None and 0 <= choice < len(question.choices) else None

    def begin(self, step: str) -> None:
        """The student has come to `step`. The furthest one counts."""

        def change(progress: Progress) -> None:
            one = progress.of(self._key)
            progress.last = self._key
            if self._place(step) > self._place(one.step):
                one.step = step

        self._store.update(change)

    def answer(self, step: str, number: int, question: Question, choice: int | None) -> None:
        """An answer to the question that is `number` in `step`; those behind it are another story from now on."""

        def change(progress: Progress) -> None:
            given = progress.of(self._key).answers.setdefault(step, [])
            del given[number:]
            given += [Answer("", None, False)] * (number - len(given))
            given.append(Answer(fingerprint(question), choice, choice == question.answer))

        self._store.update(change)

    def finish(self, step: str, items: Sequence[Item]) -> None:
        """`step` has ended, with what stands on its page."""
        checks = [item for item in items if isinstance(item, Check)]

        def change(progress: Progress) -> None:
            one = progress.of(self._key)
            one.checks[step] = sum(check.holds for check in checks), len(checks)
            if step not in one.done:
                one.done.append(step)

        self._store.update(change)

    def reset(self) -> None:
        """Forget the lesson."""
        self._store.update(lambda progress: progress.lessons.pop(self._key, None) and None)

    def _place(self, step: str) -> int:
        return self._lesson.steps.index(step) if step in self._lesson.steps else -1
