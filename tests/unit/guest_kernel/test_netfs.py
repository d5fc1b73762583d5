# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's half of network files, with a driver that needs no network and does whatever the file's name says.

Whatever the driver does, the reader gets its bytes or one error, the kernel lives, and no page is lost: a missing one
would be a line of the kernel's own ("leak", "self-check"), and no line is there that is not listed.
"""

import pytest

from tests.helpers.netfs import Run, built, run

QUICK = {"ukshm.deadline": "1"}
"""20 ticks for an answer."""
CHECKED = "3: self-check: 0 findings"
FAULT = "2: killed: page fault at "
KILLED = "2: killed by another process"
NEVER = [CHECKED, "3: kill the driver 0", KILLED]


def lives_on(written: int = 0) -> str:
    """The driver's last line: it gets no file of its own, it has taken so many bytes, and has no file open."""
    return f"2: own file -35; written {written}, still open 0"


def shelf(name: str, action: str) -> Run:
    done = run(built("shelf"), name, action, switches=QUICK)
    assert done.has_ended
    return done


def by_process(lines: list[str]) -> list[str]:
    """Each process's own lines in their order: whose come first hangs on where a tick falls."""
    return sorted(lines, key=lambda line: line.partition(":")[0])


def lines(name: str, action: str) -> list[str]:
    """What was said, by process; of a fatal fault only what it was."""
    return by_process([FAULT if line.startswith(FAULT) else line for line in shelf(name, action).lines])


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("good", ["3: open 3, read 5000, close 0", CHECKED, lives_on()]),
        ("open-fault", [FAULT, "3: open -5, read -5, close -9", CHECKED]),
        pytest.param(
            "open-return", [FAULT, "3: open -5, read -5, close -9", CHECKED], marks=pytest.mark.nightly
        ),
        pytest.param("open-exit", ["3: open -5, read -5, close -9", CHECKED], marks=pytest.mark.nightly),
        ("open-never", ["3: open -110, read -110, close -9", *NEVER]),
        ("open-error", ["3: open -28, read -28, close -9", CHECKED, lives_on()]),
        (
            "open-verdict",
            ["2: an answer without sense: -22", "3: open 3, read 5000, close 0", CHECKED, lives_on()],
        ),
        ("read-fault", [FAULT, "3: open 3, read -5, close 0", CHECKED]),
        pytest.param(
            "read-return", [FAULT, "3: open 3, read -5, close 0", CHECKED], marks=pytest.mark.nightly
        ),
        pytest.param("read-exit", ["3: open 3, read -5, close 0", CHECKED], marks=pytest.mark.nightly),
        ("read-never", ["3: open 3, read -110, close 0", *NEVER]),
        pytest.param(
            "read-error", ["3: open 3, read -28, close 0", CHECKED, lives_on()], marks=pytest.mark.nightly
        ),
        (
            "read-long",
            ["2: an answer longer than a page: -22"] * 3
            + ["3: open 3, read 5000, close 0", CHECKED, lives_on()],
        ),
        (
            "read-verdict",
            ["2: an answer without sense: -22"] * 3 + ["3: open 3, read 5000, close 0", CHECKED, lives_on()],
        ),
        ("close-fault", ["3: open 3, read 5000, close 0", CHECKED, FAULT]),
        ("close-never", ["3: open 3, read 5000, close 0", *NEVER]),
        ("close-late", ["3: open 3, read 5000, close 0", CHECKED, lives_on()]),
    ],
)
def test_a_reader_gets_bytes_or_one_error_whatever_the_driver_does(name: str, wanted: list[str]) -> None:
    assert lines(name, "read") == by_process(wanted)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("good", ["3: open 3, write 4096, 1, close 0", CHECKED, lives_on(4097)]),
        ("write-fault", [FAULT, "3: open 3, write -5, -19, close -19", CHECKED]),
        ("write-never", ["3: open 3, write -110, -110, close -110", *NEVER]),
        ("write-error", ["3: open 3, write -28, -28, close 0", CHECKED, lives_on(4097)]),
        (
            "write-verdict",
            ["2: an answer without sense: -22"] * 2
            + ["3: open 3, write 4096, 1, close 0", CHECKED, lives_on(4097)],
        ),
        ("close-fault", [FAULT, "3: open 3, write 4096, 1, close -5", CHECKED]),
        ("close-never", ["3: open 3, write 4096, 1, close -110", *NEVER]),
        ("close-late", ["3: open 3, write 4096, 1, close -110", CHECKED, lives_on(4097)]),
        ("close-error", ["3: open 3, write 4096, 1, close -28", CHECKED, lives_on(4097)]),
    ],
)
def test_a_writer_learns_at_the_close_at_the_latest_that_something_went_wrong(
    name: str, wanted: list[str]
) -> None:
    assert lines(name, "write") == by_process(wanted)


def test_a_file_that_was_opened_too_late_for_its_reader_is_closed_again() -> None:
    assert lines("open-late", "again") == by_process(
        [
            "3: open -110, read -110",
            "3: again: open 3, read 5000",
            CHECKED,
            lives_on(),
        ]
    )


def test_a_driver_that_fills_the_page_after_its_time_finds_it_gone_and_dies_alone() -> None:
    assert lines("read-late", "again") == by_process(
        [
            "3: open 3, read -110",
            FAULT,
            "3: again: open 3, read -19",
            CHECKED,
        ]
    )


def test_a_reader_is_killed_while_the_driver_has_its_page_and_another_reads_on() -> None:
    killed = ["3: kill 0", "4: killed by another process"]
    assert lines("read-busy", "kill") == by_process([*killed, "3: read on: 5000", CHECKED, lives_on()])


@pytest.mark.parametrize("name", ["open-busy", "read-busy"])
def test_the_last_reader_is_killed_in_the_middle_and_the_driver_is_told(name: str) -> None:
    assert lines(name, "orphan") == by_process(
        ["3: kill 0", "4: killed by another process", CHECKED, lives_on()]
    )


@pytest.mark.parametrize("name", ["good", "read-busy"])
def test_two_who_share_an_open_file_get_each_byte_once(name: str) -> None:
    assert lines(name, "share") == by_process(
        [
            "3: both read something: 1, together 5000, the same bytes: 1",
            CHECKED,
            lives_on(),
        ]
    )


def test_what_lies_in_the_page_outlives_the_driver_and_nothing_else_does() -> None:
    assert (
        lines("good", "orphaned")
        == by_process(
            [
                "3: open 3, read 10",
                "3: kill the driver 0",
                KILLED,
                "3: what is there still 10, what is not 4057, open -19",  # 4096 - 20 bytes, and -19 for what follows
                "3: close 0",
                CHECKED,
            ]
        )
    )


def test_a_wild_pointer_loses_no_byte_and_such_a_file_is_not_mapped() -> None:
    assert lines("good", "odd") == by_process(
        [
            "3: no bytes 0, wild -14, write -9",
            "3: map -19",
            "3: read 5000",
            "3: wild -14",
            CHECKED,
            lives_on(),
        ]
    )


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("name", "failed"), [("good", 0), ("read-busy", 0), ("open-late", 1), ("close-late", 0)]
)
def test_in_a_crowd_of_readers_each_waits_for_its_turn(name: str, failed: int) -> None:
    assert lines(name, "crowd") == by_process([f"3: of 20 readers {failed} failed", CHECKED, lives_on()])


def test_without_a_driver_there_is_no_such_file() -> None:
    assert run("cat", "/net/hello", "/net/", "/net").lines == [
        "2: cat: /net/hello: error -19",
        "2: cat: /net/: error -21",
        "2: cat: /net: error -21",
    ]
