# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's physical memory, seen from outside: who holds a frame, and what the allocator refuses to take back."""

import pytest

from emu.lesson import Call, Kind, Lab
from emu.lesson.registers import GENERAL

PAGE_BYTES = 4096
ORDER_NONE = 0xFF
"""What the kernel's frame table has for the order of a frame that is inside a block, not its first."""


def give_back(lab: Lab, order: int, recorded: int) -> None:
    """At the door of frames_free: ask for another order, for a frame that the table says has `recorded`."""
    context = lab.machine.cpu.engine.context.save()
    context.set_gpr(GENERAL.index("rsi"), order)
    context.restore()
    number = context.gpr(GENERAL.index("rdi")) // PAGE_BYTES
    lab.poke(int(lab.evaluate(f"&frames[{number}].order").python), bytes([recorded]))
    lab.run_to_exit(300_000)


@pytest.mark.parametrize(
    ("order", "recorded"),
    [
        pytest.param(1, 0, id="another order than the block's"),
        pytest.param(
            ORDER_NONE, ORDER_NONE, id="a frame inside a block, by the mark that it has for an order"
        ),
    ],
)
def test_a_block_that_was_not_allocated_so_is_not_taken_back_but_ends_in_words(
    order: int, recorded: int
) -> None:
    lab = Lab()
    lab.boot("hello")
    lab.run_until(Call("frames_free"))
    give_back(lab, order, recorded)
    assert f"order {order}, which was not allocated" in str(lab.console)


def test_a_file_s_pages_have_an_owner_of_their_own() -> None:
    lab = Lab()
    lab.boot("filemap")
    lab.run_until(Call("sys_mmap"))
    before = lab.machine.journal.seq
    lab.run_until(Call("process_fork"))
    marks = [event.arguments for event in lab.events.since(before).of(Kind.MARK, name="file_page")]
    mapped = {
        mark["frame_number"] for mark in marks if int(mark["linear"]) >> 44 == 7
    }  # not the program's own text
    assert len(mapped) == 3
    assert mapped <= {frame.number for frame in lab.frames.owned_by("file")}
