# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from emu.lesson.model import find_lesson
from emu.lesson.run import run_lesson
from tests.helpers.lesson_runs import failing, failing_with, judge_quotations, student, whole

LESSON = find_lesson("walk")
STRUCTURE_CACHES = """\
base = "haswell"
name = "caches"
[structure_caches]
pml4e = 2
pdpte = 4
pde = 16
"""


def test_the_letters_words_are_quoted_exactly_and_marked():
    judge_quotations(
        LESSON,
        "I do not have any expert understanding of the slab allocator OR of the TLB; the slab code confuses the hell "
        "out of me, and I don't even remember what TLB stands for.",
        '"the TLB microcode reads the page_table cache inside the CPU cache, finds the next mapping, and loads it from '
        'ram"',
        '"handled automatically by the CPU"',
        '"the page_table cache inside the CPU cache"',
    )


def test_all_checks_hold_with_paging_structure_caches(tmp_path: Path):
    path = tmp_path / "caches.toml"
    path.write_text(STRUCTURE_CACHES)
    assert failing(whole(run_lesson(LESSON, tlb=str(path)))) == []


def test_the_walk_by_hand_and_by_machine_is_on_the_page():
    text = student(LESSON.id).text
    for expected in (
        "20:12  011000101  PTE     0x0c5",
        "the walk set D in PTE[0c6]",
        "0x0000_8000_0000_0000  0 read, the first that is not canonical",
        "nothing is mapped in the whole 2M that it covers",
        "2: I read B, then F; what nobody had written was 0",
        "in a 2M page, offset 0x",
    ):
        assert expected in " ".join(text.split()) or expected in text, expected


@pytest.mark.parametrize(
    ("old", "new", "fails"),
    [
        pytest.param(
            "address = table + ENTRY_BYTES * index",
            "address = table + 4 * index",
            ["by hand and by machine: the same four entries"],
            id="entries of four bytes",
        ),
        pytest.param(
            "    seq = lab.machine.journal.seq\n    lab.invalidate(byte)\n    forked",
            "    seq = lab.machine.journal.seq\n    forked",
            [
                "the CPU has read the four entries that we found by hand, in that order",
                "the load was a miss, of one byte",
            ],
            id="the TLB has not forgotten the byte's page",
        ),
        pytest.param(
            "    lab.invalidate(byte)\n    forked = lab.fork()\n    the_load",
            "    forked = lab.fork()\n    the_load",
            ["the program read B, and then F"],
            id="the TLB has not forgotten the rewritten page",
        ),
        pytest.param(
            'lab.boot("byte", memory_mib=96)',
            'lab.boot("byte", memory_mib=64)',
            ["the walk ends at a PDE with PS = 1"],
            id="no large page",
        ),
    ],
)
def test_checks_fail_when_something_is_wrong(tmp_path: Path, old: str, new: str, fails: list[str]):
    assert set(fails) <= failing_with(LESSON, tmp_path, old, new, fails)
