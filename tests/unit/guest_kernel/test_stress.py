# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes that map, swap, fork and are killed at random, while two auditors look at the tables at intervals.

The kernel's own self-check counts frames, slabs and slots whenever a worker has ended; the page-table checker of the
emulator reads every address space from outside, and with it what the TLB holds.
"""

import pytest

from emu.checker import Rule, Severity
from emu.events import Event, Marked, SyscallEntered
from emu.lesson import Lab

from .memory import balance_is_equal, said, scarce, watch

INTERVAL, STEP = 100_000, 100
CHECKS = 10
BUDGET = 60_000_000


class Forks:
    """Which processes are inside fork, by the events so far.

    fork takes rights away page by page, may sleep in between, and invalidates once at its end: until then the TLB
    may hold more for this process, which does not run. For everybody else what is held must be what is.
    """

    def __init__(self, events: list[Event]) -> None:
        self.inside: set[object] = set()
        self._events = events
        self._seen = 0
        self._running: object = 0

    def pids(self) -> set[object]:
        for event in self._events[self._seen :]:
            if isinstance(event, Marked) and event.name == "switch":
                self._running = event.arguments["next_pid"]
            elif isinstance(event, Marked) and event.name == "process_exit":
                self.inside.discard(event.arguments["pid"])
            elif isinstance(event, SyscallEntered) and event.name == "SYS_fork":
                (self.inside.add if event.result is None else self.inside.discard)(self._running)
        self._seen = len(self._events)
        return self.inside


def pid_of(lab: Lab, space: str) -> int:
    """The process of an address space as the checker names it: "stress(5)", or by its tag, "PCID 0x4"."""
    if space.startswith("PCID "):
        return lab.value(f"procs[{int(space[5:], 16)}].pid")
    return int(space.rpartition("(")[2].rstrip(")"))


def findings(lab: Lab, forks: Forks) -> list[str]:
    """What the checker holds against the tables and the TLB as they are now, but for notes: errors and warnings."""
    report = lab.check().report
    assert report.spaces
    assert not report.cut_short
    forking = forks.pids()
    return [
        str(found)
        for found in report.findings
        if found.severity is not Severity.NOTE
        and not (found.rule is Rule.STALE_GRANTS_MORE and pid_of(lab, found.place.spaces[0]) in forking)
    ]


def run_on(lab: Lab) -> None:
    """An interval, and on until a program runs: in the kernel an entry and its INVLPG are a few instructions apart."""
    lab.machine.run(INTERVAL)
    while lab.machine.ended is None and lab.machine.cpu.ring() != 3:
        lab.machine.run(STEP)


def run_checked(lab: Lab, workers: int, checks: int) -> list[Event]:
    """Run to the end with a check at each interval; marks and calls."""
    events: list[Event] = watch(lab, Marked, SyscallEntered)
    forks = Forks(events)
    done = 0
    while lab.machine.ended is None:
        assert lab.machine.journal.insn < BUDGET
        run_on(lab)
        done += 1
        assert not findings(lab, forks), f"at instruction {lab.machine.journal.insn:,}"
    assert done >= checks
    lines = said(lab)
    assert lines[-1].startswith(f"2: {workers} workers, ")
    assert lines[-1].endswith(" 0 wrong")
    assert lines.count("2: self-check: 0 findings") == workers
    assert not [line for line in lines if "findings" in line and not line.endswith(" 0 findings")]
    assert balance_is_equal(events)
    assert {"swap_out", "swap_in", "copy_on_write", "demand_zero", "ukshm_map"} <= {
        event.name for event in events if isinstance(event, Marked)
    }
    return events


def test_neither_auditor_finds_anything_in_a_few_million_instructions() -> None:
    run_checked(scarce("stress", "2", "4", "12", "400"), workers=4, checks=CHECKS)


@pytest.mark.nightly
def test_nor_in_ten_million_and_more() -> None:
    lab = Lab()
    lab.boot("stress", "1", "6", "24", "860", memory_mib=8, disk="blank:8M")
    run_checked(lab, workers=6, checks=10 * CHECKS)
    assert lab.machine.journal.insn > 10_000_000
