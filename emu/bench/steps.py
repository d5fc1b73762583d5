# SPDX-License-Identifier: GPL-2.0-or-later
"""Going forward and back in a long run, without a screen: a step, a step back, a jump to anywhere."""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import Final, NamedTuple

from emu.lesson.boot import boot, request_of

PROGRAM: Final = ("stress", "1", "30")
"""Processes that start, fault and end for far longer than is measured."""
RUN: Final = 10_000_000
STEPS: Final = 200
JUMPS: Final = 40
_STRIDE: Final = 7_919
"""A prime: jumps of many strides, modulo the run, come to all of it and in no order."""


class Wait(NamedTuple):
    """Milliseconds."""

    typical: float
    worst: float


@dataclass(frozen=True, slots=True)
class Steps:
    """Measured in a run of `run` instructions."""

    run: int
    forward: Wait
    back: Wait
    jump: Wait
    """To anywhere in the run from anywhere else: what a step back costs at worst."""


def measure_steps(run: int = RUN, steps: int = STEPS, jumps: int = JUMPS) -> Steps:
    """Run `run` instructions with history, then move about."""
    machine = boot(request_of(PROGRAM[0], PROGRAM[1:]), keep_history=True).machine
    machine.run(run)
    come = machine.journal.insn
    places = [number * _STRIDE * (come // 4 + 1) % come for number in range(1, jumps + 1)]
    jump, back = list[float](), list[float]()
    for place in places:
        jump.append(_timed(lambda to=place: machine.seek(to)))
        back += (_timed(machine.step_back) for _ in range(max(1, steps // jumps)))
    return Steps(come, _wait(_timed(machine.step) for _ in range(steps)), _wait(back), _wait(jump))


def _wait(seconds: Iterable[float]) -> Wait:
    found = list(seconds)
    return Wait(statistics.median(found) * 1e3, max(found) * 1e3)


def _timed(call: Callable[[], object]) -> float:
    before = perf_counter()
    call()
    return perf_counter() - before
