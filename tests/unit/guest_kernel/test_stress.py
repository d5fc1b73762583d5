# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes that map, swap, fork and are killed at random, while two auditors look at the tables at intervals.

The kernel's own self-check counts frames, slabs and slots whenever a worker has ended; the page-table checker of the
emulator reads every address space from outside, and with it what the TLB holds.
"""

import pytest

from emu.checker import Severity
from emu.events import Marked
from emu.lesson import Lab

from .memory import balance_is_equal, said, scarce, watch

INTERVAL = 100_000
CHECKS = 10
BUDGET = 60_000_000


def findings(lab: Lab) -> list[str]:
    """What the checker holds against the tables and the TLB as they are now, but for notes: errors and warnings."""
    report = lab.check().report
    assert report.spaces
    assert not report.cut_short
    return [str(found) for found in report.findings if found.severity is not Severity.NOTE]


def run_checked(lab: Lab, workers: int, checks: int) -> list[Marked]:
    """Run to the end with a check at each interval; the marks."""
    marks = watch(lab, Marked)
    done = 0
    while lab.machine.ended is None:
        assert lab.machine.journal.insn < BUDGET
        lab.machine.run(INTERVAL)
        done += 1
        assert not findings(lab), f"at instruction {lab.machine.journal.insn:,}"
    assert done >= checks
    lines = said(lab)
    assert lines[-1].startswith(f"2: {workers} workers, ")
    assert lines[-1].endswith(" 0 wrong")
    assert lines.count("2: self-check: 0 findings") == workers
    assert not [line for line in lines if "findings" in line and not line.endswith(" 0 findings")]
    assert balance_is_equal(marks)
    assert {"swap_out", "swap_in", "copy_on_write", "demand_zero", "ukshm_map"} <= {
        mark.name for mark in marks
    }
    return marks


def test_neither_auditor_finds_anything_in_a_few_million_instructions() -> None:
    run_checked(scarce("stress", "2", "4", "12", "400"), workers=4, checks=CHECKS)


@pytest.mark.long
def test_nor_in_ten_million_and_more() -> None:
    lab = Lab()
    lab.boot("stress", "1", "6", "20", "700", memory_mib=8, disk="blank:8M")
    run_checked(lab, workers=6, checks=10 * CHECKS)
    assert lab.machine.journal.insn > 10_000_000
