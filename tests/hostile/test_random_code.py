# SPDX-License-Identifier: GPL-2.0-or-later
"""Random bytes as guest code never end, hang or upset the host process."""

import subprocess
import sys
from pathlib import Path

import pytest

from emu.paging.modes import FOUR_LEVEL, PAE, TWO_LEVEL, PagingMode
from tests.hostile.random_code import play

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 900


@pytest.mark.parametrize("ring", [0, 3])
@pytest.mark.parametrize(
    ("first", "count"), [(0, 25), pytest.param(100, 150, marks=pytest.mark.nightly)], ids=["some", "many"]
)
@pytest.mark.parametrize("mode", ["32-bit", "PAE", "4-level"])
def test_random_bytes_in_any_ring_end_in_order_or_at_the_budget(
    ring: int, first: int, count: int, mode: str
) -> None:
    """In a process of its own: the last line of its output names the seed that ended it."""
    command = [sys.executable, "-m", "tests.hostile.random_code", str(ring), str(first), str(count), mode]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"{lines[-1:]} {done.stderr[-2000:]}"
    assert len(lines) == count
    assert sum("budget" in line for line in lines) >= count // 6, "many seeds must get far"


@pytest.mark.parametrize("ring", [0, 3])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("mode", [TWO_LEVEL, PAE, FOUR_LEVEL], ids=lambda mode: mode.name)
def test_random_bytes_do_the_same_twice(ring: int, seed: int, mode: PagingMode) -> None:
    first, second = play(ring, seed, 1500, mode), play(ring, seed, 1500, mode)
    assert first.journal.state() == second.journal.state()
    assert first.memory.buffer[:] == second.memory.buffer[:]
    assert first.ended == second.ended
