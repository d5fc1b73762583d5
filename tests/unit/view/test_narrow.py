# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables of eighty columns in forty."""

from emu.view.narrow import narrowed


def test_what_fits_stays_as_it_is() -> None:
    rows = ["Title", "  a      b", "  c      d"]
    assert narrowed(rows, 40) == rows


def test_gaps_of_a_table_shrink_before_anything_wraps() -> None:
    rows = [
        "  instructions                   959    21,451",
        "  copies by instructions           1         4",
    ]
    assert narrowed(rows, 40) == [
        "  instructions             959    21,451",
        "  copies by instructions     1         4",
    ]


def test_a_last_column_goes_on_below_itself() -> None:
    rows = ["  +0      (nobody)  read()", "  +11,332 netfs     the kernel calls serve(), in ring 3"]
    assert narrowed(rows, 40) == [
        "  +0      (nobody)  read()",
        "  +11,332 netfs     the kernel calls",
        "                    serve(), in ring 3",
    ]


def test_a_row_that_the_page_had_broken_is_whole_before_it_is_broken_again() -> None:
    rows = [
        "  ring 0  mark         ukshm unmap: pid 2, linear 0x700000000000, frame_number",
        "                       0x1df, page_count 1",
        "  ring 0  mark         call end: id 2, end 2",
    ]
    assert narrowed(rows, 40) == [
        "  ring 0  mark  ukshm unmap: pid 2,",
        "                linear 0x700000000000,",
        "                frame_number 0x1df,",
        "                page_count 1",
        "  ring 0  mark  call end: id 2, end 2",
    ]


def test_sixteen_bytes_become_twice_eight_with_their_text_and_their_sign() -> None:
    rows = [
        "0x1000",
        "  - +0010  6f 66 66 69 63 65 2e 72 75 6c 65 73 00 00 00 00  office.rules....",
    ]
    assert narrowed(rows, 40) == [
        "0x1000",
        "- +0010 6f 66 66 69 63 65 2e 72 office.r",
        "- +0018 75 6c 65 73 00 00 00 00 ules....",
    ]


def test_a_dump_may_end_within_a_row_and_may_have_no_offsets() -> None:
    rows = [
        "0x1000",
        "    +0000  6f 66 66 69 63 65 2e 72 75 6c 65 73 00 00 00 00  office.rules....",
        "    +0010  cb 00 71 09                                      ..q.",
    ]
    assert narrowed(rows, 40)[1:] == [
        "+0000  6f 66 66 69 63 65 2e 72  office.r",
        "+0008  75 6c 65 73 00 00 00 00  ules....",
        "+0010  cb 00 71 09              ..q.",
    ]
    bare = "  6f 66 66 69 63 65 2e 72 75 6c 65 73 00 00 00 00  office.rules...."
    assert narrowed([bare], 40) == [
        "  6f 66 66 69 63 65 2e 72  office.r",
        "  75 6c 65 73 00 00 00 00  ules....",
    ]


def test_one_event_is_no_table_of_numbers() -> None:
    rows = [
        "The store:",
        "  ring 3  fault        Refused: a user-mode write to the window, where nothing is mapped",
    ]
    assert " ".join(" ".join(narrowed(rows, 40)).split()) == " ".join(" ".join(rows).split())


def test_a_heading_that_is_too_long_wraps() -> None:
    assert narrowed(["The same bytes, by one read:    from the archive"], 30) == [
        "The same bytes, by one read:",
        "    from the archive",
    ]


def test_two_registers_of_a_row_stand_below_each_other() -> None:
    rows = ["Registers:", "  rip    0x0000_0000_0040_0e70    rflags 0x0000_0000_0000_0602"]
    assert narrowed(rows, 40)[1:] == ["  rip    0x0000_0000_0040_0e70", "  rflags 0x0000_0000_0000_0602"]


def test_a_long_sentence_is_not_pressed_into_a_last_column_of_a_few_letters() -> None:
    rows = ["  ring 0  invalidate   " + "word " * 30, "  ring 0  mark         " + "word " * 3]
    assert narrowed(rows, 40)[1].startswith(" " * 10 + "word")


def test_a_table_of_many_numbers_becomes_several_each_with_its_first_column() -> None:
    rows = [
        "  a packet           instr.   cycles  accesses",
        "  kernel              1,435   ~1,675       644",
        "  copy                2,856   ~3,420     1,374",
    ]
    assert narrowed(rows, 30) == [
        "  a packet  instr.  cycles",
        "  kernel     1,435  ~1,675",
        "  copy       2,856  ~3,420",
        "  a packet  accesses",
        "  kernel         644",
        "  copy         1,374",
    ]


def test_bars_and_points_are_drawn_smaller_on_one_scale() -> None:
    bars = ["  kernel   1,435  " + "#" * 20, "  copy     2,856  " + "#" * 40]
    assert narrowed(bars, 36) == ["  kernel  1,435 " + "#" * 10, "  copy    2,856 " + "#" * 20]
    points = ["     64 bytes  |c" + " " * 39 + "u", "  1,500 bytes ~|r" + " " * 19 + "c"]
    assert narrowed(points, 36) == [
        "     64 bytes   |c" + " " * 16 + "u",
        "  1,500 bytes ~ |r" + " " * 7 + "c",
    ]
