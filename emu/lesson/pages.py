# SPDX-License-Identifier: GPL-2.0-or-later
"""What a step leaves behind for the student: plain values that a screen, a page of text and a grader read alike."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol, runtime_checkable

LETTERS: Final = "abcdefg"
"""What a question's choices are called, in order; h is the hint."""


@dataclass(frozen=True, slots=True)
class Question:
    """A prediction: `answer` is the index of the right choice, counted from 0."""

    text: str
    choices: tuple[str, ...]
    answer: int
    hint: str

    def lines(self) -> list[str]:
        """The question and its choices, by letters."""
        return [
            self.text,
            *(f"  {self.label(number)} {choice}" for number, choice in enumerate(self.choices)),
        ]

    @staticmethod
    def label(number: int) -> str:
        """What stands before choice `number`: "a)"."""
        return f"{LETTERS[number]})"

    def __str__(self) -> str:
        return "\n".join(self.lines())


@dataclass(frozen=True, slots=True)
class Check:
    """Something that must hold, and whether it did."""

    message: str
    holds: bool

    def lines(self) -> list[str]:
        """One line: a mark and the message."""
        return [f"{'✓' if self.holds else '✗'} {self.message}"]

    def __str__(self) -> str:
        return self.lines()[0]


@runtime_checkable
class View(Protocol):
    """Anything shown on a page: it knows its own lines of text."""

    def lines(self) -> list[str]:
        """The view as lines of text."""
        ...


Item = str | Question | Check | View
"""What a page holds: a paragraph of Markdown, a question, a check, or a view."""


def is_prose(item: Item) -> bool:
    """Whether an item is a paragraph of Markdown. What the guest has printed is text too, and keeps its lines."""
    return isinstance(item, str) and not isinstance(item, View)


@dataclass
class Page:
    """What one step has shown, asked and checked, in order."""

    items: list[Item] = field(default_factory=lambda: [])

    @property
    def questions(self) -> list[Question]:
        """The questions, in order."""
        return [item for item in self.items if isinstance(item, Question)]

    @property
    def checks(self) -> list[Check]:
        """The checks, in order."""
        return [item for item in self.items if isinstance(item, Check)]

    @property
    def passed(self) -> bool:
        """Whether every check holds."""
        return all(check.holds for check in self.checks)


Asker = Callable[[Question], int | None]
"""Puts a question to the student; None if nobody is there to answer."""
