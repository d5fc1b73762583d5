# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark reports what it says it does. No test here looks at how fast anything is."""

import json
import sys

import pytest

from emu import bench
from emu.cpu.bare import BareEngine, registers_of
from emu.lesson.boot import boot, request_of


@pytest.mark.parametrize("loop", bench.LOOPS, ids=lambda loop: loop.program)
def test_both_engines_end_a_stretch_with_the_same_registers(loop: bench.Loop) -> None:
    result = bench.measure_loop(loop, stretch=3000, stretches=2)
    assert result.same_registers
    assert result.instructions == 6000
    assert result.ratio == pytest.approx(result.pagewalk / result.bare)


def test_the_bare_engine_starts_again_from_the_same_moment() -> None:
    machine = boot(request_of("copy", ["1000000"]), keep_history=False).machine
    machine.run(250_000)
    engine = BareEngine(machine.cpu)
    start = registers_of(machine.cpu)
    assert engine.run(500)[1] == engine.run(500)[1] != start
    assert registers_of(machine.cpu) == start


def test_each_share_has_been_seen() -> None:
    shares = bench.measure_shares(bare_per_second=1e8)
    assert [share.event for share in shares] == ["fill", "fault", "syscall"]
    assert all(share.count > 10 and share.microseconds > 0 for share in shares)
    assert all(share.bare_instructions == pytest.approx(share.microseconds * 100) for share in shares)


def test_a_step_and_a_step_back_are_measured_in_a_short_run() -> None:
    step, back = bench.measure_steps(back_from=2000, steps=5)
    assert step > 0 and back > 0


def test_the_first_screen_is_the_first_text_on_a_terminal() -> None:
    pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    says = "import time; print('a lesson', flush=True); time.sleep(60)"
    found = bench.measure_first_screen((sys.executable, "-c", says), b"a lesson")
    assert found is not None and found > 0
    silent = bench.measure_first_screen((sys.executable, "-c", "pass"), b"a lesson")
    assert silent is None


def test_the_report_says_what_the_table_says() -> None:
    report = bench.measure(stretch=500, stretches=1, back_from=1000, steps=3, screen=False)
    plain = json.loads(json.dumps(report.as_json()))
    assert list(plain["loops"]) == ["copy", "chase", "branchy"]
    assert set(plain["shares"]) == {"fill", "fault", "syscall"}
    assert plain["first_screen_seconds"] is None
    assert plain["step_back_from"] == 1000
