# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from emu.lesson.model import find_lesson
from tests.helpers.lesson_runs import failing_with, judge_quotations, student

pytestmark = pytest.mark.long

LESSON = find_lesson("verdict")


def test_the_letters_words_are_quoted_exactly_and_marked():
    judge_quotations(
        LESSON,
        "by effectively eliminating all data transfer overhead to and from the kernel "
        "in a secure and efficient manner",
        '"without copying ram or using syscalls"',
        '"moving CODE from kernel space to userspace"',
        '"a part of the kernel\'s private ramspace"',
        '"nudge the idea the right way"',
    )


def test_no_figure_of_the_machine_stands_in_the_scenario_or_the_prose():
    """A later sweep replaces the numbers, not the lesson."""
    for name in ("scenario.py", "lesson.md"):
        text = (LESSON.folder / name).read_text()
        for figure in ("1,435", "1435", "2,856", "2856", "4,192", "4192", "2,950", "2950"):
            assert figure not in text, (name, figure)


def test_what_the_student_sees_is_on_the_page():
    text = student(LESSON.id).text
    for expected in (
        "system call: ukshm_ack",
        "a packet           instr.   cycles  accesses  misses  walks  INVLPG  rings",
        "instructions a packet      1 at once     4 at once    16 at once",
        "(beyond a frame; ",
        "bytes ~|",
        "the lines of copy and ukshm meet beyond one Ethernet frame",
        "2018  AF_XDP            mapped once, ownership goes through rings   ring",
    ):
        assert expected in text, expected


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("old", "new", "fails"),
    [
        pytest.param(
            "start(self.lab, self.path)",
            'start(self.lab, {"copy": "ukshm", "ukshm": "copy"}.get(self.path, self.path))',
            {
                "for a small packet, to map and unmap costs more instructions than to copy",
                "ukshm alone invalidates: once for each packet",
                "a copy costs more, the more there is to copy",
            },
            id="copy and ukshm exchanged",
        ),
        pytest.param(
            'spent["invalidations"],',
            "0.0,",
            {
                "ukshm alone invalidates: once for each packet",
                "to map gains nothing by a batch: each page is taken back singly",
            },
            id="invalidations left out of the count",
        ),
        pytest.param(
            "            self.warm_the_ring()\n",
            "",
            {"nor does the ring, once the card fills pages of the ring"},
            id="a ring whose pages the card does not have yet",
        ),
        pytest.param(
            "bench.measure(SMALL, batch)",
            "bench.measure(SMALL, 1)",
            {"less than one change of ring a packet: the system calls are shared"},
            id="batches that come one by one",
        ),
        pytest.param(
            'bench.lab.set_switch(switch, "none" if',
            'bench.lab.set_switch(switch, "all" if',
            {
                "without the invalidation there is none in the count",
                "by the model, not to invalidate saves cycles",
            },
            id="an invalidation that was to be left out",
        ),
    ],
)
def test_an_error_in_the_measurement_is_noticed(tmp_path: Path, old: str, new: str, fails: set[str]):
    assert fails <= failing_with(LESSON, tmp_path, old, new, fails)
