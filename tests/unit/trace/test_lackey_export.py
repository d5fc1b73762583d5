# SPDX-License-Identifier: GPL-2.0-or-later
"""What Pagewalk recorded, in lackey's lines, and back."""

import pytest

from emu.events import Accessed, Event, Returned
from emu.trace.export_lackey import lackey_lines
from emu.trace.lackey import touches_of


def access(
    insn: int, kind: str, linear: int, size: int, cpl: int = 3, implicit: bool = False, tlb: str = "l1_hit"
) -> Accessed:
    return Accessed(
        seq=0,
        insn=insn,
        cpu=0,
        cpl=cpl,
        rip=0x401000,
        linear=linear,
        physical=0,
        size=size,
        type=kind,
        implicit=implicit,
        tlb=tlb,
        stale=False,
    )


def test_each_type_has_its_letter() -> None:
    events = [
        access(1, "fetch", 0x401000, 3),
        access(1, "read", 0x7FFF_0000_0010, 8),
        access(1, "write", 0x10, 4),
    ]
    assert list(lackey_lines(events)) == ["I  00401000,3\n", " L 7fff00000010,8\n", " S 00000010,4\n"]


def test_what_the_kernel_and_the_cpu_itself_reach_is_left_out() -> None:
    back = Returned(seq=0, insn=2, cpu=0, cpl=3, rip=0, instruction="IRET", to_rip=0, to_cpl=3)
    events: list[Event] = [
        access(1, "fetch", 0xFFFF_8000_0000_1000, 3, cpl=0),
        back,
        access(2, "read", 0x1000, 8, implicit=True),
        access(3, "fetch", 0x401000, 3),
    ]
    assert list(lackey_lines(events)) == ["I  00401000,3\n"]


def test_two_parts_across_a_page_are_one_line() -> None:
    events = [
        access(1, "fetch", 0x400FFE, 2),
        access(1, "fetch", 0x401000, 1),
        access(1, "write", 0x500FFF, 1),
        access(1, "write", 0x501000, 7),
    ]
    assert list(lackey_lines(events)) == ["I  00400ffe,3\n", " S 00500fff,8\n"]


@pytest.mark.parametrize(
    "second",
    [
        access(2, "read", 0x501000, 4),
        access(1, "write", 0x501000, 4),
        access(1, "read", 0x502000, 4),
        access(1, "read", 0x501004, 4),
    ],
    ids=["another instruction", "another type", "another page", "not at its beginning"],
)
def test_accesses_that_do_not_go_on_are_lines_of_their_own(second: Accessed) -> None:
    assert len(list(lackey_lines([access(1, "read", 0x500FFC, 4), second]))) == 2


def test_a_line_within_a_page_is_never_joined_to_the_next() -> None:
    assert len(list(lackey_lines([access(1, "read", 0x500000, 4), access(1, "read", 0x500004, 4)]))) == 2


def test_what_is_written_is_read_back_as_it_was() -> None:
    lines = ["I  00400ffe,3", " L 00600000,8", " S 00600ffc,8", "I  00401001,2"]
    names = ("fetch", "read", "write")
    events: list[Event] = []
    insn = 0
    for line in lines:
        for kind, page, offset, size, begun in touches_of(line):
            insn += begun
            events.append(access(insn, names[kind], page << 12 | offset, size))
    assert [line.rstrip("\n") for line in lackey_lines(events)] == lines
