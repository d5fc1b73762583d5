# SPDX-License-Identifier: GPL-2.0-or-later
from emu.bench.steps import measure_steps


def test_steps_and_jumps_are_measured_in_a_short_run() -> None:
    found = measure_steps(run=30_000, steps=6, jumps=3)
    assert found.run == 30_000
    for wait in (found.forward, found.back, found.jump):
        assert 0 < wait.typical <= wait.worst
