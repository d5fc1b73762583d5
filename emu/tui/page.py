# SPDX-License-Identifier: GPL-2.0-or-later
"""A step's page as lines: prose, what was shown, questions with their answers, checks."""

from collections.abc import Sequence
from dataclasses import dataclass

from emu.lesson.pages import LETTERS, Check, Item, Question, View
from emu.view.narrow import narrowed
from emu.view.prose import prose_lines
from emu.view.spans import COVER, Line, Span, harmless, line, linked, wrap


@dataclass(frozen=True)
class PageState:
    """What the student sees of one step. `answers` by question, in order; `open` waits for one.

    `closing` is prose that comes when all of the step has been seen.
    """

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
    score: str = ""
    """At the end of the lesson: what came of it."""


def page_lines(page: PageState, width: int) -> list[Line]:
    """The whole page; what is asked or came out last is at the bottom."""
    rows = prose_lines(page.prose, width)
    number = 0
    shown = 0
    for item in page.items:
        rows.append(line(""))
        if isinstance(item, Question):
            given = page.answers[number] if number < len(page.answers) else None
            rows += _question(item, page, given, width)
            number += 1
        elif isinstance(item, Check):
            rows.pop()
            rows += _check(item, page, width)
        elif isinstance(item, View):
            shown += 1
            rows += _shown(item.lines(), shown, width, is_walk(item))
        else:
            rows += prose_lines(item, width)
    if page.done and page.closing and not page.error:
        rows += [line(""), *prose_lines(page.closing, width)]
    return rows + _end(page, width)


def is_walk(item: Item) -> bool:
    """Whether the walk panel can show it."""
    return hasattr(item, "rows") and hasattr(item, "linear") and hasattr(item, "tlb")


def score_of(pages: Sequence[PageState]) -> str:
    """What came of a lesson: its questions, those passed over too, and its checks."""
    questions = [item for page in pages for item in page.items if isinstance(item, Question)]
    answers = [given for page in pages for given in page.answers]
    right = sum(given == asked.answer for asked, given in zip(questions, answers, strict=False))
    checks = [item.holds for page in pages for item in page.items if isinstance(item, Check)]
    told = f"{right} of {len(answers)} questions answered right, " if answers else ""
    return f": {told}{sum(checks)} of {len(checks)} checks hold"


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


def _spoken(text: str) -> str:
    """A question's or a check's text, without the marks of Markdown for code."""
    return harmless(text).replace("`", "")


def _is_asked(row: Line) -> bool:
    return bool(row) and all(span.role == "strong" for span in row)


def _question(question: Question, page: PageState, given: int | None, width: int) -> list[Line]:
    is_open = page.open is question
    rows = [line(Span(text, "strong")) for text in wrap(_spoken(question.text), width)]
    for index, choice in enumerate(question.choices):
        mark, role = _choice_mark(question, index, given, is_open)
        texts = wrap(_spoken(choice), width - 5)
        link = f"choice:{index}" if is_open else ""
        head = line(Span(f"{mark} {LETTERS[index]}) ", role or "flag"), Span(texts[0], role))
        rows += [
            linked(row, link) for row in (head, *(line("     ", Span(text, role)) for text in texts[1:]))
        ]
    if not is_open:
        return rows + (_after_wrong(question, width) if _is_wrong(question, page, given) else [])
    rungs = ladder(question)
    for number, hint in enumerate(rungs[: page.hint], 1):
        lead = "hint " if len(rungs) == 1 else f"hint {number} of {len(rungs)} "
        for text in wrap(harmless(hint), width - len(lead)):
            rows.append(line(Span(lead, "dim"), Span(text, "em")))
            lead = " " * len(lead)
    letters = " ".join(LETTERS[: len(question.choices)])
    ask = f"your answer: {letters}" + ("   hint: h" if page.hints_allowed and page.hint < len(rungs) else "")
    return [*rows, line(Span(ask, "changed"))]


def _is_wrong(question: Question, page: PageState, given: int | None) -> bool:
    return given is not None and given != question.answer and page.hints_allowed


def _after_wrong(question: Question, width: int) -> list[Line]:
    """Where to look again: the lesson's own hint."""
    return [line(Span(text, "em")) for text in wrap(harmless(f"Look again: {question.hint}"), width)]


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
    texts = wrap(_spoken(check.message), width - len(mark) - 1)
    lead = " " * (len(mark) + 1)
    return [line(Span(f"{mark} ", role), texts[0]), *(line(lead, text) for text in texts[1:])]


def _shown(lines: Sequence[str], number: int, width: int, is_walk: bool) -> list[Line]:
    """A view that the lesson shows. Of a walk, its head and result: v shows it as a walk."""
    kept = _head_and_result(lines) if is_walk else lines
    rows = [line(Span(f"┤ shown {number} ├" + (" v: in the walk panel" if is_walk else ""), "dim"))]
    texts = narrowed([harmless(text) for text in kept], width)
    return rows + [line(Span(text, "code")) for text in texts]


def _head_and_result(lines: Sequence[str]) -> list[str]:
    """Of a walk's lines, the first, and those from the arrow on that belong to it."""
    at = next((i for i, text in enumerate(lines) if text.startswith("  -> ")), len(lines))
    result = [*lines[at : at + 1]]
    for text in lines[at + 1 :]:
        if not text.startswith("     "):
            break
        result.append(text)
    return [lines[0], *result]


def _end(page: PageState, width: int) -> list[Line]:
    if page.error:
        return [line(""), *(line(Span(text, "bad")) for text in wrap("✗ " + harmless(page.error), width))]
    if page.status:
        return [line(""), line(Span(page.status, "changed"))]
    if page.open is not None or not page.done:
        return []
    text = f"the lesson ends here{page.score}; go back with [, leave with q" if page.last else "go on with ]"
    if page.in_lab:
        text = f"save a file of the lab, and it is checked again; {text}"
    if page.standing:
        text = f"you stand {page.standing}; End is now; {text}"
    return [line(""), *(line(Span(part, "changed")) for part in wrap(text, width))]
