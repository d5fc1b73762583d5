# SPDX-License-Identifier: GPL-2.0-or-later
from emu.view.spans import Span, clip, harmless, line, plain, wrap


def test_control_characters_are_shown_and_not_sent() -> None:
    assert harmless("a\x1b[31mb\x07\x7f\x9b") == "a␛[31mb␇␡\\x9b"
    assert "\u202e" not in harmless("right to left \u202e override")


def test_a_tab_takes_room_and_a_letter_stays() -> None:
    assert harmless("\té♥") == "    é♥"


def test_a_clipped_line_ends_in_an_ellipsis_and_fits() -> None:
    row = line("abc", Span("defgh", "bad"))
    assert plain(clip(row, 8)) == "abcdefgh"
    assert plain(clip(row, 6)) == "abcde…"
    assert plain(clip(row, 3)) == "ab…"


def test_wrapped_text_fits_and_hangs() -> None:
    assert wrap("one two three four", 9, "  ") == ["one two", "  three", "  four"]
    assert wrap("", 9) == [""]
