# SPDX-License-Identifier: GPL-2.0-or-later
"""What is remembered of a student, and its form as JSON. Reading trusts nothing."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

FORMAT_VERSION: Final = 1


class ProgressError(Exception):
    """A progress file cannot be used: one line. `word` says why in a file's name: "damaged" or "version-7"."""

    def __init__(self, path: Path, why: str, word: str = "damaged") -> None:
        super().__init__(f"{path}: {why}")
        self.word = word


@dataclass(frozen=True, slots=True)
class Answer:
    """A prediction: `question` is its fingerprint, `given` the choice counted from 0, None if passed over."""

    question: str
    given: int | None
    right: bool


@dataclass(slots=True)
class LessonProgress:
    """How far one lesson has come.

    `step` is the furthest step begun, `done` the steps that have ended, `answers` those to each step's questions in
    order, `checks` how many of a step's checks held, and of how many.
    """

    step: str = ""
    done: list[str] = field(default_factory=lambda: [])
    answers: dict[str, list[Answer]] = field(default_factory=lambda: {})
    checks: dict[str, tuple[int, int]] = field(default_factory=lambda: {})

    @property
    def asked(self) -> int:
        """Questions answered."""
        return sum(answer.given is not None for given in self.answers.values() for answer in given)

    @property
    def right(self) -> int:
        """Questions answered right."""
        return sum(answer.right for given in self.answers.values() for answer in given)


@dataclass(slots=True)
class Progress:
    """Everything remembered: lessons by their key, the one last opened, and how the screen is to look."""

    lessons: dict[str, LessonProgress] = field(default_factory=lambda: {})
    last: str = ""
    theme: str = ""

    def of(self, key: str) -> LessonProgress:
        """The progress of one lesson, kept from now on."""
        return self.lessons.setdefault(key, LessonProgress())


def to_json(progress: Progress) -> dict[str, Any]:
    """The progress as plain values."""
    lessons = {
        key: {
            "step": one.step,
            "done": one.done,
            "answers": {
                step: [{"question": a.question, "given": a.given, "right": a.right} for a in given]
                for step, given in one.answers.items()
            },
            "checks": {step: list(pair) for step, pair in one.checks.items()},
        }
        for key, one in progress.lessons.items()
    }
    return {
        "format_version": FORMAT_VERSION,
        "last": progress.last,
        "theme": progress.theme,
        "lessons": lessons,
    }


def from_json(value: object, path: Path) -> Progress:
    """Plain values as progress. ProgressError for what is none, or is from a later version."""
    try:
        top = _object(value)
        version = _number(top["format_version"])
        if version > FORMAT_VERSION:
            raise ProgressError(path, f"written by a later Pagewalk (format {version})", f"version-{version}")
        return Progress(
            {key: _lesson(one) for key, one in _object(top["lessons"]).items()},
            _text(top["last"]),
            _text(top["theme"]),
        )
    except (KeyError, TypeError, RecursionError):
        raise ProgressError(path, "damaged, not a progress file") from None


def _lesson(value: object) -> LessonProgress:
    one = _object(value)
    return LessonProgress(
        _text(one["step"]),
        [_text(step) for step in _list(one["done"])],
        {step: [_answer(a) for a in _list(given)] for step, given in _object(one["answers"]).items()},
        {step: _pair(pair) for step, pair in _object(one["checks"]).items()},
    )


def _answer(value: object) -> Answer:
    one = _object(value)
    given = one["given"]
    return Answer(_text(one["question"]), None if given is None else _number(given), one["right"] is True)


def _pair(value: object) -> tuple[int, int]:
    pair = _list(value)
    if len(pair) != 2:
        raise TypeError("not a pair")
    return _number(pair[0]), _number(pair[1])


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return cast("dict[str, Any]", value)


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return cast("list[Any]", value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("not a whole number")
    return value
