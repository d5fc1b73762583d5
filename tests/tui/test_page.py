# SPDX-License-Identifier: GPL-2.0-or-later
"""A step's page: what is asked, what is covered, where to scroll."""

from dataclasses import replace

import pytest

from emu.events import Faulted, Returned
from emu.lesson.boot import BootRequest
from emu.lesson.pages import Check, Question
from emu.lesson.views import Console, EventLine, EventsView
from emu.tui.layout import PANELS, places
from emu.tui.page import PageState, first_news, page_lines, score_of
from emu.tui.past import story
from emu.tui.screens.lesson import told_fault
from emu.tui.screens.stage import StepState
from emu.tui.teacher import Head
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


@pytest.mark.parametrize(("given", "marks"), [(0, ["✗ a)", "✓ b)"]), (1, ["  a)", "✓ b)"])])
def test_an_answer_is_marked(given: int, marks: list[str]) -> None:
    shown = text(PageState("", (QUESTION,), answers=(given,)))
    assert all(mark in shown for mark in marks)


def test_marks_for_code_in_a_question_are_not_read_out() -> None:
    question = Question("Where is `a->b`?", ("in `c`", "nowhere"), 1, "")
    shown = text(PageState("", (question, Check("`d` holds", True)), answers=(1,)))
    assert "Where is a->b?" in shown and "in c" in shown and "✓ d holds" in shown


def test_a_wrong_answer_is_told_where_to_look() -> None:
    assert "Look again: Not this." in text(PageState("", (QUESTION,), answers=(0,)))
    for page in (PageState("", (QUESTION,), answers=(1,)), PageState("", (QUESTION,), answers=(None,))):
        assert "Not this." not in text(page)
    assert "Not this." not in text(PageState("", (QUESTION,), answers=(0,), hints_allowed=False))


def test_checks_are_covered_while_a_question_is_open() -> None:
    items = (Check("it holds", True), QUESTION)
    assert "▒▒▒ it holds" in text(PageState("", items, open=QUESTION))
    assert "✓ it holds" in text(PageState("", items, answers=(1,)))


def test_what_closes_a_lesson_comes_when_its_last_step_has_been_seen() -> None:
    page = PageState("Prose.", (QUESTION,), open=QUESTION, closing="Try this.")
    assert "Try this." not in text(page)
    assert text(replace(page, open=None, done=True)).index("Which?") < text(replace(page, done=True)).index(
        "Try"
    )


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


def fault(seq: int, insn: int) -> Faulted:
    return Faulted(
        seq=seq, insn=insn, cpu=0, cpl=3, rip=0, vector=14, error=7, error_bits="", cr2=0, reason="",
        entry=None, entry_value=None, level=None,
    )  # fmt: skip


@pytest.mark.parametrize(("told", "stands"), [((8, 200), (199, 9)), ((8, 201), None), ((99, 200), None)])
def test_a_step_stands_at_the_fault_that_its_page_tells_of_if_the_head_has_met_it(
    told: tuple[int, int], stands: tuple[int, int] | None
) -> None:
    view = EventsView("The store:", (EventLine(told[0], told[1], 3, "fault", "Refused"),))
    head = Head(0, BootRequest(None), (), 300, 20, False, [fault(5, 100), fault(8, 200)])
    assert told_fault(StepState(PageState("", (view,)), head=head)) == stands


def test_the_last_page_says_what_came_of_the_lesson() -> None:
    pages = [
        PageState("", (QUESTION, Check("one", True)), answers=(1,)),
        PageState("", (QUESTION, Check("two", False)), answers=(0,)),
        PageState("", (QUESTION, Check("three", True)), answers=(None,), done=True, last=True),
    ]
    said = score_of(pages)
    assert said == ": 1 of 3 questions answered right, 2 of 3 checks hold"
    assert said in " ".join(text(replace(pages[-1], score=said)).split())
    assert score_of([PageState("", (Check("one", True),))]) == ": 1 of 1 checks hold"


def test_the_guest_s_console_keeps_its_lines() -> None:
    assert "  first\n  second" in text(PageState("", (Console("first\nsecond\n"),), done=True))


def faulted(seq: int, rip: int) -> Faulted:
    return Faulted(
        seq=seq,
        insn=seq,
        cpu=0,
        cpl=3,
        rip=rip,
        vector=14,
        error=7,
        error_bits="",
        cr2=0x5000,
        reason="",
        entry=None,
        entry_value=None,
        level=None,
    )


def test_a_fault_whose_instruction_is_let_try_again_is_no_place_to_stand() -> None:
    back = Returned(seq=3, insn=3, cpu=0, cpl=0, rip=1, instruction="iret", to_rip=0x400100, to_cpl=3)
    request = BootRequest("cow", (), "haswell", (), 32, 0)
    mended, refused = [faulted(2, 0x400100), back], [faulted(4, 0x400104)]
    for events, words in ((mended, ""), (refused, "at the fault"), (mended + refused, "at the fault")):
        head = Head(0, request, (), 9, 9, False, events)
        stop, said = story(head, 0)
        assert said == words
        assert stop == ((3, 5) if words else (9, 9))
