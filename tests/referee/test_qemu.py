# SPDX-License-Identifier: GPL-2.0-or-later
"""Referee 2: the same kernel image and the same programs in QEMU print the same lines, process by process."""

import tomllib
from pathlib import Path

import pytest

from emu.devices.debug_exit import exit_status
from tests.helpers.kernel import OUT, boot, command_line, lines_by_process
from tests.helpers.qemu import run_with_disk

CATALOGUE = tomllib.loads((OUT.parent / "user" / "programs.toml").read_text("utf-8"))["program"]
REFEREES = [row["name"] for row in CATALOGUE if row["referee"]]
BUDGET = 60_000_000
PASS = 33

pytestmark = [pytest.mark.qemu, pytest.mark.long]


def test_there_are_referee_programs_and_the_others_say_why_not() -> None:
    assert REFEREES
    assert all(row["why"] for row in CATALOGUE if not row["referee"])


@pytest.mark.parametrize("program", REFEREES)
def test_a_program_prints_the_same_in_qemu_and_here(program: str, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(1 << 20))
    theirs, status = run_with_disk(command_line(program), disk)
    machine = boot(program)
    machine.run(BUDGET)
    assert machine.ended is not None, "the budget ran out"
    ours = bytes(machine.console)
    assert lines_by_process(ours) == lines_by_process(theirs)
    assert len(lines_by_process(ours)) > 1, "a kernel's line and a process's at least"
    assert status == PASS
    assert machine.ended.code is not None
    assert exit_status(machine.ended.code) == PASS
