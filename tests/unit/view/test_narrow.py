# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines of eighty columns in a panel of forty."""

import pytest

from emu.lesson.views import EventLine, EventsView, MemoryView, Text
from emu.view.narrow import narrowed

TABLE = [
    "Who may:",
    "                  ring 3  ring 3  ring 0  ring 0  ring 0",
    "                  read    write   read    write   fetch",
    "  program: data   yes     yes     SMAP    SMAP    SMEP",
]


def test_what_fits_is_left_alone() -> None:
    assert narrowed(["  a   b", "c"], 40) == ["  a   b", "c"]


def test_a_table_comes_closer_before_anything_is_wrapped() -> None:
    assert narrowed(["  one          two", "  12345678     2"], 14) == [" one       two", " 12345678  2"]


def test_a_table_with_many_columns_goes_on_below_behind_its_first_column() -> None:
    rows = narrowed(TABLE, 40)
    assert rows[1:4] == [
        "                 ring 3  ring 3  ring 0",
        "                 read    write   read",
        "  program: data  yes     yes     SMAP",
    ]
    assert rows[-1].split() == ["program:", "data", "SMAP", "SMEP"]


def test_a_table_whose_cells_are_long_is_wrapped_in_its_columns() -> None:
    rows = narrowed(["  change     what the TLB says", "  P cleared  page fault, then works"], 20)
    assert rows == [
        "change    what the",
        "          TLB says",
        "P cleared page",
        "          fault,",
        "          then works",
    ]


def test_a_row_too_wide_for_its_columns_stands_below_its_name() -> None:
    rows = narrowed(["  SMAP_IMPLICIT_ACCESS  0x1  the IDT", "  NOT_PRESENT           0x4  faults"], 24)
    assert rows == ["SMAP_IMPLICIT_ACCESS", "    0x1 · the IDT", "NOT_PRESENT", "    0x4 · faults"]


def test_a_dump_is_cut_between_bytes_and_the_text_stays_beside_them() -> None:
    view = MemoryView(0x1000, "0x1000", b"BCDEFGHIJKLMNOPQ", b"aCDEFGHIJKLMNOPQ")
    assert narrowed(view.lines(), 40)[-2:] == [
        "+ +0000 42 43 44 45 46 47 48 49 BCDEFGHI",
        "+ +0008 4a 4b 4c 4d 4e 4f 50 51 JKLMNOPQ",
    ]


def test_a_sentence_that_was_wrapped_before_is_wrapped_once() -> None:
    why = "Miss: no array held the page of window for PCID 2; the walk read four entries, set A and D in the PTE"
    rows = narrowed(EventsView("All:", (EventLine(1, 1, 3, "access", why),)).lines(), 40)
    assert " ".join(" ".join(rows[1:]).split()) == f"ring 3 access {why}"
    assert all(len(row) > 25 for row in rows[1:-1])


@pytest.mark.parametrize("width", [20, 38, 40, 54])
def test_no_line_is_wider_than_the_panel(width: int) -> None:
    assert all(len(row) <= width for row in narrowed([*TABLE, "a sentence of many words, " * 4], width))


def test_rows_of_a_table_keep_their_columns_when_one_begins_with_an_empty_cell() -> None:
    head, row = Text("", (f"{'':<10}read", f"{'data':<10}yes")).lines()[1:]
    assert head.index("read") == row.index("yes")
