# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from emu.lesson.model import find_lesson
from tests.helpers.lesson_runs import judge_quotations, planted, student, whole

pytestmark = pytest.mark.long

LESSON = find_lesson("types")


def test_the_letters_words_are_quoted_exactly_and_marked():
    judge_quotations(
        LESSON,
        "THE SLAB ALLOCATOR has several types of data it can allocate, including DMA allocations--allocations used as "
        "targets for direct data transfer from hardware such as hard disks to memory--and Atomic "
        "allocations--allocations that must be fully allocated before the function can sleep. There is also kernel "
        "and user memory.",
        '"from hardware such as hard disks"',
        '"that must be fully allocated before the function can sleep"',
        "the addition of a new type of slab memory called User-Kernel Shared Memory, or SLAB_UKSHM (GFP_UKSHM). This "
        "memory would ONLY be created when specialized hook in the kernel is used",
    )


def test_what_the_student_sees_is_on_the_page():
    text = student(LESSON.id).text
    for expected in (
        "Step 8 of 8",
        "kmalloc-128   SLAB_KERNEL    128",
        "the constructor ran 57 times for the",
        "2: atomic_all: ",
        "mark         slept in atomic: pid ",
        "two accounts of the kernel make 990, not 1000",
        "owner\n      is: kernel",
        "  lab_ukshm+0x",
        "ukshm         SLAB_UKSHM    4096       1      0       1",
        "+ +0000  21 21 21 21",
        "37 of 37 checks hold; 15 of 15 points.",
    ):
        assert expected in text


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("old", "new", "fails"),
    [
        pytest.param(
            '    lab.boot("spy")\n',
            '    lab.boot("spy", switches={"ukshm.swap_exempt": "off"})\n',
            ["pinned: it is marked never to be swapped"],
            id="shared pages may be swapped",
        ),
        pytest.param(
            '    lab.boot("spy")\n',
            '    lab.boot("spy", switches={"ukshm.page_exclusive": "off"})\n',
            [
                "page-exclusive: the frame holds nothing but what is shared",
                "pinned: it is marked never to be swapped",
                "zeroed: all of its 4,096 bytes are 0",
            ],
            id="shared pages are slabs",
        ),
        pytest.param(
            '    lab.boot("alloc", "dma_transfer")\n',
            '    lab.boot("alloc", "dma_transfer", switches={"alloc.gfp": "ignore"})\n',
            ["with the flags honoured the buffer was below 16 MiB"],
            id="the zone is ignored",
        ),
        pytest.param(
            'disk="blank:8M", switches={"alloc.gfp": "ignore"})',
            'disk="blank:8M")',
            [],
            id="flags are honoured where they should be ignored",
        ),
    ],
)
def test_checks_fail_under_another_switch(tmp_path: Path, old: str, new: str, fails: list[str]):
    run = whole(planted(LESSON, tmp_path, old, new))
    failed = [check.message for done in run.done for check in done.page.checks if not check.holds]
    assert set(fails) <= set(failed)
    assert not run.passed
    assert fails or (run.error is not None and "'flags-ignored' broke off" in run.error)
