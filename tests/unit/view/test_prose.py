# SPDX-License-Identifier: GPL-2.0-or-later
import pytest

from emu.view.prose import prose_lines
from emu.view.spans import plain


def text(markdown: str, width: int = 40) -> list[str]:
    return [plain(row) for row in prose_lines(markdown, width)]


def test_a_paragraph_flows_into_the_width() -> None:
    assert text("one two\nthree four", 9) == ["one two", "three", "four"]


def test_lists_hang_and_code_keeps_its_shape() -> None:
    assert text("- one two three\n- four", 10) == ["• one two", "  three", "• four"]
    assert text("```c\nif (a)\n    b;\n```") == ["  if (a)", "      b;"]


def test_marks_become_roles_and_leave_no_trace() -> None:
    rows = prose_lines("call `map`, then **stop**.", 40)
    assert plain(rows[0]) == "call map, then stop."
    assert {span.role for span in rows[0]} == {"", "code", "strong"}


def test_the_bar_of_a_quotation_stands_before_each_of_its_lines() -> None:
    assert text("> one two\n> three", 9) == ["│ one two", "│ three"]


def test_a_mark_behind_code_stays_with_it() -> None:
    assert text("see `a.b`: there", 7) == ["see", "a.b:", "there"]


@pytest.mark.parametrize("width", [20, 44, 78])
def test_no_line_is_wider_than_the_panel(width: int) -> None:
    markdown = "A sentence of *many* words that must `flow` into what there is.\n\n> quoted, and long enough"
    assert all(len(row) <= width for row in text(markdown, width))


def test_markup_and_escapes_in_a_lesson_stay_text() -> None:
    assert text("[red]x[/red] \x1b[0m") == ["[red]x[/red] ␛[0m"]


def test_a_full_stop_stays_with_the_code_before_it() -> None:
    assert text("run `it now`.", 10) == ["run it", "now."]


def test_every_line_of_a_quotation_is_marked_and_long_headings_wrap() -> None:
    assert text("> one two three", 9) == ["│ one two", "│ three"]
    assert text("# one two three", 9) == ["one two", "three"]


def test_code_that_is_too_wide_goes_on_below() -> None:
    assert text("```\nGFP_WAIT   may take pages\nGFP_DMA    is low\n```", 20)[0] == "GFP_WAIT may take"
