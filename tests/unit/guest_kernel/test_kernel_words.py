# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel says when it is asked for its switches, and when it is given a pointer that makes no sense."""

from pathlib import Path

import pytest

from emu.lesson import Call, Lab
from emu.machine import Ending

from .memory import run, said

SWITCHES = Path(__file__).parent / "guests" / "switches.c"
RDI = 7


@pytest.mark.parametrize(("given", "shown"), [("64", "64"), ("17", "17"), ("0", "0")])
def test_a_switch_that_is_a_number_is_shown_as_that_number(given: str, shown: str) -> None:
    pytest.importorskip("ziglang", reason="compiling the guest needs pagewalk[guest]")
    lines = said(run(program=str(SWITCHES), ukshm__limit=given, ukshm__guard="off"))
    assert f"ukshm.limit {shown}" in lines
    assert "ukshm.guard off" in lines
    assert "cpu.smep on" in lines


@pytest.mark.parametrize(
    "pointer", [0, 0x40_0000, 0xFFFF_8880_0200_0000, 0xFFFF_FFFF_8000_0000, 2**64 - 8], ids=hex
)
def test_kfree_of_a_pointer_that_is_not_of_the_direct_map_ends_the_kernel_in_words(pointer: int) -> None:
    lab = Lab()
    lab.boot("alloc", "kmalloc_100_KERNEL")
    lab.run_until(Call("kfree"))
    registers = lab.machine.cpu.engine.context.save()
    registers.set_gpr(RDI, pointer)
    registers.restore()
    lab.run_to_exit()
    assert lab.ended is not None
    assert lab.ended.ending is Ending.PANICKED
    shown = f"{pointer:016x}"
    words = "_".join(shown[n : n + 4] for n in range(0, 16, 4))
    assert f"0: kernel panic: kfree of 0x{words}, which is no address of the direct map" in said(lab)
