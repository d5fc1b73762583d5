# SPDX-License-Identifier: GPL-2.0-or-later
"""A step's page as lines: prose, what was shown, questions with their answers, checks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from emu.lesson.pages import Check, Item, Question
from emu.view.narrow import narrowed
from emu.view.prose import flow, prose_lines
from emu.view.spans import COVER, Line, Span, harmless, line, linked, wrap

LETTERS: Final = "abcdefgh"
_ASKED: Final = ("strong", "code", "em")
"""Roles of a question's words."""


@dataclass(frozen=True)
class PageState:
    """What the student sees of one step. `answers` by question, in order; `open` waits for one."""

    prose: str
    items: tuple[Item, ...] = ()
    answers: tuple[int | None, ...] = ()
    open: Question | None = None
    hint: int = 0
    """How many rungs of the hint ladder are shown."""
    hints_allowed: bool = True
    done: bool = False
    last: bool = False
    error: str = ""
    status: str = ""
    standing: str = ""
    in_lab: bool = False
    closing: str = ""
    """What the lesson says after this step, at the end of its page: what to try, say."""


def page_lines(page: PageState, width: int) -> list[Line]:
    """The whole page; what is asked or came out last is at the bottom."""
    rows = prose_lines(page.prose, width)
    number = 0
    shown = 0
    for item in page.items:
        rows.append(line(""))
        if isinstance(item, str):
            rows += prose_lines(item, width)
        elif isinstance(item, Question):
            given = page.answers[number] if number < len(page.answers) else None
            rows += _question(item, page, given, width)
            number += 1
        elif isinstance(item, Check):
            rows.pop()
            rows += _check(item, page, width)
        else:
            shown += 1
            rows += _shown(item.lines(), shown, width, is_walk(item))
    if page.closing and page.done and not page.error:
        rows += [line(""), *prose_lines(page.closing, width)]
    return rows + _end(page, width)


def is_walk(item: Item) -> bool:
    """Whether the walk panel can show it."""
    return hasattr(item, "rows") and hasattr(item, "linear") and hasattr(item, "tlb")


def first_news(old: Sequence[Line], new: Sequence[Line], height: int) -> int:
    """The row to scroll to when a page has grown: its first new line, with the question above it if there is room."""
    news = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), len(old))
    start = max(0, news - 2)
    for row in range(news, max(0, news - height + 6), -1):
        if _is_asked(new[row - 1]) and not _is_asked(new[row - 2] if row > 1 else ()):
            return row - 1
    return start


def ladder(question: Question) -> list[str]:
    """The hints one after the other: what the lesson gives (its paragraphs), then wrong choices that fall away.

    At least one wrong choice always stays.
    """
    rungs = [part.strip() for part in question.hint.split("\n\n") if part.strip()]
    wrong = [n for n in range(len(question.choices)) if n != question.answer]
    return rungs + [f"It is not {LETTERS[number]}." for number in wrong[1:]]


def _is_asked(row: Line) -> bool:
    return any(span.role == "strong" for span in row) and all(span.role in _ASKED for span in row)


def _question(question: Question, page: PageState, given: int | None, width: int) -> list[Line]:
    is_open = page.open is question
    rows = flow(question.text, width, "strong")
    for index, choice in enumerate(question.choices):
        mark, role = _choice_mark(question, index, given, is_open)
        link = f"choice:{index}" if is_open else ""
        head = Span(f" {mark}{LETTERS[index]}) ", role or "flag")
        rows += [linked(row, link) for row in _behind(head, flow(choice, width - 5, role))]
    if not is_open:
        return rows
    rungs = ladder(question)
    for number, hint in enumerate(rungs[: page.hint], 1):
        lead = "hint " if len(rungs) == 1 else f"hint {number} of {len(rungs)} "
        rows += _behind(Span(lead, "dim"), flow(hint, width - len(lead), "em"))
    letters = " ".join(LETTERS[: len(question.choices)])
    ask = f"your answer: {letters}" + ("   hint: h" if page.hints_allowed and page.hint < len(rungs) else "")
    return [*rows, line(Span(ask, "changed"))]


def _choice_mark(question: Question, index: int, given: int | None, is_open: bool) -> tuple[str, str]:
    """(mark, role) of a choice: after the answer, ✓ on the right one and ✗ on a wrong one that was taken."""
    if is_open or given is None:
        return " ", ""
    if index == question.answer:
        return "✓", "good"
    return ("✗", "bad") if index == given else (" ", "dim")


def _check(check: Check, page: PageState, width: int) -> list[Line]:
    covered = page.open is not None
    mark, role = (COVER, "cover") if covered else ("✓", "good") if check.holds else ("✗", "bad")
    return _behind(Span(f"{mark} ", role), flow(check.message, width - len(mark) - 1))


def _behind(lead: Span, rows: Sequence[Line]) -> list[Line]:
    """`rows` behind `lead`, and below it as far to the right."""
    hang = Span(" " * len(lead.text))
    return [(hang if number else lead, *row) for number, row in enumerate(rows)]


def _shown(lines: Sequence[str], number: int, width: int, is_walk: bool) -> list[Line]:
    """A view that the lesson shows. Of a walk, its head and result: v shows it as a walk."""
    kept = [lines[0], *(text for text in lines[1:] if text.startswith("  -> "))] if is_walk else list(lines)
    rows = [line(Span(f"┤ shown {number} ├" + (" v: in the walk panel" if is_walk else ""), "dim"))]
    return rows + [line(Span(text, "code")) for text in narrowed([harmless(text) for text in kept], width)]


def _end(page: PageState, width: int) -> list[Line]:
    if page.error:
        return [line(""), *(line(Span(text, "bad")) for text in wrap("✗ " + harmless(page.error), width))]
    if page.status:
        return [line(""), line(Span(page.status, "changed"))]
    if page.open is not None or not page.done:
        return []
    text = "the lesson ends here; go back with [, leave with q" if page.last else "go on with ]"
    if page.in_lab:
        text = f"save a file of the lab, and it is checked again; {text}"
    if page.standing:
        text = f"you stand {page.standing}; End is now; {text}"
    return [line(""), *(line(Span(part, "changed")) for part in wrap(text, width))]
