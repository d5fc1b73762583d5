# SPDX-License-Identifier: GPL-2.0-or-later
"""The loops, the shares and the steps are what they say. No test here looks at how fast anything is."""

import pytest

from emu.bench import loops
from emu.cpu.bare import BareEngine, registers_of
from emu.lesson.boot import boot, request_of


@pytest.mark.parametrize("loop", loops.LOOPS, ids=lambda loop: loop.program)
def test_both_engines_end_a_stretch_with_the_same_registers(loop: loops.Loop) -> None:
    result = loops.measure_loop(loop, stretch=3000, stretches=2)
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
    shares = loops.measure_shares(bare_per_second=1e8)
    assert [share.event for share in shares] == ["fill", "fault", "syscall"]
    assert all(share.count > 10 and share.microseconds > 0 for share in shares)
    assert all(share.bare_instructions == pytest.approx(share.microseconds * 100) for share in shares)
