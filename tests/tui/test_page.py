# SPDX-License-Identifier: GPL-2.0-or-later
"""A step's page: what is asked, what is covered, where to scroll."""

from dataclasses import replace

import pytest

from emu.lesson.pages import Check, Question
from emu.tui.layout import PANELS, places
from emu.tui.page import PageState, first_news, page_lines
from emu.view.spans import plain

QUESTION = Question("Which?", ("this", "that"), 1, "Not this.")


def text(page: PageState, width: int = 40) -> str:
    return "\n".join(plain(row) for row in page_lines(page, width))


def test_an_open_question_offers_letters_and_a_hint() -> None:
    page = PageState("Prose.", (QUESTION,), open=QUESTION)
    assert "your answer: a b   hint: h" in text(page)
    assert "Not this." not in text(page)
    assert "✓" not in text(page)


def test_a_hint_is_shown_when_asked_for_and_not_offered_where_the_lesson_has_none() -> None:
    assert "hint Not this." in text(PageState("", (QUESTION,), open=QUESTION, hint=1))
    assert "hint" not in text(PageState("", (QUESTION,), open=QUESTION, hints_allowed=False))


@pytest.mark.parametrize(("given", "marks"), [(0, ["✗a)", "✓b)"]), (1, [" a)", "✓b)"])])
def test_an_answer_is_marked(given: int, marks: list[str]) -> None:
    shown = text(PageState("", (QUESTION,), answers=(given,)))
    assert all(mark in shown for mark in marks)


def test_checks_are_covered_while_a_question_is_open() -> None:
    items = (Check("it holds", True), QUESTION)
    assert "▒▒▒ it holds" in text(PageState("", items, open=QUESTION))
    assert "✓ it holds" in text(PageState("", items, answers=(1,)))


def test_marks_of_code_and_emphasis_are_read_in_questions_choices_hints_and_checks() -> None:
    question = Question("What does `open` *know*?", ("`ENODEV`", "nothing"), 1, "See `open`.")
    for page in (
        PageState("", (Check("`open` is done", True), question), open=question, hint=1),
        PageState("", (question, "Result."), answers=(1,)),
    ):
        shown = text(page)
        assert "What does open know?" in shown
        assert "a) ENODEV" in shown
        assert "`" not in shown
    after = page_lines(page, 40)
    assert first_news(page_lines(PageState("", (question,), open=question), 40), after, 14) == 1


def test_text_of_a_lesson_is_never_sent_as_an_escape() -> None:
    assert "\x1b" not in text(PageState("a \x1b[31m", ("b \x1b[0m", Check("c \x07", False))))


def test_a_grown_page_scrolls_to_the_question_that_was_answered() -> None:
    before = page_lines(PageState("Prose.\n\nMore.", (QUESTION,), open=QUESTION), 40)
    after = page_lines(PageState("Prose.\n\nMore.", (QUESTION, "Result."), answers=(1,)), 40)
    assert plain(after[first_news(before, after, 14)]) == "Which?"


@pytest.mark.parametrize("size", [(80, 24), (100, 40), (110, 32), (120, 36), (140, 50), (160, 48), (250, 80)])
def test_panels_never_overlap_and_never_leave_the_screen(size: tuple[int, int]) -> None:
    taken: set[tuple[int, int]] = set()
    for place in places(*size).values():
        cells = {
            (x, y)
            for x in range(place.x, place.x + place.width)
            for y in range(place.y, place.y + place.height)
        }
        assert not cells & taken
        assert all(0 <= x < size[0] and 1 <= y < size[1] - 1 for x, y in cells)
        assert place.height >= 3
        taken |= cells
    assert len(taken) == size[0] * (size[1] - 2), "no cell is left empty"


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_alone_has_all_the_room(panel: str) -> None:
    assert places(80, 24, panel) == {panel: (0, 1, 80, 22)}


def test_what_to_try_comes_when_the_step_is_done_and_not_before_its_question() -> None:
    page = PageState("Prose.", (QUESTION,), open=QUESTION, closing="# Try this yourself\n\n- run it")
    assert "Try this" not in text(page)
    done = text(replace(page, open=None, answers=(1,), done=True, last=True))
    assert done.index("Which?") < done.index("• run it") < done.index("the lesson ends here")
