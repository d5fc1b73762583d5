# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel's work costs, counted. The limits are the contract's, or what a change for the worse breaks."""

import pytest

from emu.bench.guest_costs import GuestCost, measure_guest_costs
from emu.lesson import Call, Lab

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def costs() -> dict[str, GuestCost]:
    return {cost.what: cost for cost in measure_guest_costs()}


def test_each_cost_was_seen_and_is_no_wait(costs: dict[str, GuestCost]) -> None:
    assert set(costs) == {
        "a null system call, SYSCALL to SYSRET",
        "a slab allocation",
        "a context switch, yield to yield",
        "a page fault: a page of zeros",
        "a page fault: a page of a file",
        "a page fault: a copy after fork",
        "a page fault: a page from the swap area",
    }
    assert all(cost.count >= 3 and 10 < cost.instructions < 5_000 for cost in costs.values())


def test_a_null_system_call_is_under_200_instructions(costs: dict[str, GuestCost]) -> None:
    stub = 20  # of the program, before and behind: see the disassembly of getpid
    assert costs["a null system call, SYSCALL to SYSRET"].instructions + stub < 200


def test_a_copy_costs_more_than_zeros_and_the_disk_more_than_both(costs: dict[str, GuestCost]) -> None:
    zeros, copy, swapped = (
        costs[f"a page fault: {what}"].instructions
        for what in ("a page of zeros", "a copy after fork", "a page from the swap area")
    )
    assert zeros < copy < swapped


def test_the_boot_to_the_first_process_is_under_300_000_instructions() -> None:
    lab = Lab()
    lab.boot("hello")
    lab.run_until(Call("trace_boot_done"))
    while lab.machine.cpu.engine.context.save().hflags & 3 != 3:
        lab.step()
    assert lab.machine.journal.insn < 300_000
